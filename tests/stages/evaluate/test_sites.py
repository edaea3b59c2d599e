"""Proposed sites against true ones, from documents on disk to tables, figures and pictures."""

import csv
import dataclasses
import json
import re

import numpy as np
import pytest
import shapely
from click.testing import CliRunner
from PIL import Image
from PIL.ImageColor import getrgb
from shapely.geometry import box
from support.shell import gw
from support.smart_case import cells, proposal, region, seen, site, truth

from geowatch.consolidate.output.report.svg import PHASE_COLORS
from geowatch.errors import ConfigError, InputError
from geowatch.grid.antimeridian import cut
from geowatch.sites.model import PHASES
from geowatch.sites.smart import dump, region_document, site_document
from geowatch.stages.evaluate.sites import EvaluateSitesConfig, evaluate_sites
from gw_cli.main import cli

DEFAULT = "minArea=0.0_minScore=0.0_tau=0.2_rho=0.5_tiop=0.1_tiot=0.2_ttiop=0.1_ttiot=0.2"
DAYS = "2016-03-01", "2017-03-01"


def write(folder, sites):
    folder.mkdir(parents=True, exist_ok=True)
    for each in sites:
        (folder / f"{each.id}.geojson").write_bytes(dump(site_document(each)))
    return folder


def write_region(folder, model):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{model.id}.geojson"
    path.write_bytes(dump(region_document(model)))
    return path


@pytest.fixture
def smart(tmp_path):
    """A folder of truth as the programme keeps it, and a run with proposals: one found, one missed, one false."""
    write_region(tmp_path / "smart/region_models", region(originator="te", model_content="annotation"))
    write(tmp_path / "smart/site_models", [
        truth(1, cells(10, 10, 2, 2), *DAYS), truth(2, cells(20, 20, 2, 2), *DAYS),
        truth(3, cells(30, 30, 2, 2), *DAYS, "negative"),
    ])  # fmt: skip
    write(tmp_path / "run/sites/site_models", [
        proposal(9001, cells(10, 10, 2, 2), *DAYS), proposal(9002, cells(60, 60, 2, 2), *DAYS),
    ])  # fmt: skip
    return tmp_path


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_region_may_be_named_by_the_id_of_a_model_beside_the_truth(smart):
    other = dataclasses.replace(region(originator="te", model_content="annotation"), id="ZZ_R002")
    write_region(smart / "smart/region_models", dataclasses.replace(other, sites=()))
    asked = EvaluateSitesConfig(
        truth=(str(smart / "smart"),), proposals=(str(smart / "run"),), region=("ZZ_R001",), output=str(smart / "out")
    )
    assert list(evaluate_sites(asked).regions) == ["ZZ_R001"]


def test_an_id_that_no_region_has_or_two_have_is_refused_with_those_that_are_there(smart):
    asked = EvaluateSitesConfig(
        truth=(str(smart / "smart/site_models"),), proposals=(str(smart / "run"),), output=str(smart / "out")
    )
    with pytest.raises(InputError, match="there is no ZZ_R009, and no region models") as told:
        evaluate_sites(dataclasses.replace(asked, region=("ZZ_R009",)))
    assert "ZZ_R001" in told.value.hint
    model = next((smart / "smart/region_models").iterdir())
    (model.parent / "again.geojson").write_bytes(model.read_bytes())
    with pytest.raises(InputError, match="2 region models"):
        evaluate_sites(dataclasses.replace(asked, region=("ZZ_R001",)))
    with pytest.raises(InputError, match=r"there is no ZZ_R001\.geojson"):
        evaluate_sites(dataclasses.replace(asked, region=("ZZ_R001.geojson",)))


