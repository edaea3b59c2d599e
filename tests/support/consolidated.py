"""Sites of fragments in memory, in a form that can be compared."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import shapely

from geowatch.consolidate.decided import Decided
from geowatch.consolidate.joins import Seams
from geowatch.consolidate.phases import PhaseModel
from geowatch.consolidate.shelf import Shelf
from geowatch.consolidate.terms import NO_DAY, Rules, Terms
from geowatch.consolidate.whole_region import Consolidation, order_of
from geowatch.grid.lattice import Lattice
from geowatch.sites.fragment import Fragment
from geowatch.track.search import Search

TEN_METRES = Lattice("EPSG:32618", -10.0, 10.0)


def terms_of(search: Search, classes: int, days: Sequence[int], lattice: Lattice = TEN_METRES) -> Terms:
    """Return what consolidation must know of a search; ``days`` is that of each place on the time axis."""
    names = tuple(f"class {number}" for number in range(classes))
    return Terms(
        mode=search.mode,
        grids=("g",),
        lattices=(lattice,),
        days=(np.array(days, dtype=np.int64),),
        planes=(np.array(search.planes, dtype=np.int64),),
        classes=names,
        salient=search.salient,
        kinds=names if search.mode == "polygons" else (None,),
        connectivity=search.connectivity,
    )


def consolidated(fragments: Sequence[Fragment], terms: Terms, rules: Rules, model: PhaseModel | None = None) -> Decided:
    """Return the sites of one grid's fragments, in the order in which they are numbered."""
    tiles = np.array([(each.tile.iy, each.tile.ix) for each in fragments], dtype=np.int32).reshape(-1, 2)
    seams = Seams.of(tiles[:, 0], tiles[:, 1], terms.connectivity)
    places = np.lexsort((tiles[:, 1], tiles[:, 0]))
    with tempfile.TemporaryDirectory() as folder:
        shelf = Shelf(Path(folder), len(terms.classes))
        ordered = ((place, fragments[at]) for place, at in enumerate(places.tolist()))
        for sites in Consolidation(terms, rules, model).sites(0, seams, ordered):
            shelf.add(sites)
        taken = shelf.take(order_of(shelf.rows))
        shelf.close()
    return taken


def contents(sites: Decided) -> list[bytes]:
    """Return everything that sites are, as bytes."""
    columns = ("rows", "runs", "runs_start", "seen", "seen_start", "shapes", "shapes_start", "events", "events_start")
    return [getattr(sites, name).tobytes() for name in columns] + sites.outlines.to_list()


def pixels_of(sites: Decided, site: int) -> set[tuple[int, int]]:
    """Return the pixels of a site."""
    runs = sites.runs[sites.runs_start[site] : sites.runs_start[site + 1]]
    return {(y, x) for _, y, x0, x1 in runs.tolist() for x in range(x0, x1)}


def outline_of(sites: Decided, site: int) -> shapely.Geometry:
    """Return the outline of a site."""
    return shapely.from_wkb(sites.outlines.to_list()[site])


__all__ = ["NO_DAY", "TEN_METRES", "consolidated", "contents", "outline_of", "pixels_of", "terms_of"]
