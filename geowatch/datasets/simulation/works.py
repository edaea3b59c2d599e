"""What changes on the land: building sites in their phases, and changes that are none.

A `Work` is an outline in pixels with days: of the phases for a building site, of beginning and end for a negative.
`lay` divides it into cells and writes for each how its surface goes from day to day: cleared soil; gravel, concrete,
mud and roofs in turn; then what stays, a quarter of it lawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import shapely

from geowatch.datasets.simulation.landscape import cells
from geowatch.datasets.simulation.noise import rng_of
from geowatch.datasets.simulation.seasons import wild_season
from geowatch.datasets.simulation.surfaces import ALWAYS, Surface

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from shapely.geometry import MultiPolygon, Polygon

    from geowatch.datasets.simulation.surfaces import SurfaceBook

__all__ = ["KINDS", "Kind", "Overlay", "Work", "lay", "outline_mask"]

Kind = Literal["building", "drying", "flood", "felling"]
"""What happens: a building site, a pond that falls dry, fields under water for weeks, a wood that is felled."""
KINDS: tuple[Kind, ...] = ("building", "drying", "flood", "felling")

_CELL_PX = 3.5
#: What lies about while a site is being built, and what is there in the end, with their shares.
_WORKED = (("subsoil", 0.3), ("gravel", 0.25), ("concrete", 0.2), ("mud", 0.1), ("metal", 0.15))
_BUILT = (("concrete", 0.25), ("asphalt", 0.25), ("metal", 0.2), ("tile", 0.05), ("lawn", 0.25))
#: Days that a cell keeps its look while it is being built.
_TURN_DAYS = (30, 110)


@dataclass(frozen=True)
class Work:
    """Something that happens at one place."""

    id: str
    """Such as ``ZZ_S001_0003``."""
    kind: Kind
    """What happens."""
    outline: Polygon | MultiPolygon
    """Where, in pixels of the world: x is the column, y the row, corners of pixels are whole numbers."""
    days: tuple[int, ...]
    """Building: first days of preparation, construction and post construction. Others: first and last day."""
    status: str = "positive_annotated"
    """Status in the truth."""


@dataclass(frozen=True)
class Overlay:
    """Patches of works; they hide the land from the day on which each begins."""

    patch: NDArray[np.int32]
    """(H, W), number of the patch, -1 where there is none."""
    site: NDArray[np.int16]
    """(H, W), place of the work in the list, -1 where there is none."""


def outline_mask(outline: Polygon | MultiPolygon, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which pixels (H, W) have their centre within an outline."""
    x0, y0, x1, y1 = outline.bounds
    mask = np.zeros(shape, bool)
    rows = slice(max(0, int(y0) - 1), max(0, min(shape[0], int(y1) + 2)))
    cols = slice(max(0, int(x0) - 1), max(0, min(shape[1], int(x1) + 2)))
    y, x = np.mgrid[rows, cols] + 0.5
    mask[rows, cols] = shapely.contains_xy(outline, x, y)
    return mask


def lay(book: SurfaceBook, works: tuple[Work, ...], shape: tuple[int, int], seed: int, years: range) -> Overlay:
    """Return the overlay of ``works`` on (H, W) pixels; an earlier work keeps pixels that two of them want."""
    patch = np.full(shape, -1, np.int32)
    site = np.full(shape, -1, np.int16)
    for number, work in enumerate(works):
        mask = outline_mask(work.outline, shape) & (site < 0)
        if not mask.any():
            continue
        rng = rng_of(seed, "work", work.id)
        site[mask] = number
        if work.kind == "building":
            inside = _box(mask)
            parts = cells(rng, (mask[inside].shape[0], mask[inside].shape[1]), _CELL_PX)[mask[inside]]
            names = {k: _building(book, work, rng, years) for k in np.unique(parts).tolist()}
            patch[mask] = [names[k] for k in parts.tolist()]
        else:
            patch[mask] = book.patch(*_other(work, rng, years))
    return Overlay(patch, site)


def _box(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the rows and columns that hold all of a mask."""
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(cols[0]), int(cols[-1]) + 1)


def _building(book: SurfaceBook, work: Work, rng: np.random.Generator, years: range) -> int:
    """Add one cell of a building site to the book."""
    prepare, build, done = work.days
    cleared = prepare + int(rng.uniform(0, 0.7) * (build - prepare))
    soil = Surface("subsoil", bright=float(rng.uniform(0.8, 1.05)))
    states = [(cleared, soil)]
    day = build + int(rng.uniform(0, 40))
    finished = build + int(rng.uniform(0.55, 1.0) * (done - build))
    while day < finished:
        states.append((day, Surface(_drawn(rng, _WORKED), bright=float(rng.uniform(0.75, 1.15)))))
        day += int(rng.uniform(*_TURN_DAYS))
    states += _final(rng, max(finished, states[-1][0] + 1), years)
    return book.patch(*states)


def _drawn(rng: np.random.Generator, table: tuple[tuple[str, float], ...]) -> str:
    return str(rng.choice([name for name, _ in table], p=[share for _, share in table]))


def _final(rng: np.random.Generator, day: int, years: range) -> list[tuple[int, Surface]]:
    name = _drawn(rng, _BUILT)
    if name != "lawn":
        return [(day, Surface(name, "grass", float(rng.uniform(0, 0.1)), bright=float(rng.uniform(0.8, 1.05))))]
    season = wild_season(rng, years, 45.0, 0.4, 0.85)
    return [
        (day, Surface("loam")),
        (day + 75, Surface("loam", "grass", 0.5)),
        (day + 150, Surface("loam", "grass", 1.0, season)),
    ]


def _other(work: Work, rng: np.random.Generator, years: range) -> list[tuple[int, Surface]]:
    """Return the states of something that tempts a detector and is no building site."""
    first, last = work.days[0], work.days[-1]
    if work.kind == "drying":
        shore = max(1, (last - first) // 6)
        return [(ALWAYS, Surface("water")), (first, Surface("turbid")), (first + shore, Surface("mud")),
            (first + 2 * shore, Surface("clay", bright=1.1)), (last, Surface("turbid")),
            (last + 40, Surface("water"))]  # fmt: skip
    if work.kind == "flood":
        return [(first, Surface("turbid")), (last, Surface("mud")), (last + 25, Surface("mud", "grass", 0.3)),
            (last + 60, Surface("loam", "grass", 1.0, wild_season(rng, years, 45.0, 0.35, 0.85)))]  # fmt: skip
    season = wild_season(rng, years, 45.0, 0.3, 0.8)
    return [(first, Surface("litter", "grass", 0.15)), (first + 60, Surface("litter", "grass", 0.35)),
        (first + 150, Surface("litter", "grass", 0.85, season))]  # fmt: skip