def test_the_command_prints_a_table_and_leaves_the_programmes_files(smart):
    said = gw("evaluate", "sites", "--truth", smart / "smart", "--proposals", smart / "run", "-o", smart / "out")
    assert "ZZ_R001     overall            1        1        1   0.5000   0.5000   0.5000" in said
    out = smart / "out"
    for subset in ("overall", "completed", "partial"):
        files = {path.name for path in (out / subset / "bas").iterdir()}
        parts = ("detections", "proposals", "failAssoc", "siteType", "bestScore")
        assert files == {"scoreboard.csv", "f_scores.csv", *(f"{part}_{DEFAULT}.csv" for part in parts)}
    assert not (out / "partial/phase_activity").exists()
    phases = {path.name for path in (out / "overall/phase_activity").iterdir()}
    one = "ZZ_R001_0001_te_1.0.0"
    assert phases == {
        "ac_phase_table.csv", "ac_tiou.csv", "ac_confusion_matrix_all_sites.csv", f"ac_confusion_matrix_{one}.csv",
        "ac_f1_all_sites.csv", f"ac_f1_{one}.csv", "ac_temporal_error.csv", f"ac_temporal_error_{one}.csv",
        "ap_temporal_error.csv", f"ap_temporal_error_{one}.csv",
    }  # fmt: skip
    for name in ("map.png", "times.png"):
        with Image.open(out / name) as picture:
            assert min(picture.size) > 200
    assert not (out / "sweep.png").exists()


PLACES = {
    "truth": [(0, 0, 20, 10), (-30, 20, 15, 10), (50, -20, 12, 15), (70, 10, 10, 10)],
    "found": [(1, 0, 20, 10), (-29, 20, 15, 10), (51, -20, 12, 15), (5, -35, 20, 10)],
}
"""Sites around a point, in thousandths of a degree: the first and the false one lie over it."""


@pytest.mark.parametrize("written", ["cut", "going on beyond 180"])
def test_a_region_over_the_antimeridian_is_scored_and_drawn_as_anywhere_else(tmp_path, written):
    def place(lon, x, y, width, height):
        shape = box(lon + x / 1000, y / 1000, lon + (x + width) / 1000, (y + height) / 1000)
        if written != "cut" or lon < 180:
            return shape
        return cut(np.array([shapely.transform(shape, lambda p: p - [[360, 0]] * (p[:, :1] > 180))]))[0]

    made = []
    for lon in (180.0, 20.0):
        folder = tmp_path / f"{lon:g}"
        model = dataclasses.replace(region(originator="te", model_content="annotation"))
        outline = place(lon, -60, -50, 160, 100)
        write_region(folder, dataclasses.replace(model, geometry=outline))
        for name, make in (("truth", truth), ("found", proposal)):
            write(folder / name, [make(n, place(lon, *each), *DAYS) for n, each in enumerate(PLACES[name])])
        done = evaluate_sites(EvaluateSitesConfig(
            region=(str(folder / "ZZ_R001.geojson"),), truth=(str(folder / "truth"),),
            proposals=(str(folder / "found"),), output=str(folder / "out"),
        ))  # fmt: skip
        with Image.open(folder / "out/map.png") as picture:
            made.append((done.together["overall"], np.asarray(picture, dtype=float)))
    (over, drawn), (inland, usual) = made
    assert (over["tp sites"], over["fn sites"], over["fp sites"]) == (3, 1, 1)
    assert {key: over[key] for key in ("F1", "ffpa")} == pytest.approx({key: inland[key] for key in ("F1", "ffpa")})
    assert drawn.shape == usual.shape
    assert np.abs(drawn - usual).mean() < 1


def test_tables_say_what_was_found(smart):
    evaluate_sites(config(smart))
    board = rows(smart / "out/overall/bas/scoreboard.csv")
    assert len(board) == 1
    assert list(board[0])[:7] == [
        "tp sites", "tp exact", "tp under", "tp under (IoU)", "tp under (IoT)", "tp over", "fp sites",
    ]  # fmt: skip
    assert list(board[0])[-4:] == ["region", "spatial FAR", "temporal FAR", "images FAR"]
    assert (board[0]["tp sites"], board[0]["fn sites"], board[0]["F1"], board[0]["tau"]) == ("1", "1", "0.5", "0.2")
    found = {row["truth site"]: row for row in rows(smart / f"out/overall/bas/detections_{DEFAULT}.csv")}
    assert found["ZZ_R001_0001_te_1.0.0"]["matched site models"] == "ZZ_R001_9001_acc_1.0.0"
    assert found["ZZ_R001_0002_te_1.0.0"]["association status"] == "fn"
    assert found["ZZ_R001_0003_te_1.0.0"]["association status"] == "tn"
    assert rows(smart / f"out/overall/bas/siteType_{DEFAULT}.csv")[-1] == {
        "site type": "false alarm",
        "site models": "1",
    }
    sites = rows(smart / "out/gt_sites.csv")
    assert [row["start activity"] for row in sites] == ["2016-03-01"] * 3
    assert rows(smart / "out/sm_sites.csv")[0]["id"] == "ZZ_R001_9001_acc_1.0.0"


