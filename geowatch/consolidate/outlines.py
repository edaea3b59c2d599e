"""Outlines of places in coordinates: pixel edges as they are, in the grid's CRS or in degrees."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geowatch.consolidate.across import parts_of, united
from geowatch.grid.antimeridian import HALF_TURN, cut
from geowatch.grid.crs import to_lonlat
from geowatch.grid.trace import trace
from geowatch.grid.wkb import Outlines, Wkb, outlines_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.consolidate.across import Parts
    from geowatch.consolidate.candidates import Places
    from geowatch.consolidate.terms import Terms
    from geowatch.grid.areas import Ints
    from geowatch.grid.lattice import Lattice

__all__ = ["GLOBE", "crs_of", "site_wkb"]

#: CRS of outlines where a run has several grids.
GLOBE = "EPSG:4326"


def crs_of(terms: Terms) -> str | None:
    """Return the CRS of outlines: the grid's where there is one, else longitude and latitude."""
    return terms.lattices[0].crs if len(terms.lattices) == 1 else GLOBE


def site_wkb(places: Places, terms: Terms, simplify: float = 0.0) -> Wkb:
    """Return the outline of each owner from those of its places; places on several grids are united.

    Args:
        places: Pixels of owners; each place must have a pixel.
        terms: Names the grids' lattices.
        simplify: Corners may move by this much, in units of the lattice's CRS; 0 keeps every corner. Each outline is
            simplified by itself and stays valid; neighbours may come to overlap.
    """
    several = np.bincount(places.owner) > 1
    if not several.any():
        return _place_wkb(places, terms, simplify)
    alone = _place_wkb(places.take(~several), terms, simplify)
    joined = [_joined(parts, terms, simplify) for parts in parts_of(places, terms)]
    across = _written(shapely.normalize(cut(np.array(joined, dtype=object))))
    return _in_order([(np.flatnonzero(~several), alone), (np.flatnonzero(several), across)])


def _joined(parts: Parts, terms: Terms, simplify: float) -> shapely.Geometry:
    """Return the outline of an owner on several grids, in degrees."""
    crs, whole = terms.lattices[parts.grids[0]].crs, united(parts, terms)
    if simplify:
        whole = shapely.simplify(whole, simplify, preserve_topology=True)
    return whole if crs is None else shapely.transform(whole, lambda points: to_lonlat(points, crs))


def _place_wkb(places: Places, terms: Terms, simplify: float) -> Wkb:
    """Return the outline of each place."""
    if len(terms.lattices) == 1:
        return _simple(_drawn(places, terms.lattices[0]).to_wkb(), simplify)
    parts = [
        (np.flatnonzero(there), _on_globe(places.on(there), lattice, simplify))
        for number, lattice in enumerate(terms.lattices)
        for there in [places.grid == number]
        if there.any()
    ]
    return _in_order(parts)


def _drawn(places: Places, lattice: Lattice) -> Outlines:
    return outlines_of(trace(places.areas), lattice, places.edges)


def _on_globe(places: Places, lattice: Lattice, simplify: float) -> Wkb:
    outlines, crs = _drawn(places, lattice), lattice.crs
    if crs is None:
        return outlines.to_wkb()
    if simplify:
        shapes = shapely.from_wkb(_simple(outlines.to_wkb(), simplify).to_list())
        return _written(cut(shapely.transform(shapes, lambda points: to_lonlat(points, crs))))
    points = to_lonlat(outlines.points, crs)
    wkb = replace(outlines, points=points).to_wkb()
    if len(points) and np.ptp(points[:, 0]) > HALF_TURN:  # nearly always: nothing is near the antimeridian
        return _written(cut(shapely.from_wkb(wkb.to_list())))
    return wkb


def _simple(wkb: Wkb, tolerance: float) -> Wkb:
    if not tolerance or not len(wkb):
        return wkb
    return _written(shapely.simplify(shapely.from_wkb(wkb.to_list()), tolerance, preserve_topology=True))


def _written(shapes: NDArray[np.object_]) -> Wkb:
    # GEOS leaves exteriors clockwise where it unites, cuts or sorts; those of single grids are not.
    content = shapely.to_wkb(shapely.orient_polygons(shapes, exterior_cw=False), byte_order=1).tolist()
    start = np.concatenate([[0], np.cumsum([len(each) for each in content])]).astype(np.int64)
    return Wkb(np.frombuffer(b"".join(content), dtype=np.uint8), start)


def _in_order(parts: list[tuple[Ints, Wkb]]) -> Wkb:
    if not parts:
        return Wkb(np.zeros(0, dtype=np.uint8), np.zeros(1, dtype=np.int64))
    owners = np.concatenate([at for at, _ in parts])
    content = np.concatenate([wkb.content for _, wkb in parts])
    sizes = np.concatenate([np.diff(wkb.start) for _, wkb in parts])
    joined = Wkb(content, np.concatenate([[0], np.cumsum(sizes)]))
    return joined.take(np.argsort(owners))
