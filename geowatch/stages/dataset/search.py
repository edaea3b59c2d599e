"""Search: items of a STAC API for a region, kept in a file that every command reads."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geowatch.datasets.stac_query import Query
from geowatch.datasets.stac_search import find_signer, needs_payment, search_items
from geowatch.errors import ConfigError, ImageryError, InterruptedRunError
from geowatch.read.remote import public
from geowatch.stages.binding.regions import read_region_file
from geowatch.stages.dataset.output import check_file, save_json
from geowatch.stages.working.events import Events, Silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geowatch.datasets.bundle import Json

__all__ = ["SearchConfig", "Searched", "search_imagery"]

#: Shorter waits are silent; in longer ones somebody may want to stop.
_WORTH_TELLING_S, _LOOK_EVERY_S = 2.0, 0.1


@dataclass(frozen=True)
class SearchConfig:
    """What search is asked for."""

    region: str
    """GeoJSON file of the place; its time range holds where no other is given."""
    stac: str
    """Address of the STAC API."""
    collection: tuple[str, ...] = ()
    """Collections to look in; empty looks in all."""
    start: str | None = None
    """First day, YYYY-MM-DD."""
    end: str | None = None
    """Last day, YYYY-MM-DD, taken in."""
    max_cloud: float | None = None
    """Most cloud, percent; items that do not say theirs are kept."""
    limit: int | None = None
    """Most items."""
    sign: str | None = None
    """Function that signs items: an entry point of the group geowatch.signers, or module:function."""
    requester_pays: bool = False
    """Keep items whose files you would pay for reading."""
    retries: int = 6
    """How often a request is tried again."""
    timeout: float = 30.0
    """Longest wait for an answer, in seconds."""
    output: str = "items.json"
    """File to write: a STAC ItemCollection."""


@dataclass(frozen=True, slots=True)
class Searched:
    """What search found."""

    file: str
    """The ItemCollection."""
    items: int
    """Items in it."""
    days: int
    """Days that they are of (UTC)."""
    left_out: int
    """Items left out because their reading costs."""


def search_imagery(config: SearchConfig, events: Events | None = None) -> Searched:
    """Look for imagery of a region.

    Raises:
        RegionError: the region cannot be read.
        ImageryError: nothing is found, or nothing that is free to read.
        StoreError: the service fails.
        ConfigError: an option cannot be used.
        InterruptedRunError: when asked to stop while the service is busy.
    """
    events = events or Silent()
    check_file(config.output, (".json", ".geojson"))
    sign = find_signer(config.sign) if config.sign else None
    free: list[Json] = []
    paid = 0
    for item in _found(config, events):
        if needs_payment(item) and not config.requester_pays:
            paid += 1
        else:
            free.append(_signed(sign(item)) if sign else item)
    if paid:
        events.note(f"{paid} items are left out: you would pay for reading them; --requester-pays keeps them")
    if not free:
        raise ImageryError(
            f"no item of '{config.stac}' fits" + (f"; {paid} cost their readers" if paid else ""),
            hint="widen days or cloud, name other collections, or allow --requester-pays",
        )
    document = {"type": "FeatureCollection", "features": free}
    file = save_json(document, Path(config.output), "dataset search", config)
    days = {str((item.get("properties") or {}).get("datetime") or "")[:10] for item in free} - {""}
    if sign:
        events.note(f"'{config.output}' holds signatures: whoever has it can read the files, until they expire")
    return Searched(file, len(free), len(days), paid)


@dataclass(slots=True)
class _Waiting:
    """Waits before the service is asked again, and shows that it does."""

    url: str
    events: Events
    tries: int = 1

    def __call__(self, wait_s: float) -> None:
        """Wait. Raises InterruptedRunError when asked to stop."""
        self.tries += 1
        if wait_s >= _WORTH_TELLING_S:
            self.events.note(f"'{public(self.url)}' is busy; it is asked again in {wait_s:.0f} s")
        began_s = time.monotonic()
        while (waited_s := time.monotonic() - began_s) < wait_s:
            self.events.progress(f"wait for try {self.tries}", waited_s, wait_s)
            if self.events.stopping():
                raise InterruptedRunError("stopped while waiting for the service", hint="run the same command again")
            time.sleep(min(_LOOK_EVERY_S, wait_s - waited_s))
        self.events.progress(f"wait for try {self.tries}", wait_s, wait_s)


def _found(config: SearchConfig, events: Events) -> Iterator[Json]:
    region = read_region_file(config.region)
    query = Query(
        url=config.stac,
        region=region.geometry,
        collections=config.collection,
        start=_day(config.start) or region.start,
        end=_day(config.end) or region.end,
        max_cloud=config.max_cloud,
        limit=config.limit,
        retries=config.retries,
        timeout_s=config.timeout,
    )
    number = 0
    for number, item in enumerate(search_items(query, _Waiting(config.stac, events)), 1):
        events.progress("search", number, math.inf)
        yield item
    events.progress("search", number, number)


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise ConfigError(f"'{text}' is no day", hint="write it as YYYY-MM-DD") from None


def _signed(item: Any) -> Json:  # noqa: ANN401 - whatever the hook gives
    """Return what a hook gave as a dict."""
    found = item if isinstance(item, dict) else item.to_dict() if hasattr(item, "to_dict") else None
    if not isinstance(found, dict) or "assets" not in found:
        raise ConfigError(
            f"the function of --sign gave a {type(item).__name__}", hint="it must return the item that it was given"
        )
    return found