def config(smart, **more):
    given = {"truth": (str(smart / "smart"),), "proposals": (str(smart / "run"),), "output": str(smart / "out")}
    return EvaluateSitesConfig(**(given | more))


def test_the_document_holds_every_figure_and_its_lineage_leads_to_the_documents(smart):
    said = json.loads(
        gw("evaluate", "sites", "--truth", smart / "smart", "--proposals", smart / "run", "-o", smart / "out", "--json")
    )
    document = json.loads((smart / "out/evaluation.json").read_text())
    assert document["regions"] == said["regions"]
    assert document["summary"] == {
        "f1": 0.5, "precision": 0.5, "recall": 0.5, "tp": 1, "fp": 1, "fn": 1, "ffpa": document["summary"]["ffpa"],
    }  # fmt: skip
    overall = document["regions"]["ZZ_R001"]["overall"]
    assert overall["thresholds"] == DEFAULT
    assert overall["truth"]["ZZ_R001_0001_te_1.0.0"]["proposals"] == ["ZZ_R001_9001_acc_1.0.0"]
    assert overall["activity"]["f1"]["F1 micro average"]["Active Construction"] == 1
    records = json.loads(gw("lineage", "--run", smart / "out", "evaluation.json", "--json"))
    assert [source["role"] for source in records[0]["sources"]] == ["truth"] * 3 + ["proposal"] * 2


def test_results_of_a_run_stand_in_it_where_no_folder_is_named(smart, monkeypatch):
    monkeypatch.chdir(smart)
    gw("evaluate", "sites", "--truth", "smart", "--proposals", "run")
    assert (smart / "run/evaluation/overall/bas/scoreboard.csv").exists()
    assert json.loads(gw("lineage", "--run", "run", "evaluation/map.png", "--json"))
    gw("evaluate", "sites", "--truth", "smart", "--proposals", "run/sites/site_models")
    assert (smart / "evaluation/evaluation.json").exists()


def test_sweeps_write_a_row_each_and_curves(smart):
    gw("evaluate", "sites", "--truth", smart / "smart", "--proposals", smart / "run", "-o", smart / "out",
       "--tau", "0.1,0.9", "--rho", "0.3,0.5")  # fmt: skip
    assert len(rows(smart / "out/overall/bas/scoreboard.csv")) == 4
    with Image.open(smart / "out/sweep.png") as picture:
        assert picture.width > picture.height
    # Another call in the same folder leaves no table of the last behind.
    evaluate_sites(config(smart))
    assert {path.name.partition("_")[2] for path in (smart / "out/overall/bas").glob("detections*")} == {
        f"{DEFAULT}.csv"
    }


def test_several_regions_are_scored_one_by_one_and_together(smart):
    other = dataclasses.replace(region(), id="ZZ_R002")
    write_region(smart / "smart/region_models", other)
    write_region(smart / "smart/region_models", dataclasses.replace(region(), id="ZZ_R003"))
    write(smart / "smart/site_models", [renamed(truth(1, cells(10, 10, 2, 2), *DAYS))])
    write(smart / "run/sites/site_models", [renamed(proposal(9001, cells(10, 10, 2, 2), *DAYS))])
    said = gw("evaluate", "sites", "--truth", smart / "smart", "--proposals", smart / "run", "-o", smart / "out")
    assert "together    overall            2        1        1   0.6667   0.6667   0.6667" in said
    assert "regions without truth are left out (1): ZZ_R003" in said
    found = json.loads((smart / "out/evaluation.json").read_text())
    assert found["together"]["overall"]["mean F1"] == 0.75
    assert found["together"]["overall"]["spatial FAR"] == round(1 / (2 * 123.0906354426), 4)
    assert (smart / "out/ZZ_R002/overall/bas/scoreboard.csv").exists()
    (row,) = (row for row in rows(smart / "out/together.csv") if row["subset"] == "overall")
    assert (row["regions"], row["tp sites"], row["F1"], row["tau"]) == ("2", "2", "0.6667", "0.2")
    assert rows(smart / "out/ZZ_R001/overall/bas/scoreboard.csv")[0]["proposed annotations"] == "2"


