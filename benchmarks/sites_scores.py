"""Scores of building sites that are found in simulated series: the table of docs/guides/evaluate-sites.md.

    python -m benchmarks.sites_scores                            all cases that need no documents, one after the other
    python -m benchmarks.sites_scores --smart ../shared/data/smart    those over real regions, too
    python -m benchmarks.sites_scores --only seasons --only adjacent  some

Each case is ``gw demo sites`` with one thing changed, over its seeds; found, missed and false sites are added up, and
F1 is that of the sums. Runs stay under ``--work`` and go on where they were stopped. Every image is simulated: over
real regions only the outlines and days of sites are real. Small and adjacent sites are given as documents, on open
land of the made-up landscape, as the sites of the other made-up regions are.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from shapely.geometry import box

from benchmarks.session import WORK
from geowatch.datasets.simulation.places import lonlat_of, outline_of
from geowatch.datasets.simulation.scenario import SimulationSpec, made_up_place
from geowatch.datasets.simulation.smart_world import smart_world
from geowatch.sites.model import PHASES, Observation, RegionModel, Site
from geowatch.sites.smart import dump, region_document, site_document
from geowatch.stages.demo import simulating
from geowatch.stages.demo.config import DemoSitesConfig
from geowatch.stages.demo.sites import demo_sites
from geowatch.stages.model.packages import PackageConfig, package_model

SEEDS = (201, 202, 203, 204, 205)
_FIRST, _LAST = date(2017, 1, 1), date(2020, 12, 31)
#: Where the sites of a case with documents begin, as days since the series does, and how long their phases are.
_BEGINS, _PREPARED_DAYS, _BUILT_DAYS, _LOOK_DAYS = (330, 800), 90, 300, 45
_OPEN_LAND, _MOSTLY = 3, 0.85


@dataclass(frozen=True)
class Case:
    """A row of the table."""

    title: str
    """What is changed."""
    asked: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `DemoSitesConfig`."""
    seeds: tuple[int, ...] = (101,)
    """Seeds, added up."""
    flaws: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `SimulationSpec` that the demonstration has no option for."""
    sides_px: tuple[int, int] | None = None
    """Sites are given as documents: width and height of each in pixels."""
    gap_px: int | None = None
    """Each of those has a neighbour that is built on after it, so far to its east."""
    region: str | None = None
    """A real region."""
    summaries: bool = False
    """Its sites are taken from the summaries in its region model: no site models of it are at hand."""


SMALL: dict[str, Any] = {"size_px": 256, "tiles": 4}
CASES: dict[str, Case] = {
    "plain": Case("made up, 5 seeds (201 to 205), 4 years, 40% cloudy", seeds=SEEDS),
    "cloudy": Case("made up, 60% cloudy", {**SMALL, "cloudy": 0.6}),
    "jitter": Case("made up, images half a pixel off (deviation)", SMALL, flaws={"jitter_px": 0.5}),
    "noise": Case("made up, noise doubled", SMALL, flaws={"noise": 2.0}),
    "radiometry": Case("made up, sensors 4 to 8% off in each band (deviation)", SMALL, flaws={"radiometry": 4.0}),
    "seasons": Case("made up, 62° north: short summers, long shadows", {**SMALL, "lat": 62.0}),
    "small": Case("made up, sites of 24 pixels (1 ha)", {**SMALL, "resolution": 20.0}, sides_px=(6, 4)),
    "adjacent": Case("made up, pairs that touch, built on one after the other", SMALL, sides_px=(16, 14), gap_px=0),
    "near": Case("made up, pairs 40 m apart, built on one after the other", SMALL, sides_px=(16, 14), gap_px=4),
    "BR_R002": Case(
        "BR_R002, 2014 to 2021, every 20 days", {"resolution": 20.0, "revisit_days": 20}, (0,), region="BR_R002"
    ),
    "BR_R002-short": Case(
        "BR_R002, mid 2017 to 2019, every 15 days",
        {"resolution": 20.0, "revisit_days": 15, "start": "2017-06-01", "end": "2019-12-31"}, (0,), region="BR_R002",
    ),
    "KR_R002": Case(
        "KR_R002, 2014 to 2021, every 20 days", {"resolution": 20.0, "revisit_days": 20}, (0,), region="KR_R002"
    ),
    "BR_R005": Case(
        "BR_R005 (35 km by 29 km, from summaries), every 30 days", {"resolution": 60.0, "revisit_days": 30}, (0,),
        region="BR_R005", summaries=True,
    ),
}  # fmt: skip


def measure(name: str, work: Path, smart: Path | None = None) -> dict[str, Any]:
    """Run a case over its seeds; return its row."""
    case, counts = CASES[name], [0, 0, 0]
    for seed in case.seeds:
        out = work / f"{name}-{seed}"
        config = DemoSitesConfig(out=str(out), seed=seed, model=_package(work), workers=1, **case.asked)
        if case.region and smart:
            model = smart / f"region_models/{case.region}.geojson"
            truth = () if case.summaries else (str(smart / "site_models"),)
            config = replace(config, region=str(model), truth=truth)
        elif case.sides_px:
            config = _documented(case, config, work / f"{name}-{seed}-documents")
        with _flawed(case.flaws):
            figures = demo_sites(config).figures
        counts = [k + figures[key] for k, key in zip(counts, ("tp sites", "fn sites", "fp sites"), strict=True)]
    found, missed, false = counts
    score = 2 * found / max(1, 2 * found + missed + false)
    pixel = DemoSitesConfig(**case.asked).resolution
    return {"title": case.title, "pixel_m": pixel, "found": found, "missed": missed, "false": false, "f1": score,
        "seeds": case.seeds}  # fmt: skip


def _package(work: Path) -> str:
    target = work / "change-detector"
    if not (target / "manifest.json").exists():
        package_model(PackageConfig(net="change-detector", output=target))
    return str(target)


@contextmanager
def _flawed(flaws: Mapping[str, Any]) -> Iterator[None]:
    """Let simulations have flaws that users cannot ask for."""
    plain = simulating._spec  # noqa: SLF001 - the flaws are no business of the demonstration's users

    def spec(config: DemoSitesConfig, first: date, last: date) -> SimulationSpec:
        return replace(plain(config, first, last), **flaws)

    with mock.patch.object(simulating, "_spec", spec):
        yield


def _documented(case: Case, config: DemoSitesConfig, folder: Path) -> DemoSitesConfig:
    """Write a region and its sites as SMART documents, and ask for them."""
    spec = SimulationSpec(seed=config.seed, size_px=config.size_px, resolution_m=config.resolution)
    outline = outline_of(made_up_place(spec))
    region = RegionModel("ZZ_R901", outline, _FIRST, _LAST, (), "te", model_content="annotation")
    sites = list(_sites(case, region, replace(spec, start=_FIRST, end=_LAST)))
    files = {f"region_models/{region.id}": region_document(region)}
    files |= {f"site_models/{site.id}": site_document(site) for site in sites}
    for name, document in files.items():
        path = folder / f"{name}.geojson"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(dump(document))
    model = folder / f"region_models/{region.id}.geojson"
    return replace(config, region=str(model), truth=(str(folder / "site_models"),))


def _sites(case: Case, region: RegionModel, spec: SimulationSpec) -> Iterator[Site]:
    """Yield sites, or pairs of them, on a lattice of places that are mostly open land."""
    assert case.sides_px is not None
    world = smart_world(region, (), spec)
    cover, geobox = world.land.cover, world.scenario.geobox
    (width, height), gap = case.sides_px, case.gap_px
    whole = width if gap is None else 2 * width + gap
    number = 0
    for y in range(40, cover.shape[0] - 40 - height, 48):
        for x in range(40, cover.shape[1] - 40 - whole, 72):
            if (cover[y : y + height, x : x + whole] <= _OPEN_LAND).mean() <= _MOSTLY:
                continue
            for k in range(1 if gap is None else 2):
                west = x + k * (width + (gap or 0))
                begin = _FIRST + timedelta(days=_BEGINS[k] + 20 * (number % 5))
                place = lonlat_of(box(west, y, west + width, y + height), geobox)
                yield _site(f"{region.id}_{number:04d}", place, begin)
                number += 1


def _site(name: str, place: Any, begin: date) -> Site:  # noqa: ANN401 - a polygon
    """Return a true site that was looked at from a while before it began until it was done."""
    build = begin + timedelta(days=_PREPARED_DAYS)
    done = build + timedelta(days=_BUILT_DAYS)
    count = (done - begin).days // _LOOK_DAYS
    days = sorted({begin - timedelta(days=20), build, done, *(begin + timedelta(_LOOK_DAYS * k) for k in range(count))})
    seen = tuple(
        Observation(day, place, (PHASES[sum(day >= first for first in (begin, build, done))],)) for day in days
    )
    return Site(name, place, "positive_annotated", days[0], done, seen, originator="te", model_content="annotation")


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as a table of the guide."""
    heads = ("series (simulated)", "pixel", "found", "missed", "false", "F1")
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    for row in rows:
        counts = " | ".join(str(row[key]) for key in ("found", "missed", "false"))
        seed = f" (seed {row['seeds'][0]})" if row["seeds"] == (101,) else ""
        lines.append(f"| {row['title']}{seed} | {row['pixel_m']:.0f} m | {counts} | {row['f1']:.2f} |")
    return "\n".join(lines)


def main(words: Sequence[str] | None = None) -> None:
    """Measure the cases that are asked for, print the table, and keep the rows."""
    parser = argparse.ArgumentParser(description="Scores of sites found in simulated series.")
    parser.add_argument("--only", action="append", choices=CASES, help="one case; may be repeated")
    parser.add_argument("--smart", type=Path, help="folder with region_models and site_models")
    parser.add_argument("--work", type=Path, default=WORK / "sites_scores", help="folder of the runs")
    asked = parser.parse_args(words)
    names = asked.only or [name for name, case in CASES.items() if asked.smart or not case.region]
    if not asked.smart and any(CASES[name].region for name in names):
        parser.error("real regions need --smart")
    rows = {}
    for name in names:
        rows[name] = measure(name, asked.work, asked.smart)
        (asked.work / "scores.json").write_text(json.dumps(rows, indent=1) + "\n")
    print(table(list(rows.values())))


if __name__ == "__main__":
    main()
