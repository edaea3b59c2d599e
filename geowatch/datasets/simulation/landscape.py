"""The land before anything is built: fields, grass, woods, water, roads and villages.

Pure arrays: a seed and a latitude come in, a map of patches goes out. Woods and water follow smooth random relief,
fields are cells around jittered points in a tilted grid, villages lie where roads meet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geowatch.datasets.simulation.noise import coherent, fractal, rng_of, to_shares
from geowatch.datasets.simulation.seasons import crop_seasons, wild_season
from geowatch.datasets.simulation.surfaces import ALWAYS, Surface

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.datasets.simulation.seasons import Season
    from geowatch.datasets.simulation.surfaces import SurfaceBook

__all__ = ["COVERS", "Landscape", "cells", "make_landscape"]

#: Kinds of land cover by their number in `Landscape.cover`.
COVERS = ("field", "grass", "leaves", "needles", "water", "road", "village")
_FIELD, _GRASS, _LEAVES, _NEEDLES, _WATER, _ROAD, _VILLAGE = range(len(COVERS))

#: Share of the land under water, under woods, and (of what is left) under grass.
_WATER_SHARE, _WOODS_SHARE, _GRASS_SHARE = 0.03, 0.28, 0.2
_FIELD_PX, _HOUSE_PX = 17.0, 2.2


@dataclass(frozen=True)
class Landscape:
    """The land as patches."""

    cover: NDArray[np.uint8]
    """(H, W), number of the kind of land cover."""
    patch: NDArray[np.int32]
    """(H, W), number of the patch."""
    texture: NDArray[np.float32]
    """(H, W), factor of the reflectance within a patch, about 1."""


@dataclass(frozen=True)
class _Place:
    seed: int
    lat: float
    years: range

    def rng(self, *purpose: str | int) -> np.random.Generator:
        return rng_of(self.seed, "land", *purpose)

    def wild(self, what: str, low: float, high: float) -> Season:
        return wild_season(self.rng("season", what), self.years, self.lat, low, high)


def make_landscape(book: SurfaceBook, seed: int, shape: tuple[int, int], lat: float, years: range) -> Landscape:
    """Return the land of (H, W) pixels of 10 m and write its patches into ``book``.

    Args:
        book: where patches are added.
        seed: what the land depends on.
        shape: (H, W) in pixels.
        lat: latitude in degrees, for the seasons.
        years: calendar years for which seasons are made.
    """
    place = _Place(seed, lat, years)
    relief = to_shares(fractal(place.rng("relief"), shape, 130, levels=3, falloff=0.4))
    woods = to_shares(fractal(place.rng("woods"), shape, 70, levels=4))
    parcels = cells(place.rng("fields"), shape, _FIELD_PX, tilt=True)
    cover, parcel_cover = _covers(place, relief, woods, parcels)
    patch = np.zeros(shape, np.int32)
    for kind, name in ((_LEAVES, "leaves"), (_NEEDLES, "needles"), (_WATER, "water"), (_ROAD, "road")):
        patch[cover == kind] = book.patch((ALWAYS, _plain(place, name)))
    _fill_parcels(place, book, patch, cover, parcels, parcel_cover)
    _fill_village(place, book, patch, cover)
    grain = 0.04 * place.rng("grain").standard_normal(shape, np.float32)
    texture = 1 + grain + np.float32(0.06) * coherent(place.rng("texture"), shape, 6)
    return Landscape(cover, patch, np.clip(texture, 0.7, 1.3).astype(np.float32))


def _plain(place: _Place, name: str) -> Surface:
    if name == "leaves":
        return Surface("litter", "leaves", 1.0, place.wild(name, 0.15, 0.95))
    if name == "needles":
        return Surface("litter", "needles", 1.0, place.wild(name, 0.82, 0.9))
    return Surface("water") if name == "water" else Surface("asphalt", "grass", 0.1, place.wild(name, 0.3, 0.8))


def _covers(
    place: _Place, relief: NDArray[np.float32], woods: NDArray[np.float32], parcels: NDArray[np.int32]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the cover of each pixel, and whether each parcel is field or grass."""
    rng = place.rng("covers")
    parcel_cover = np.where(rng.random(int(parcels.max()) + 1) < _GRASS_SHARE, _GRASS, _FIELD).astype(np.uint8)
    cover: NDArray[np.uint8] = parcel_cover[parcels]
    needles = coherent(place.rng("needles"), cover.shape, 45) > 0.3
    wooded = woods > 1 - _WOODS_SHARE
    cover[wooded] = np.where(needles, _NEEDLES, _LEAVES)[wooded]
    towns = [(int(y), int(x)) for y, x in rng.random((max(2, cover.size // 60_000), 2)) * np.array(cover.shape)]
    blobs = coherent(place.rng("villages"), cover.shape, 14)
    for y, x in towns:
        cover[_near(cover.shape, y, x) + 7 * blobs < 21] = _VILLAGE
    cover[_roads(cover.shape, towns, coherent(place.rng("roads"), cover.shape, 60))] = _ROAD
    cover[relief < _WATER_SHARE] = _WATER
    return cover, parcel_cover


def _near(shape: tuple[int, ...], y: int, x: int) -> NDArray[np.float32]:
    """Return the distance (H, W) from a place, in pixels."""
    rows = np.arange(shape[0], dtype=np.float32)[:, None] - y
    cols = np.arange(shape[1], dtype=np.float32)[None] - x
    found: NDArray[np.float32] = np.sqrt(rows * rows + cols * cols)
    return found


def _roads(shape: tuple[int, ...], towns: list[tuple[int, int]], bend: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return roads (H, W) two pixels wide that lead through the towns, along and across, and wind a little."""
    rows = np.arange(shape[0], dtype=np.float32)[:, None]
    cols = np.arange(shape[1], dtype=np.float32)[None]
    found = np.zeros(shape, bool)
    for number, (y, x) in enumerate(towns):
        across = cols - x + 0.3 * (number % 3 - 1) * (rows - y) if number % 2 else rows - y + 0.2 * (cols - x)
        found |= np.abs(across + 6 * bend) < 1.1
    return found


def cells(rng: np.random.Generator, shape: tuple[int, int], size_px: float, *, tilt: bool = False) -> NDArray[np.int32]:
    """Return the nearest of points that are jittered about a grid of ``size_px``: (H, W), counted from 0 without gaps.

    With ``tilt`` the grid is turned and its cells are longer than wide, as fields are.
    """
    angle = float(rng.uniform(0.2, 1.2)) if tilt else 0.0
    stretch = 1.8 if tilt else 1.0
    rows = np.arange(shape[0], dtype=np.float32)[:, None]
    cols = np.arange(shape[1], dtype=np.float32)[None]
    u = (rows * np.float32(np.cos(angle)) + cols * np.float32(np.sin(angle))) / np.float32(size_px)
    v = (cols * np.float32(np.cos(angle)) - rows * np.float32(np.sin(angle))) / np.float32(size_px * stretch)
    u, v = u - u.min() + 1, v - v.min() + 1
    count = int(u.max()) + 3, int(v.max()) + 3
    points = rng.uniform(0.15, 0.85, (*count, 2)).astype(np.float32)
    return _numbered(_nearest(u, v, points))


def _nearest(u: NDArray[np.float32], v: NDArray[np.float32], points: NDArray[np.float32]) -> NDArray[np.int32]:
    i, j = u.astype(np.int32), v.astype(np.int32)
    best = np.full(u.shape, np.inf, np.float32)
    found = np.zeros(u.shape, np.int32)
    for di in (-1, 0, 1):
        for dj in (-1, 0, 1):
            a, b = i + di, j + dj
            far = np.maximum(np.abs(u - a - points[a, b, 0]), np.abs(v - b - points[a, b, 1]))
            closer = far < best
            best = np.where(closer, far, best)
            found = np.where(closer, a * points.shape[1] + b, found)
    return found


def _numbered(found: NDArray[np.int32]) -> NDArray[np.int32]:
    return np.unique(found, return_inverse=True)[1].reshape(found.shape).astype(np.int32)


def _fill_parcels(
    place: _Place,
    book: SurfaceBook,
    patch: NDArray[np.int32],
    cover: NDArray[np.uint8],
    parcels: NDArray[np.int32],
    kinds: NDArray[np.uint8],
) -> None:
    open_land = cover <= _GRASS
    numbers = np.zeros(len(kinds), np.int32)
    for k in np.unique(parcels[open_land]).tolist():
        rng = place.rng("parcel", k)
        numbers[k] = book.patch(*(_field(place, rng) if kinds[k] == _FIELD else _meadow(place, rng)))
    patch[open_land] = numbers[parcels[open_land]]


def _meadow(place: _Place, rng: np.random.Generator) -> list[tuple[int, Surface]]:
    season = wild_season(rng, place.years, place.lat, float(rng.uniform(0.3, 0.5)), float(rng.uniform(0.75, 0.9)))
    return [(ALWAYS, Surface("loam", "grass", 1.0, season))]


def _field(place: _Place, rng: np.random.Generator) -> list[tuple[int, Surface]]:
    """Return a field that is harvested each year, lies in stubble for some weeks and is ploughed then."""
    soil = str(rng.choice(["loam", "clay", "sand"], p=[0.5, 0.3, 0.2]))
    bright = float(rng.uniform(0.85, 1.1))
    season = crop_seasons(rng, place.years, place.lat, winter=bool(rng.random() < 0.5))
    ploughed = Surface(soil, "crop", 1.0, season, bright)
    stubble = Surface("stubble", "crop", 1.0, season, bright)
    states = [(ALWAYS, ploughed)]
    for span in season.spans:
        states += [(round(span[3]) - 10, stubble), (round(span[3] + rng.uniform(15, 70)), ploughed)]
    return states


def _fill_village(place: _Place, book: SurfaceBook, patch: NDArray[np.int32], cover: NDArray[np.uint8]) -> None:
    """Fill villages with roofs, yards, streets and gardens of two or three pixels."""
    inside = cover == _VILLAGE
    rng = place.rng("houses")
    houses = cells(rng, (patch.shape[0], patch.shape[1]), _HOUSE_PX)
    garden = place.wild("garden", 0.45, 0.85)
    kinds = [
        book.patch((ALWAYS, Surface(name, "grass", green, garden, float(bright))))
        for name, green, bright in (
            ("tile", 0.25, 1.0), ("tile", 0.15, 0.85), ("metal", 0.05, 0.7), ("concrete", 0.15, 0.9),
            ("asphalt", 0.1, 1.0), ("loam", 0.85, 1.0), ("loam", 0.7, 1.0),
        )
    ]  # fmt: skip
    choice = rng.integers(0, len(kinds), int(houses.max()) + 1)
    patch[inside] = np.asarray(kinds, np.int32)[choice[houses[inside]]]
