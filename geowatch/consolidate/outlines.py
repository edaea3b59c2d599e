"""Outlines of places in coordinates: pixel edges as they are, in the grid's CRS or in degrees."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geowatch.grid.crs import to_lonlat
from geowatch.grid.trace import Rings, trace
from geowatch.grid.wkb import Wkb, outlines_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.consolidate.candidates import Places
    from geowatch.consolidate.terms import Terms
    from geowatch.grid.areas import Areas, Ints
    from geowatch.grid.lattice import Lattice

__all__ = ["GLOBE", "crs_of", "site_wkb", "wkb_of"]

#: CRS of outlines where a run has several grids.
GLOBE = "EPSG:4326"


def crs_of(terms: Terms) -> str | None:
    """Return the CRS of outlines: the grid's where there is one, else longitude and latitude."""
    return terms.lattices[0].crs if len(terms.lattices) == 1 else GLOBE


def site_wkb(places: Places, terms: Terms, simplify: float = 0.0) -> Wkb:
    """Return the outline of each owner from those of its places; places on several grids are united."""
    wkb = wkb_of(places.areas, places.grid, terms, simplify)
    several = np.bincount(places.owner) > 1
    if not several.any():
        return wkb
    shared = several[places.owner]
    shapes = shapely.from_wkb(wkb.take(np.flatnonzero(shared)).to_list())
    owner = places.owner[shared]
    first = np.flatnonzero(np.append(True, owner[1:] != owner[:-1]))
    united = [shapely.union_all(part) for part in np.split(shapes, first[1:])]
    alone = np.flatnonzero(~shared)
    joined = _written(shapely.normalize(np.array(united, dtype=object)))
    return _in_order([(places.owner[alone], wkb.take(alone)), (owner[first], joined)])


def wkb_of(areas: Areas, grid: NDArray[np.integer], terms: Terms, simplify: float = 0.0) -> Wkb:
    """Return the outline of each owner; each must have a pixel.

    Args:
        areas: Pixels of owners.
        grid: Grid of each owner.
        terms: Names the grids' lattices.
        simplify: Corners may move by this much, in units of the lattice's CRS; 0 keeps every pixel edge. Each
            outline is simplified by itself and stays valid; neighbours may come to overlap.
    """
    rings = trace(areas)
    if len(terms.lattices) == 1:
        return _simple(_wkb(rings, terms.lattices[0]), simplify)
    parts = [
        (owners, _simple(_wkb(_of_owners(rings, owners), lattice, globe=True, simplify=simplify), 0.0))
        for number, lattice in enumerate(terms.lattices)
        for owners in [np.flatnonzero(grid == number)]
        if len(owners)
    ]
    return _in_order(parts)


def _wkb(rings: Rings, lattice: Lattice, *, globe: bool = False, simplify: float = 0.0) -> Wkb:
    outlines = outlines_of(rings, lattice)
    if not globe or lattice.crs is None:
        return outlines.to_wkb()
    if simplify:
        shapes = shapely.from_wkb(_simple(outlines.to_wkb(), simplify).to_list())
        crs = lattice.crs
        return _written(shapely.transform(shapes, lambda points: to_lonlat(points, crs)))
    return replace(outlines, points=to_lonlat(outlines.points, lattice.crs)).to_wkb()


def _simple(wkb: Wkb, tolerance: float) -> Wkb:
    if not tolerance or not len(wkb):
        return wkb
    return _written(shapely.simplify(shapely.from_wkb(wkb.to_list()), tolerance, preserve_topology=True))


def _written(shapes: NDArray[np.object_]) -> Wkb:
    content = shapely.to_wkb(shapes, byte_order=1).tolist()
    start = np.concatenate([[0], np.cumsum([len(each) for each in content])]).astype(np.int64)
    return Wkb(np.frombuffer(b"".join(content), dtype=np.uint8), start)


def _of_owners(rings: Rings, owners: Ints) -> Rings:
    """Return the rings of some owners, numbered by their place among them."""
    number = np.full(int(rings.part_owner.max()) + 1, -1)
    number[owners] = np.arange(len(owners))
    keeps = number[rings.part_owner] >= 0
    kept = rings.keep(keeps[rings.part])
    part = (np.cumsum(keeps) - 1)[kept.part]
    return replace(kept, part=part, part_owner=number[rings.part_owner[keeps]])


def _in_order(parts: list[tuple[Ints, Wkb]]) -> Wkb:
    if not parts:
        return Wkb(np.zeros(0, dtype=np.uint8), np.zeros(1, dtype=np.int64))
    owners = np.concatenate([at for at, _ in parts])
    content = np.concatenate([wkb.content for _, wkb in parts])
    sizes = np.concatenate([np.diff(wkb.start) for _, wkb in parts])
    joined = Wkb(content, np.concatenate([[0], np.cumsum(sizes)]))
    return joined.take(np.argsort(owners))
