"""Series of made-up planes that are cut into runs which go on with each other."""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from geowatch.grid.lattice import PixelBox
from geowatch.stages.consolidate import ConsolidateConfig, consolidate
from geowatch.stages.sites import looks as site_looks
from geowatch.stages.sites.tables import FOOTPRINTS, OBSERVATIONS, SITES
from geowatch.stages.working.events import Silent
from geowatch.store import LocalStore
from support.tracked import ArrayPlanes
from support.tracked_run import tracked_run

Y, X = -3000, 40000
EPOCH = date(1970, 1, 1)


class Noting(Silent):
    """Keeps what is told."""

    def __init__(self, notes: list[str] | None) -> None:
        self.notes = [] if notes is None else notes

    def note(self, text: str, **_: object) -> None:
        self.notes.append(text)


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
        notes = more.pop("notes", None)
        config = {"deliver": False, "region_id": "ZZ_R001", **self.rules, **more}
        before = None if previous is None else str(previous.store.root)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(site_looks, "opened", self.opened)
            consolidate(ConsolidateConfig(run=str(store.root), previous=before, **config), Noting(notes))
        return Result.of(store)

    def of(
        self, dates: list[int], stored: np.ndarray, tile_px: int, previous: Result | None = None,
        notes: list[str] | None = None,
    ) -> Result:  # fmt: skip
        """Return a run of some dates, of planes that may be others than the series'."""
        mine = replace(self, stored=stored, days=[self.days[date] for date in dates])
        return mine.run(0, len(dates), tile_px, previous, notes=notes)

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


def same_as_whole(whole: Result, runs: list[Result]) -> None:
    """Compare. What was two sites in an earlier run, and is one from the beginning in the whole, stays two.

    A site keeps its name where a place joins it that was none in the earlier run, and would have named it.
    """
    last = runs[-1]
    named = {key: key if key in last.sites else same_place(whole.pixels[key], runs) for key in whole.sites}
    merged = {key for key in last.sites.keys() - named.values() if "merge" in (last.sites[key]["events"] or "")}
    apart = set().union(*(last.pixels[key] for key in merged))
    for key, name in named.items():
        if whole.pixels[key].isdisjoint(apart):
            without = () if key == name else ("key",)
            assert last.content(name, without=without) == whole.content(key, without=without)
    if not merged:
        assert last.sites.keys() == set(named.values())
    for one, other in itertools.pairwise(runs):
        for key in one.sites.keys() & other.sites.keys():
            assert one.sites[key]["number"] == other.sites[key]["number"]


def same_place(pixels: set, runs: list[Result]) -> str | None:
    """Return the name of a site that goes on with one of an earlier run, and has just these pixels."""
    before = set().union(*(run.sites for run in runs[:-1]))
    return next((key for key in sorted(before & runs[-1].sites.keys()) if runs[-1].pixels[key] == pixels), None)


PHASES = ("No Activity", "Site Preparation", "Active Construction", "Post Construction")
#: Fixed outlines: boxes of pixels that no date changes.
BOXES = ((1, 1, 4, 4), (1, 8, 3, 14), (7, 2, 12, 6), (9, 10, 12, 12))


def scene(courses: list[list[int | None]]) -> np.ndarray:
    """Return planes of four phases: each box shows one phase a date, or nothing (None)."""
    stored = np.zeros((len(courses[0]), 4, 14, 16), np.uint8)
    stored[:, 0] = 254
    for (y0, x0, y1, x1), course in zip(BOXES, courses, strict=False):
        for time, phase in enumerate(course):
            part = stored[time, :, y0:y1, x0:x1]
            part[:] = 255 if phase is None else np.where(np.arange(4) == phase, 230, 8)[:, None, None]
    return stored


def fixed(courses: list[list[int | None]], folder: str, **rules: object) -> Series:
    asked = {"aggregate": "max", "low": 0.5, "high": 0.5, "salient": PHASES[1:3], "subpixel": True}
    series = Series(scene(courses), asked, rules, Path(folder))
    series.asked["classes"] = PHASES
    return series


def one_box(tmp_path: Path, *courses: list[int | None], **rules: object) -> Series:
    return fixed(list(courses), str(tmp_path), **rules)


def day(when: date) -> int:
    return (when - EPOCH).days


def rows_of(*frames: str) -> np.ndarray:
    """Return planes of one row: ``#`` scores, ``?`` is hidden."""
    stored = {"#": 230, ".": 0, "?": 255}
    return np.array([[[[stored[mark] for mark in frame]]] for frame in frames], np.uint8)
