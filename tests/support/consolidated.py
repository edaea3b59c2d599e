"""Sites of fragments in memory, in a form that can be compared."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import shapely
from scipy import ndimage

from geowatch.consolidate.decided import Decided
from geowatch.consolidate.joins import Seams
from geowatch.consolidate.phases import PhaseModel
from geowatch.consolidate.shelf import Shelf
from geowatch.consolidate.terms import NO_DAY, Rules, Terms
from geowatch.consolidate.whole_region import Consolidation, order_of
from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.sites.fragment import FULL_SCORE, Fragment
from geowatch.track.search import Search
from geowatch.track.timewise import Aggregate
from support.tracked import BYTES, ArrayPlanes

TEN_METRES = Lattice("EPSG:32618", -10.0, 10.0)


def search_for(mode: str = "footprint", times: int = 1, connectivity: int = 4, **more: object) -> Search:
    return Search(
        mode=mode,
        planes=tuple(range(times)),
        days=tuple(range(0, 16 * times, 16)),
        aggregate=Aggregate.parse("mean"),
        connectivity=connectivity,
        **({"salient": (0,), "low": FULL_SCORE // 2, "high": FULL_SCORE // 2} | more),
    )


def planes_of(rows: list[str] | np.ndarray, y: int = 0, x: int = 0) -> ArrayPlanes:
    """Return planes in which ``#`` has score 1 and ``.`` score 0, or an array (T, K, H, W) of stored values."""
    if isinstance(rows, list):
        mask = np.array([[mark == "#" for mark in row] for row in rows])
        rows = (mask * 254).astype(np.uint8)[None, None]
    return ArrayPlanes(rows, PixelBox(y, x, y + rows.shape[2], x + rows.shape[3]))


def blobs(seed: int, shape: tuple[int, int, int, int], smooth_px: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rough = ndimage.gaussian_filter(rng.random(shape), (0.5, 0, smooth_px, smooth_px), mode="wrap")
    rough = (rough - rough.min()) / max(1e-9, float(np.ptp(rough)))
    stored = np.rint(rough * 254).astype(np.uint8)
    hidden = ndimage.gaussian_filter(rng.random((shape[0], *shape[2:])), (0, 1, 1)) < 0.44
    stored[np.broadcast_to(hidden[:, None], shape)] = BYTES.fill
    return stored


def blinks(seed: int, shape: tuple[int, int, int, int]) -> np.ndarray:
    """Return boxes that every second date misses, more or less, that move now and then, and stripes of cloud."""
    times, _, height, width = shape
    rng = np.random.default_rng(seed)
    stored = np.zeros(shape, np.uint8)
    for _ in range(rng.integers(2, 7)):
        y, x, h, w = (int(each) for each in rng.integers(0, (height, width, 5, 6)))
        for time in range(times):
            if rng.random() < 0.5:
                stored[time, :, y : y + h + 1, x : x + w + 1] = 230
            if rng.random() < 0.15:
                y, x = max(0, y + int(rng.integers(-1, 2))), max(0, x + int(rng.integers(-1, 2)))
    for time in np.flatnonzero(rng.random(times) < 0.3):
        at = int(rng.integers(0, height))
        stored[time, :, at : at + 6] = BYTES.fill
    return stored


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
        split_days=search.split_days,
    )


def consolidated(
    fragments: Sequence[Fragment], terms: Terms, rules: Rules, model: PhaseModel | None = None, simplify: float = 0.0
) -> Decided:
    """Return the sites of one grid's fragments, in the order in which they are numbered."""
    with tempfile.TemporaryDirectory() as folder:
        shelf = Shelf(Path(folder), len(terms.classes))
        for sites in _sites(Consolidation(terms, rules, model, simplify), fragments):
            shelf.add(sites)
        taken = shelf.take(order_of(shelf.rows))
        shelf.close()
    return taken


def left_out(fragments: Sequence[Fragment], terms: Terms, rules: Rules) -> dict[str, int]:
    """Return how many candidates are no sites, by reason."""
    work = Consolidation(terms, rules)
    list(_sites(work, fragments))
    return {reason: count for reason, count in work.left_out.items() if count}


def _sites(work: Consolidation, fragments: Sequence[Fragment]) -> Iterator[Decided]:
    tiles = np.array([(each.tile.iy, each.tile.ix) for each in fragments], dtype=np.int32).reshape(-1, 2)
    seams = Seams.of(tiles[:, 0], tiles[:, 1], work.terms.connectivity)
    places = np.lexsort((tiles[:, 1], tiles[:, 0]))
    return work.sites(0, seams, ((place, fragments[at]) for place, at in enumerate(places.tolist())))


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


__all__ = [
    "NO_DAY", "TEN_METRES", "blinks", "blobs", "consolidated", "contents", "left_out", "outline_of", "pixels_of",
    "planes_of", "search_for", "terms_of",
]  # fmt: skip
