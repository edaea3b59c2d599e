"""What a command says of what it made: a headline with counts, the few files that people open first, and the folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from gw_cli.words import counted

if TYPE_CHECKING:
    from geowatch.stages.consolidate import Consolidated
    from geowatch.stages.stitch import Stitched

__all__ = ["folded", "maps_made", "sites_made"]

#: What people open of a map, and of sites, where it was made.
_OF_A_MAP = ("map.tif", "quicklook.png", "objects.parquet", "coverage.json")
_OF_SITES = ("sites/sites.parquet", "sites/sites.gpkg", "sites/region_models/", "sites/report.html")
#: So many lines are shown as they are.
_FEW = 10


def maps_made(done: Stitched) -> Iterator[str]:
    """Yield lines on maps; those of several dates, zones or heads are named by their folder."""
    where = "" if done.maps == 1 else ", over all of them"
    missing = f"; {counted(done.missing, 'tile')} missing" if done.missing else ""
    # A network that gives boxes alone makes pictures of them, and no map.
    kind = "map" if any(name.startswith("map") for name in done.files) else "picture"
    yield f"{counted(done.maps, kind)}, {_share(done.coverage)} of the region has scores{where}{missing}"
    yield from (f"{done.run}/{name}" for name in _OF_A_MAP if name in done.files)
    if done.maps > 1:
        yield f"{done.run}/"


def sites_made(done: Consolidated) -> Iterator[str]:
    """Yield lines on sites."""
    left_out = sum(done.left_out.values())
    others = f"; {counted(left_out, 'place')} left out" if left_out else ""
    missing = f"; {counted(done.missing, 'tile')} missing" if done.missing else ""
    yield f"{counted(done.sites, 'site')} with {counted(done.observations, 'observation')}{others}{missing}"
    yield from (f"{done.run}/{key}" for key in _OF_SITES if any(name.startswith(key) for name in done.files))
    yield f"{done.run}/sites/"


def _share(share: float) -> str:
    """Return a share of one decimal that is 0% and 100% only where it is.

    >>> [_share(share) for share in (0, 0.0001, 0.5, 0.99999, 1)]
    ['0%', '0.1%', '50.0%', '99.9%', '100%']
    """
    if share in {0, 1}:
        return f"{share:.0%}"
    return f"{min(max(share, 0.001), 0.999):.1%}"


def folded(paths: Sequence[str]) -> Iterator[str]:
    """Yield a few paths as they are, many of them by their folders with how many lie there.

    >>> list(folded(["a/1", "a/2", "b"])), list(folded([f"a/{n}" for n in range(2000)] + ["b"]))
    (['a/1', 'a/2', 'b'], ['a/: 2,000 objects', 'b'])
    """
    if len(paths) <= _FEW:
        yield from paths
        return
    folders = Counter(path.rpartition("/")[0] for path in paths)
    for path in dict.fromkeys(_folder(path) if folders[path.rpartition("/")[0]] > 1 else path for path in paths):
        inside = folders[path.rstrip("/")] if path.endswith("/") else 0
        yield f"{path}: {counted(inside, 'object')}" if inside else path


def _folder(path: str) -> str:
    folder = path.rpartition("/")[0]
    return f"{folder}/" if folder else path
