"""Scores of every region at hand against proposals that are wrong in every way: sane figures, and no crash.

Two regions have true site models; of the others the summaries get observations that are made up here.
"""

from __future__ import annotations

import json
import math
import random
import warnings
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
import shapely

from geowatch.metrics.sites import Sweep, evaluate_region
from geowatch.metrics.sites.activity_tables import activity_figures, activity_tables
from geowatch.metrics.sites.tables import bas_tables, figures_of, site_tables
from geowatch.sites.model import PHASES, Observation, RegionModel, Site
from geowatch.sites.smart import parse_region_model, parse_site

SMALL = ("BH_R001", "BR_R002", "BR_R004", "KR_R001", "PE_R001", "US_R001", "US_R005", "US_R012")
LARGE = (
    "AE_R001", "BR_R001", "BR_R005", "BR_R006", "CH_R001", "CH_R002", "KR_R002", "KR_R003", "LT_R001", "NZ_R001",
    "NZ_R002", "US_R003", "US_R004", "US_R006", "US_R007", "ZA_R001",
)  # fmt: skip


def region_and_truth(folder: Path, name: str) -> tuple[RegionModel, list[Site]]:
    region = parse_region_model((folder / f"region_models/{name}.geojson").read_bytes())
    paths = sorted((folder / "site_models").glob(f"{name}_*"))
    rng = random.Random(name)
    return region, [parse_site(path.read_bytes()) for path in paths] or [observed(each, rng) for each in region.sites]


def observed(site: Site, rng: random.Random) -> Site:
    """Give a summary observations on some days in and out of its own, with phases that go on."""
    first, last = site.start or date(2014, 1, 1), site.end or date(2021, 8, 31)
    reach = max((last - first).days, 1) + 200
    days = sorted(first + timedelta(days=rng.randint(-200, reach)) for _ in range(rng.randint(1, 8)))
    phase, seen = 0, []
    for day in days:
        phase = min(3, phase + rng.choice((0, 0, 1)))
        seen.append(Observation(day, site.geometry, (PHASES[phase],), rng.choice((None, "image"))))
    return replace(site, observations=tuple(seen))


def perturbed(sites: list[Site], rng: random.Random) -> list[Site]:
    """Return proposals: truth shifted in space and time, split, merged, thinned, without days, under one id."""
    found: list[Site] = []
    for true in sites:
        how = rng.choice(("lost", "near", "far", "split", "merged", "once", "never", "twin", "same", "same"))
        if how == "lost":
            continue
        made = proposed(true, len(found), rng)
        if how == "split":
            west, south, east, north = made.geometry.bounds
            left = shapely.box(west - 1, south - 1, (west + east) / 2, north + 1)
            found.append(moved(made, lambda area, half=left: shapely.intersection(shapely.make_valid(area), half)))
            made = replace(made, id=f"{made.region_id}_{5000 + len(found):04d}")
            made = moved(made, lambda area, half=left: shapely.difference(shapely.make_valid(area), half))
        elif how in {"near", "far"}:
            step = 0.0005 if how == "near" else 0.1
            made = moved(made, lambda area, by=step: shapely.transform(area, lambda points: points + by))
        elif how == "merged" and found:
            hull = shapely.union(
                shapely.convex_hull(made.geometry), shapely.convex_hull(found[-1].geometry)
            ).convex_hull
            made = moved(made, lambda _, whole=hull: whole)
        elif how in {"once", "never"}:
            made = replace(made, observations=made.observations[: how == "once"])
        elif how == "twin" and found:
            made = replace(made, id=found[-1].id)
        found.append(made)
    return found


def proposed(site: Site, number: int, rng: random.Random) -> Site:
    later = timedelta(days=rng.choice((0, 0, 30, -90, 400, -3000)))
    seen = tuple(
        replace(
            each,
            date=None if each.date is None or rng.random() < 0.03 else each.date + later,
            phases=rng.choice((each.phases, (), ("Unknown",), (rng.choice(PHASES),))),
        )
        for each in site.observations
    )
    start, end = (None if day is None or rng.random() < 0.05 else day + later for day in (site.start, site.end))
    return replace(
        site, id=f"{site.region_id}_{5000 + number:04d}", status="system_confirmed", originator="kit", start=start,
        end=end, observations=seen, score=rng.choice((None, 0.2, 0.9)), predicted_phase=rng.choice((None, *PHASES)),
        predicted_date=rng.choice((None, date(2020, 1, 1))),
    )  # fmt: skip


def moved(site: Site, change) -> Site:
    def areas(area):
        parts = [part for part in shapely.get_parts(change(area)) if part.geom_type == "Polygon"]
        return parts[0] if len(parts) == 1 else shapely.multipolygons(parts)

    seen = tuple(replace(each, geometry=areas(each.geometry)) for each in site.observations)
    return replace(site, geometry=areas(site.geometry), observations=seen)


@pytest.mark.parametrize("name", [*SMALL, *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE)])
def test_whatever_is_proposed_for_a_region_is_scored(shared_data, name):
    region, truth = region_and_truth(shared_data("smart"), name)
    proposals = perturbed(truth, random.Random(1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = evaluate_region(region, truth, proposals, Sweep(tau=(0.1, 0.2, 0.5), min_score=(0.0, 0.5)))
        assert set(site_tables(scores)) == {"gt_sites.csv", "sm_sites.csv"}
        for subset in scores.subsets.values():
            for row in subset.rows:
                check(figures_of(row))
                taken = {member.id for each in row.detections for member in each.members}
                assert taken | {each.id for each in row.unclaimed} == {each.id for each in row.proposals}
            json.dumps(activity_figures(subset), allow_nan=False)
            assert len(bas_tables(subset)) == 3 + 4 * len(subset.rows)
            assert len(activity_tables(subset)) in {0, 6 + 4 * len(subset.pairs)}


def check(figures: dict[str, float]) -> None:
    assert all(math.isfinite(value) for value in figures.values())
    assert all(0 <= figures[name] <= 1 for name in ("precision", "recall (PD)", "F1", "ffpa"))
    assert figures["tp sites"] + figures["fn sites"] == figures["truth sites"]
    assert figures["tp sites"] == figures["tp exact"] + figures["tp under"] + figures["tp over"]
    assert figures["fp area"] <= figures["proposal area"] + 1e-4


@pytest.mark.parametrize("name", ["BR_R002", pytest.param("KR_R002", marks=pytest.mark.slow)])
def test_the_truth_itself_finds_every_site_and_its_phases_without_error(shared_data, name):
    region, truth = region_and_truth(shared_data("smart"), name)
    proposals = [replace(each, status="system_confirmed", originator="kit") for each in truth]
    overall = evaluate_region(region, truth, proposals).subsets["overall"]
    assert overall.best.false_negatives == 0
    assert overall.best.unclaimed == ()
    for pair in overall.pairs:
        if len(pair.group.members) == 1 and pair.group.members[0].site.id == pair.truth.site.id:
            errors = [pair.onset_error(phase) for phase in PHASES[1:]]
            assert all(isinstance(each, str) or each.days <= 0 for each in errors)
