"""gw consolidate --previous: a series cut into runs that follow each other, against one run of all its dates."""

from __future__ import annotations

import itertools
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from support.consolidated import blobs
from support.tracked import ArrayPlanes
from support.tracked_run import tracked_run

from geowatch.grid.lattice import PixelBox
from geowatch.stages import site_looks
from geowatch.stages.consolidate import ConsolidateConfig, consolidate
from geowatch.stages.site_tables import FOOTPRINTS, OBSERVATIONS, SITES
from geowatch.store import LocalStore

Y, X = -3000, 40000
calm = settings(deadline=None, max_examples=20, phases=[Phase.explicit, Phase.reuse, Phase.generate])


@dataclass
class Result:
    """Tables of a run, by the key of each site."""

    store: LocalStore
    sites: dict[str, dict] = field(default_factory=dict)
    seen: dict[str, list[dict]] = field(default_factory=lambda: defaultdict(list))
    pixels: dict[str, set] = field(default_factory=lambda: defaultdict(set))

    @classmethod
    def of(cls, store: LocalStore) -> Result:
        out = cls(store)
        tables = [pa.ipc.open_file(store.get(key)).read_all().to_pylist() for key in (SITES, OBSERVATIONS, FOOTPRINTS)]
        keys = {site["number"]: site["key"] for site in tables[0]}
        ids = {site["site_id"]: site["key"] for site in tables[0]}
        out.sites = {site["key"]: site for site in tables[0]}
        assert len(out.sites) == len(tables[0])
        for row in tables[1]:
            out.seen[ids[row["site_id"]]].append(row)
        for row in tables[2]:
            out.pixels[keys[row["number"]]] |= {(row["grid"], row["y"], x) for x in range(row["x0"], row["x1"])}
        return out

    def content(self, key: str, *, without: tuple[str, ...] = ()) -> tuple[dict, list[dict]]:
        """Return all that is said of a site but its number, and the places of its dates on the axis."""
        leave = ("site_id", "number", "time", *without)
        seen = [{name: value for name, value in row.items() if name not in leave} for row in self.seen[key]]
        return {name: value for name, value in self.sites[key].items() if name not in leave}, seen


@dataclass
class Series:
    """Planes of a region, and runs over some of its dates."""

    stored: np.ndarray
    asked: dict
    rules: dict
    folder: Path
    days: list[int] = field(default_factory=list)
    scores: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.days = self.days or [17000 + 16 * t for t in range(len(self.stored))]

    def run(self, first: int, after: int, tile_px: int, previous: Result | None = None, **more: object) -> Result:
        height, width = self.stored.shape[2:]
        planes = ArrayPlanes(self.stored[first:after], PixelBox(Y, X, Y + height, X + width))
        folder = self.folder / f"{len(list(self.folder.iterdir()))}"
        store = tracked_run(folder, planes, self.days[first:after], tile_px, **self.asked)
        self.scores[store.url] = planes
        config = {"deliver": False, "region_id": "ZZ_R001", **self.rules, **more}
        before = None if previous is None else str(previous.store.root)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(site_looks, "opened", self.opened)
            consolidate(ConsolidateConfig(run=str(store.root), previous=before, **config))
        return Result.of(store)

    def opened(self, run: str, digest: str) -> SimpleNamespace:
        """Stand in for the heatmaps of runs: the planes that they were tracked on."""
        return SimpleNamespace(planes=defaultdict(lambda: self.scores[run]))

    def chain(self, cuts: list[int], overlaps: list[int], tile_px: list[int]) -> list[Result]:
        """Return runs that follow each other: each goes on where the one before ends, less some dates."""
        made: list[Result] = []
        for step, (first, after) in enumerate(itertools.pairwise([0, *cuts, len(self.stored)])):
            start = max(0, first - overlaps[step]) if step else 0
            made.append(self.run(start, after, tile_px[step], made[-1] if made else None))
        return made


@st.composite
def cut_series(draw, least=3, most=7):
    times = draw(st.integers(least, most))
    stored = blobs(
        draw(st.integers(0, 10_000)), (times, draw(st.integers(1, 2)), 14, 16), draw(st.sampled_from([0.5, 1.0]))
    )
    if draw(st.booleans()):
        hide = draw(st.lists(st.tuples(st.integers(0, times - 1), st.integers(0, 1)), max_size=3))
        for time, half in hide:
            stored[time, :, :, 8 * half : 8 * half + 8] = 255
    cuts = sorted(draw(st.sets(st.integers(1, times - 1), min_size=1, max_size=3)))
    overlaps = [draw(st.sampled_from([0, 0, 1, 2, 99])) for _ in range(len(cuts) + 1)]
    tiles = [draw(st.sampled_from([3, 5, 64])) for _ in range(len(cuts) + 1)]
    return stored, cuts, overlaps, tiles


@settings(calm, max_examples=40)
@given(
    cut_series(),
    st.fixed_dictionaries(
        {
            "low": st.sampled_from([0.4, 0.5]),
            "high": st.sampled_from([0.5, 0.6]),
            "connectivity": st.sampled_from([4, 8]),
            "subpixel": st.booleans(),
        }
    ),
    st.fixed_dictionaries(
        {
            "min_area": st.sampled_from([0, 500]),
            "max_area": st.sampled_from([None, 3000]),
            "min_days": st.sampled_from([0, 20]),
            "max_days": st.sampled_from([None, 40]),
            "min_score": st.sampled_from([0, 0.55]),
            "fill_holes": st.sampled_from([0, 150]),
            "link_overlap": st.sampled_from([0, 0.3]),
        }
    ),
)
def test_linked_sites_of_runs_that_follow_each_other_are_those_of_one_run(cut, asked, rules):
    stored, cuts, overlaps, tiles = cut
    with tempfile.TemporaryDirectory() as folder:
        series = Series(stored, {"mode": "linked", **asked}, rules, Path(folder))
        whole = series.run(0, len(stored), 64)
        runs = series.chain(cuts, overlaps, tiles)
    same_as_whole(whole, runs)


def same_as_whole(whole: Result, runs: list[Result]) -> None:
    """Compare. What was two sites in an earlier run, and is one from the beginning in the whole, stays two."""
    last = runs[-1]
    merged = {key for key in last.sites if key not in whole.sites and "merge" in (last.sites[key]["events"] or "")}
    apart = set().union(*(last.pixels[key] for key in merged))
    for key in whole.sites:
        if whole.pixels[key].isdisjoint(apart):
            assert last.content(key) == whole.content(key)
    if not merged:
        assert last.sites.keys() == whole.sites.keys()
    for one, other in itertools.pairwise(runs):
        for key in one.sites.keys() & other.sites.keys():
            assert one.sites[key]["number"] == other.sites[key]["number"]