def renamed(each):
    return dataclasses.replace(each, id=each.id.replace("R001", "R002"))


def test_files_and_folders_may_be_named_in_any_mixture(smart):
    true = smart / "smart/site_models"
    given = config(
        smart,
        region=(str(smart / "smart/region_models/ZZ_R001.geojson"),),
        truth=(str(true / "ZZ_R001_0001.geojson"), str(true / "ZZ_R001_0003.geojson")),
        proposals=(str(smart / "run/sites/site_models"),),
    )
    assert evaluate_sites(given).together["overall"]["truth annotations"] == 2


def test_a_plain_region_with_days_will_do(smart):
    properties = {"region_id": "ZZ_R001", "start_date": "2015-01-01", "end_date": "2020-12-31"}
    plain = {"type": "Feature", "properties": properties,
             "geometry": {"type": "Polygon", "coordinates": [list(cells(0, 0, 100, 100).exterior.coords)]}}  # fmt: skip
    (smart / "plain.geojson").write_text(json.dumps(plain))
    assert evaluate_sites(config(smart, region=(str(smart / "plain.geojson"),))).together["overall"]["F1"] == 0.5
    del plain["properties"]["end_date"]
    (smart / "plain.geojson").write_text(json.dumps(plain))
    with pytest.raises(InputError, match="no start_date or no end_date"):
        evaluate_sites(config(smart, region=(str(smart / "plain.geojson"),)))


def test_statuses_and_scores_filter(smart):
    sure = [proposal(9003, cells(60, 60, 2, 2), *DAYS, score=0.3)]
    write(smart / "run/sites/site_models", sure)
    found = evaluate_sites(config(smart, min_score=(0.5,), truth_without=("negative",)))
    assert found.together["overall"]["confident proposals"] == 2
    assert found.together["overall"]["fp sites"] == 1


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"truth": ("nowhere",)}, InputError, "there is no nowhere"),
        ({"truth": ("{}/empty",)}, InputError, "holds no GeoJSON"),
        ({"tau": ()}, ConfigError, "tau has no value"),
        ({"min_area_m2": (-1.0,)}, ConfigError, "min_area_m2 is no area"),
        ({"tau": (1.5,)}, ConfigError, "tau is 1.5"),
        ({"proposal_type": ("F",)}, ConfigError, "proposal type 'F'"),
        (
            {"truth": ("{}/run",), "region": ("{}/other",)},
            InputError,
            "by name and region_id no file of .* is of ZZ_R009",
        ),
        ({"truth": ("{}/run/sites/site_models",)}, InputError, "no region model lies beside"),
    ],
)
def test_what_cannot_be_scored_is_refused(smart, change, error, said):
    (smart / "empty").mkdir()
    write_region(smart / "other", dataclasses.replace(region(), id="ZZ_R009"))
    given = {
        key: tuple(each.format(smart) if isinstance(each, str) else each for each in value)
        for key, value in change.items()
    }
    with pytest.raises(error, match=said) as caught:
        evaluate_sites(config(smart, **given))
    assert caught.value.hint
    assert not (smart / "out").exists()


def test_a_detector_that_found_nothing_misses_all_of_it(smart):
    (smart / "empty").mkdir()
    said = gw("evaluate", "sites", "--truth", smart / "smart", "--proposals", smart / "empty", "-o", smart / "out")
    assert "by name and region_id no file proposes a site of ZZ_R001" in said
    assert "ZZ_R001     overall            0        2        0   0.0000" in said
    assert not rows(smart / f"out/overall/bas/proposals_{DEFAULT}.csv")
    assert not rows(smart / "out/sm_sites.csv")


