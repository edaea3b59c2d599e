"""Verify: is every finished tile what its marker says, every fragment whole, and every file of sites as recorded?"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from geowatch.errors import InputError
from geowatch.predict.recipe import read_recipe
from geowatch.stages.sites.verify import Checked, verify_fragments, verify_sites
from geowatch.stages.working.events import Events, Silent
from geowatch.store import open_store
from geowatch.store.markers import markers_in, read_marker
from geowatch.track.document import TRACKING

if TYPE_CHECKING:
    from geowatch.store import Store
    from geowatch.store.markers import MarkerPlace

__all__ = ["Damage", "Verified", "VerifyConfig", "verify"]


@dataclass(frozen=True)
class VerifyConfig:
    """What verify is asked for."""

    run: str = "gw-run"
    """Run folder."""
    repair: bool = False
    """Forget what is damaged, so that the next predict, track and consolidate make it again."""


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that is not what its record says."""

    name: str
    """Name of a tile, or key of a file."""
    what: str
    """What is wrong."""
    time: int | None = None
    """Place of a tile of the heatmap on the time axis; None for all else."""
    again: str = "gw predict"
    """Command that makes it again."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What verify found."""

    tiles: int
    """Markers looked at."""
    bytes: int
    """Bytes digested."""
    damaged: tuple[Damage, ...]
    """What is damaged, missing or out of date."""
    fragments: int = 0
    """Fragments looked at."""
    files: int = 0
    """Files of sites looked at."""


def verify(config: VerifyConfig, events: Events | None = None) -> Verified:
    """Digest every object of every finished tile, every fragment of the tracking, and every file of the sites.

    Raises:
        InputError: where there is neither heatmap nor tracking.
    """
    events = events or Silent()
    store = open_store(config.run)
    recipe = read_recipe(store)
    if recipe is None and store.size(TRACKING) is None:
        raise InputError(f"the run in {store.url} has no heatmap to verify", hint="gw predict makes it")
    tiles, of_tiles = (0, Checked()) if recipe is None else _heatmap(store, recipe.digest, config.repair, events)
    fragments, of_fragments = verify_fragments(store, config.repair, events)
    files, of_sites = verify_sites(store, config.repair, events)
    found = (of_tiles, of_fragments, of_sites)
    damaged = tuple(Damage(*each) for part in found for each in part.damaged)
    return Verified(tiles, sum(part.bytes for part in found), damaged, fragments, files)


def _heatmap(store: Store, recipe: str, repair: bool, events: Events) -> tuple[int, Checked]:
    places = sorted(markers_in(store, recipe))
    found = Checked()
    for number, place in enumerate(places):
        what, size = _check(store, place)
        found.bytes += size
        if what is not None:
            found.damaged.append((place.tile.name, what, place.time, "gw predict"))
            if repair:
                store.delete(place.key)
        events.progress("verify", number + 1, len(places), bytes=found.bytes)
    return len(places), found


def _check(store: Store, place: MarkerPlace) -> tuple[str | None, int]:
    """Return what is wrong with a tile, and the bytes digested."""
    marker = read_marker(store, place)
    if marker is None:
        return "its marker is damaged", 0
    size = 0
    for listed in marker.objects:
        if store.size(listed.key) is None:
            return f"'{listed.key}' is gone", size
        content = store.get(listed.key)
        size += len(content)
        if sha256(content).hexdigest() != listed.sha256:
            return f"'{listed.key}' has other bytes than were written", size
    return None, size
