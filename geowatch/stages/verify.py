"""Verify: is every finished tile what its marker says?"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from geowatch.errors import InputError
from geowatch.predict.recipe import read_recipe
from geowatch.stages.events import Events, Silent
from geowatch.store import open_store
from geowatch.store.markers import markers_in, read_marker

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
    """Take damaged tiles' markers away, so that the next predict makes them again."""


@dataclass(frozen=True, slots=True)
class Damage:
    """A tile that is not what its marker says."""

    tile: str
    """Its name."""
    time: int
    """Place on the time axis."""
    what: str
    """What is wrong."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What verify found."""

    tiles: int
    """Markers looked at."""
    bytes: int
    """Bytes digested."""
    damaged: tuple[Damage, ...]
    """Tiles that are damaged."""


def verify(config: VerifyConfig, events: Events | None = None) -> Verified:
    """Digest every object of every finished tile.

    Raises:
        InputError: where there is no heatmap.
    """
    events = events or Silent()
    store = open_store(config.run)
    recipe = read_recipe(store)
    if recipe is None:
        raise InputError(f"the run in {store.url} has no heatmap to verify", hint="gw predict makes it")
    places = sorted(markers_in(store, recipe.digest))
    damaged: list[Damage] = []
    digested = 0
    for number, place in enumerate(places):
        what, size = _check(store, place)
        digested += size
        if what is not None:
            damaged.append(Damage(place.tile.name, place.time, what))
            if config.repair:
                store.delete(place.key)
        events.progress("verify", number + 1, len(places), bytes=digested)
    return Verified(len(places), digested, tuple(damaged))


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