@pytest.mark.parametrize("left", ["region_id", "site_id"])
def test_a_file_without_a_region_in_its_name_is_of_the_one_that_its_site_names(smart, left):
    """A proposal by another name was passed over, and the score was that of a system that found nothing."""
    found = smart / "run/sites/site_models/ZZ_R001_9001.geojson"
    document = json.loads(found.read_text())
    for each in document["features"]:
        if left == "site_id":
            each["properties"].pop("region_id", None)
    (smart / "mine.geojson").write_text(json.dumps(document))
    (smart / "notes.json").write_text("[1, 2")
    found_one = evaluate_sites(config(smart, proposals=(str(smart / "mine.geojson"),))).together["overall"]
    assert (found_one["tp sites"], found_one["fn sites"], found_one["fp sites"]) == (1, 1, 0)
    assert evaluate_sites(config(smart, proposals=(str(smart),))).together["overall"] == found_one


def test_a_name_with_another_region_in_it_wins_over_the_document(smart):
    found = smart / "run/sites/site_models/ZZ_R001_9001.geojson"
    (smart / "ZZ_R002_9001.geojson").write_bytes(found.read_bytes())
    figures = evaluate_sites(config(smart, proposals=(str(smart / "ZZ_R002_9001.geojson"),))).together["overall"]
    assert (figures["tp sites"], figures["fp sites"]) == (0, 0)


@pytest.mark.parametrize("role", ["truth", "proposals"])
@pytest.mark.parametrize("place", ["{}/odd/mine.geojson", "{}/odd"])
def test_a_site_of_no_region_at_all_is_refused_with_a_remedy(smart, role, place):
    found = smart / "run/sites/site_models/ZZ_R001_9001.geojson"
    document = json.loads(found.read_text())
    for each in document["features"]:
        each["properties"] |= {"region_id": None, "site_id": None} if each["properties"]["type"] == "site" else {}
    (smart / "odd").mkdir()
    (smart / "odd/mine.geojson").write_text(json.dumps(document))
    both = {"truth": (str(smart / "smart"),), "proposals": (str(smart / "run"),)}
    with pytest.raises(InputError, match=r"mine\.geojson does not say which region") as told:
        evaluate_sites(config(smart, **(both | {role: (*both[role], place.format(smart))})))
    assert "ZZ_R001_0000.geojson" in told.value.hint
    assert told.value.exit_code == 2


def test_a_named_file_that_is_no_site_model_is_refused_whatever_its_name(smart):
    (smart / "web.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    with pytest.raises(InputError, match=r"web\.geojson is no site model") as told:
        evaluate_sites(config(smart, proposals=(str(smart / "web.geojson"),)))
    assert "site_models" in told.value.hint


def test_ids_of_several_files_are_told(smart):
    again = smart / "run/sites/site_models"
    (again / "ZZ_R001_again.geojson").write_bytes((again / "ZZ_R001_9002.geojson").read_bytes())
    said = gw("evaluate", "sites", "--truth", smart / "smart", "--proposals", smart / "run", "-o", smart / "out")
    assert "proposal ids that several files have (1): ZZ_R001_9002_acc_1.0.0" in said


@pytest.mark.parametrize(
    ("geometry", "days", "said"),
    [
        (None, ("2015-01-01", "2020-12-31"), "covers no area"),
        ({"type": "Polygon", "coordinates": []}, ("2015-01-01", "2020-12-31"), "covers no area"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 1], [0, 0]]]}, ("2015-01-01", "2020-12-31"), "no a"),
        (0, ("2020-12-31", "2015-01-01"), "ends on 2015-01-01, before it starts on 2020-12-31"),
    ],
)  # fmt: skip
def test_regions_that_cannot_hold_a_site_are_refused(smart, geometry, days, said):
    path = smart / "smart/region_models/ZZ_R001.geojson"
    document = json.loads(path.read_text())
    head = document["features"][0]
    head["properties"].update(start_date=days[0], end_date=days[1])
    head["geometry"] = head["geometry"] if geometry == 0 else geometry
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match=said):
        evaluate_sites(config(smart))
    assert not (smart / "out").exists()


@pytest.mark.parametrize("content", ['{"features": 5}', '{"features": null}', "[1]", '{"features": [null, 1]}'])
def test_what_is_no_site_model_is_passed_over(smart, content):
    (smart / "run/sites/site_models/ZZ_R001_other.geojson").write_text(content)
    assert evaluate_sites(config(smart)).together["overall"]["proposed annotations"] == 2


