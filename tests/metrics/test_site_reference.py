"""The SMART programme's own figures, of its example and of a made-up region: every number, at every threshold."""

import json
from functools import cache

import pytest

from geowatch.metrics.sites import Sweep, evaluate_region
from geowatch.metrics.sites.activity_tables import activity_figures
from geowatch.metrics.sites.tables import figures_of
from geowatch.sites.smart import parse_region_model, parse_site

CASES = {
    "BR_R002": ("region_models/BR_R002.geojson", "site_models", "proposals", "reference_BR_R002.json", 23),
    "ZZ_R001": ("metric_cases/ZZ_R001.geojson", "metric_cases/truth", "metric_cases/proposals",
                "metric_cases/reference.json", 8),
}  # fmt: skip


@cache
def material(folder, region_id):
    region, truth, proposals, reference, _ = CASES[region_id]
    read = [
        [parse_site(path.read_bytes()) for path in sorted((folder / each).glob(f"*{region_id}*"))]
        for each in (truth, proposals)
    ]
    return parse_region_model((folder / region).read_bytes()), *read, json.loads((folder / reference).read_text())


def scored(folder, region_id, changed):
    region, truth, proposals, _ = material(folder, region_id)
    names = {"min_area": "min_area_m2"}
    sweep = Sweep(**{names.get(name, name): (float(value),) for name, value in changed.items()})
    return evaluate_region(region, truth, proposals, sweep)


def six(value):
    return None if value is None else round(value, 6)


@pytest.mark.parametrize(("region_id", "number"), [(name, k) for name, case in CASES.items() for k in range(case[4])])
def test_figures_are_those_of_the_programmes_own_code(shared_data, region_id, number):
    folder = shared_data("smart")
    reference = material(folder, region_id)[3]
    run = reference["runs"][number]
    subsets = scored(folder, region_id, run["changed"]).subsets
    assert set(subsets) == set(run["subsets"])
    for name, wanted in run["subsets"].items():
        best = subsets[name].best
        found = figures_of(best)
        assert {key: found[key] for key in wanted["metrics"]} == pytest.approx(wanted["metrics"], abs=1e-9), name
        if "association_status" in wanted:
            assert {d.truth.site.id: d.mark for d in best.detections} == wanted["association_status"], name
        activity = wanted["activity"]
        if isinstance(activity, str):
            activity = reference["runs"][int(activity.split()[-1])]["subsets"][name]["activity"]
        check_activity(activity_figures(subsets[name]), activity, reference["temporal_error_rows"])


def check_activity(found, wanted, rows):
    assert (found is None) == (wanted is None)
    if found is None:
        return
    for pair, phases in wanted["tiou"].items():
        assert {phase: six(share) for phase, share in found["tiou"].pop(pair).items()} == phases
    assert not found["tiou"]
    for family in ("temporal_error_ac", "temporal_error_ap"):
        assert {phase: list(figures.values()) for phase, figures in found[family].items()} == wanted[family]
        assert all(list(figures) == rows for figures in found[family].values())
    assert found["confusion"] == wanted["confusion"]
    assert found["f1"] == wanted["f1"]


@pytest.mark.parametrize("region_id", CASES)
@pytest.mark.parametrize("subset", ["overall", "completed", "partial"])
def test_every_site_is_matched_as_the_programme_matches_it(shared_data, region_id, subset):
    folder = shared_data("smart")
    wanted = material(folder, region_id)[3]["runs"][0]["subsets"][subset]
    best = scored(folder, region_id, {}).subsets[subset].best
    for each in best.detections:
        seen = each.judgement
        overlaps = [six(seen.spatial), six(seen.tiot), six(seen.tiop)] if seen else [None] * 3
        names = ", ".join(member.id for member in each.members)
        assert [each.status, each.mark, names, *overlaps] == wanted["truth"][each.truth.site.id]
    assert len(best.detections) == len(wanted["truth"])
    proposals = {
        each.id: [best.mark_of(each), ", ".join(d.truth.id for d in best.takers.get(each.id, ()))]
        for each in best.proposals
    }
    assert proposals == wanted["proposals"]
    failed = [[c.truth.id, c.group.id, six(j.spatial), six(j.tiot), six(j.tiop)] for c, j in best.failed]
    assert sorted(failed) == sorted(wanted["failed"])


def test_the_order_of_the_proposals_files_changes_nothing(shared_data):
    region, truth, proposals, _ = material(shared_data("smart"), "ZZ_R001")
    one = evaluate_region(region, truth, proposals).subsets["overall"].best
    other = evaluate_region(region, truth, proposals[::-1]).subsets["overall"].best
    assert figures_of(one) == figures_of(other)
    assert [each.members[:1] and each.members[0].id for each in one.detections] == [
        each.members[:1] and each.members[0].id for each in other.detections
    ]