def test_failed_pairs_show_the_days_that_were_compared(smart):
    true = smart / "smart/site_models"
    # Too small to count, so its own days are compared; active from a year after its start.
    small = site(4, "positive_annotated", ("2016-01-01", "2018-01-01"), seen("2017-01-01", cells(70, 70, 0.5)))
    write(true, [small])
    write(smart / "run/sites/site_models", [proposal(9004, cells(70.4, 70, 2, 2), *DAYS)])
    evaluate_sites(config(smart))
    (row,) = rows(smart / f"out/overall/bas/failAssoc_{DEFAULT}.csv")
    assert (row["truth start"], row["truth end"]) == ("2016-01-01", "2018-01-01")


def test_a_region_may_have_no_end_in_sight(smart):
    region_file = smart / "smart/region_models/ZZ_R001.geojson"
    region_file.write_text(region_file.read_text().replace("2020-12-31", "9999-12-31"))
    assert evaluate_sites(config(smart)).together["overall"]["tp sites"] == 1


def test_many_sites_are_drawn_up_to_a_limit_and_the_rest_is_said(smart):
    write(smart / "run/sites/site_models",
          [proposal(5000 + k, cells(40 + k % 10 * 5, 40 + k // 10 * 5), *DAYS) for k in range(60)])  # fmt: skip
    evaluate_sites(config(smart))
    with Image.open(smart / "out/times.png") as picture:
        assert picture.height < 2000


def test_phases_have_the_colours_that_the_report_of_sites_gives_them(smart):
    evaluate_sites(config(smart))
    with Image.open(smart / "out/times.png") as picture:
        drawn = {color for _, color in picture.convert("RGB").getcolors(1 << 20)}
    assert {getrgb(PHASE_COLORS[phase]) for phase in PHASES} <= drawn


def test_sites_without_a_kept_view_are_drawn_where_they_were_seen(smart):
    early = site(4, "positive_annotated", ("2013-01-01", "2016-01-01"), seen("2014-01-01", cells(70, 70, 2, 2)))
    write(smart / "smart/site_models", [early])
    found = evaluate_sites(config(smart))
    assert found.regions["ZZ_R001"]["overall"]["truth"]["ZZ_R001_0004_te_1.0.0"]["status"] == "positive_unbounded"


@pytest.mark.parametrize(
    ("given", "fact", "remedy"),
    [
        (("--truth", "smart", "--proposals", "gone.geojson"), "there is no .*gone.geojson", "give GeoJSON files"),
        (("--truth", "gone", "--proposals", "run"), "there is no .*gone", "give GeoJSON files"),
        (("--truth", "smart", "--proposals", "ZZ_R001_broken.geojson"), "broken.geojson is no JSON", "GeoJSON"),
        (("--truth", "smart", "--proposals", "ZZ_R001_list.geojson"), "list.geojson is no site model", "feature"),
        (("--truth", "smart", "--proposals", "ZZ_R001_day.geojson"), "'2020-13-40', not a date", "2021-08-31"),
        (("--truth", "smart", "--proposals", "run", "--region", "ZZ_R009"), "there is no .*ZZ_R009", "GeoJSON"),
        (
            ("--truth", "smart", "--proposals", "run", "--region", "smart/site_models/ZZ_R001_0001.geojson"),
            "is a site model, no region", "region model",
        ),
    ],
)  # fmt: skip
def test_wrong_input_ends_with_the_fact_a_remedy_and_exit_code_2(smart, monkeypatch, given, fact, remedy):
    monkeypatch.chdir(smart)
    (smart / "ZZ_R001_broken.geojson").write_text('{"type":')
    (smart / "ZZ_R001_list.geojson").write_text("[1, 2]")
    day = site_document(proposal(9001, cells(10, 10, 2, 2), *DAYS))
    day["features"][0]["properties"]["start_date"] = "2020-13-40"
    (smart / "ZZ_R001_day.geojson").write_text(json.dumps(day))
    ran = CliRunner().invoke(cli, ["evaluate", "sites", *given, "-o", "out"])
    assert ran.exit_code == 2
    assert re.search(rf"^error: .*{fact}.*\nhint: .*{remedy}", ran.output, re.MULTILINE), ran.output
    assert not (smart / "out").exists()
