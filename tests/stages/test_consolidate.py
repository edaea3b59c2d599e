"""gw consolidate: the same tables for any tiling, gaps that are said, and sites that go on under their ids."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import shapely
from support.consolidated import blobs
from support.tracked import ArrayPlanes
from support.tracked_run import tracked_run

from geowatch.errors import ConfigError, CoverageError, DamagedError, InputError
from geowatch.grid.lattice import PixelBox
from geowatch.sites.schema import problems
from geowatch.stages.clean import CleanConfig, clean
from geowatch.stages.consolidate import ConsolidateConfig, Consolidated, consolidate
from geowatch.stages.sites import looks as site_looks
from geowatch.stages.sites.tables import FOOTPRINTS, OBSERVATIONS, SITES
from geowatch.stages.working.events import Silent
from geowatch.store import LocalStore

PHASES = ("No Activity", "Site Preparation", "Active Construction", "Post Construction")
DAYS = (17000, 17016, 17032, 17048, 17064, 17080)
Y, X = -3000, 40000


def drawn(*frames: list[str]) -> ArrayPlanes:
    """Return planes of one class: digits are tenths of the full score, ``?`` is a pixel without one."""
    stored = np.array([[[[255 if m == "?" else round(int(m) * 25.4) for m in row] for row in f]] for f in frames])
    height, width = stored.shape[2:]
    return ArrayPlanes(stored.astype(np.uint8), PixelBox(Y, X, Y + height, X + width))


def rows(store: LocalStore, key: str) -> list[dict]:
    return pa.ipc.open_file(store.get(key)).read_all().to_pylist()


def sites_of(store: LocalStore, **asked: object) -> list[dict]:
    consolidate(ConsolidateConfig(run=str(store.root), deliver=False, region_id="ZZ_R001", **asked))
    return rows(store, SITES)


def tables(store: LocalStore) -> list[bytes]:
    return [store.get(key) for key in (SITES, OBSERVATIONS, FOOTPRINTS)]


FIELD = ["0000000000", "0999000990", "0909000990", "0999000000", "0000009000", "0000090000"]


def test_tables_have_the_same_bytes_for_any_tiling(tmp_path):
    planes = drawn(FIELD, FIELD)
    made = []
    for tile_px in (2, 3, 5, 64):
        store = tracked_run(tmp_path / str(tile_px), planes, DAYS[:2], tile_px)
        sites_of(store, fill_holes=200, min_area=150)
        made.append(tables(store))
    assert all(each == made[0] for each in made)


def test_a_row_says_what_a_site_is(tmp_path):
    store = tracked_run(tmp_path, drawn(FIELD, FIELD), DAYS[:2], 4)
    first, *_ = sites = sites_of(store)
    assert [site["site_id"] for site in sites] == [f"ZZ_R001_{number:04}" for number in range(4)]
    assert first["key"] == "utm18n-20160718-r-2999-c40001"
    assert (first["area_px"], first["area_m2"], first["n_observations"]) == (8, 800.0, 2)
    assert (first["start"], first["end"], first["status"]) == (date(2016, 7, 18), None, "system_confirmed")
    outline = shapely.from_wkb(first["geometry"])
    assert outline.area == 800
    assert outline.bounds == (400010, 29960, 400040, 29990)
    seen = rows(store, OBSERVATIONS)
    assert [each["date"] for each in seen[:2]] == [date(2016, 7, 18), date(2016, 8, 3)]
    assert seen[0]["scores"] == pytest.approx([0.9], abs=0.003)
    schema = pa.ipc.open_file(store.get(SITES)).schema
    assert schema.metadata[b"crs"] == b"EPSG:32618"


def test_a_missing_tile_is_an_error_or_an_explicit_gap(tmp_path):
    store = tracked_run(tmp_path, drawn(FIELD), DAYS[:1], 4)
    gone = next(key for key in store.list("fragments/") if key.endswith("-750_10000.arrow"))
    store.delete(gone)
    with pytest.raises(CoverageError, match="utm18n/-750_10000"):
        sites_of(store)
    assert store.size(SITES) is None
    assert json.loads(store.get("sites/gaps.json"))["missing_tiles"] == ["utm18n/-750_10000"]
    sites_of(store, allow_gaps=True)
    assert json.loads(store.get("sites/gaps.json"))["missing_tiles"] == ["utm18n/-750_10000"]


def test_what_was_not_tracked_cannot_be_consolidated(tmp_path):
    store = tracked_run(tmp_path, drawn(FIELD), DAYS[:1], 4)
    store.delete("track.json")
    with pytest.raises(InputError, match="nothing was tracked"):
        sites_of(store)


def test_polygons_of_a_date_have_their_class(tmp_path):
    stored = np.zeros((1, 3, 6, 8), np.uint8)
    stored[0, 0] = 254
    stored[0, :, 1:4, 2:6] = np.array([0, 254, 0])[:, None, None]
    stored[0, :, 4:, :3] = np.array([0, 101, 153])[:, None, None]
    planes = ArrayPlanes(stored, PixelBox(Y, X, Y + 6, X + 8))
    store = tracked_run(
        tmp_path, planes, DAYS[:1], 3, ("land", "water", "snow"), mode="polygons", salient=("water", "snow"), low=0.0
    )
    sites = sites_of(store)
    assert [seen["score"] for seen in rows(store, OBSERVATIONS)] == [site["score"] for site in sites]
    assert [(site["class"], site["area_px"]) for site in sites] == [("water", 12), ("snow", 6)]
    day = date(2016, 7, 18)
    assert {(site["start"], site["end"], site["n_observations"]) for site in sites} == {(day, day, 1)}
    with pytest.raises(ConfigError, match="polygons of a date"):
        sites_of(store, previous=str(tmp_path))


def test_sites_are_numbered_by_birth_then_by_place(tmp_path):
    first, later = ["000000", "000000", "990099"], ["990000", "000000", "990099"]
    store = tracked_run(tmp_path, drawn(first, later), DAYS[:2], 2, mode="linked")
    days = [DAYS[0], DAYS[0], DAYS[1]]
    assert [(site["key"], (site["start"] - date(1970, 1, 1)).days) for site in sites_of(store)] == list(
        zip(
            [
                "utm18n-20160718-r-2998-c40000",
                "utm18n-20160718-r-2998-c40004",
                "utm18n-20160803-r-3000-c40000",
            ],
            days,
            strict=True,
        )
    )


GROWS = (
    ["00000000", "09900000", "09900000", "00000000"],
    ["00000000", "09990000", "09990000", "00000000"],
    ["00000099", "09999099", "09999000", "00000000"],
    ["00000099", "09999099", "09999000", "00000000"],
)


@pytest.fixture
def scores(monkeypatch):
    """Stand-in for the heatmaps of runs: the planes that they were tracked on, by address."""
    kept = {}

    def opened(run: str, digest: str) -> SimpleNamespace:
        return SimpleNamespace(planes=defaultdict(lambda: kept[run]))

    monkeypatch.setattr(site_looks, "opened", opened)
    return kept


def run_of(folder: Path, first: int, after: int, mode: str = "linked", tile_px: int = 3) -> LocalStore:
    planes = drawn(*GROWS[first:after])
    return tracked_run(folder, planes, DAYS[first:after], tile_px, mode=mode)


def test_a_growing_site_goes_on_under_its_id(tmp_path):
    early = run_of(tmp_path / "early", 0, 2)
    (before,) = sites_of(early)
    late = run_of(tmp_path / "late", 0, 4)
    after, other = sites_of(late, previous=str(early.root))
    assert (after["site_id"], after["key"]) == (before["site_id"], before["key"])
    assert (before["area_px"], after["area_px"]) == (6, 8)
    assert after["n_observations"] == 4
    assert other["site_id"] == "ZZ_R001_0001"
    assert other["start"] == date(1970, 1, 1) + timedelta(DAYS[2])


def test_new_dates_alone_extend_a_site(tmp_path):
    early, late = run_of(tmp_path / "early", 0, 2), run_of(tmp_path / "late", 2, 4)
    sites_of(early)
    after, other = sites_of(late, previous=str(early.root))
    assert (after["number"], after["start"], after["area_px"]) == (0, date(1970, 1, 1) + timedelta(DAYS[0]), 8)
    assert other["number"] == 1
    seen = [(row["date"], row["time"]) for row in rows(late, OBSERVATIONS) if row["site_id"] == after["site_id"]]
    times = [-1, -1, 0, 1]  # earlier dates have no place on the later run's time axis
    assert seen == [(date(1970, 1, 1) + timedelta(day), time) for day, time in zip(DAYS, times, strict=False)]
    shapes = [row["geometry"] for row in rows(late, OBSERVATIONS) if row["site_id"] == after["site_id"]]
    assert [shapely.from_wkb(shape).area for shape in shapes] == [400, 600, 800, 800]


def test_going_on_with_the_same_dates_changes_nothing(tmp_path):
    for mode in ("linked", "footprint"):
        early, again = (run_of(tmp_path / mode / name, 0, 4, mode, px) for name, px in (("one", 3), ("two", 5)))
        sites_of(early)
        sites_of(again, previous=str(early.root))
        assert tables(early) == tables(again)


@pytest.mark.parametrize(
    ("smooth_time", "first", "expected"),
    [
        (None, 0, [0.9, 0.9, 0.9, 0.6]),  # what was seen stays as it was seen
        ("3", 0, [0.9, 0.9, 0.6, 0.6]),  # the last date looked at a date that was still to come
        ("100d", 1, [0.9, 0.6, 0.6, 0.6]),
    ],
)
def test_dates_that_no_new_image_can_have_changed_are_frozen(tmp_path, smooth_time, first, expected):
    high, low = ["0000", "0990", "0000"], ["0000", "0660", "0000"]
    asked = {"smooth_time": smooth_time}
    early = tracked_run(tmp_path / "early", drawn(high, high, high), DAYS[:3], 2, **asked)
    sites_of(early)
    late = tracked_run(tmp_path / "late", drawn(*[low] * (4 - first)), DAYS[first:4], 2, **asked)
    (site,) = sites_of(late, previous=str(early.root))
    assert (site["number"], site["n_observations"]) == (0, 4)
    seen = rows(late, OBSERVATIONS)
    assert [row["score"] for row in seen] == pytest.approx(expected, abs=0.003)
    assert [row["date"] for row in seen] == [date(1970, 1, 1) + timedelta(day) for day in DAYS[:4]]


def test_ended_sites_stay(tmp_path):
    there, gone = ["0000", "0990", "0000"], ["0000", "0000", "0000"]
    early = tracked_run(tmp_path / "early", drawn(there, gone, gone), DAYS[:3], 2, mode="linked")
    (before,) = sites_of(early)
    assert before["end"] == date(1970, 1, 1) + timedelta(DAYS[1])
    late = tracked_run(tmp_path / "late", drawn(gone, there), DAYS[3:5], 2, mode="linked")
    old, new = sites_of(late, previous=str(early.root))
    assert old == before
    assert (new["number"], new["start"]) == (1, date(1970, 1, 1) + timedelta(DAYS[4]))


def test_of_several_earlier_sites_the_oldest_goes_on(tmp_path):
    apart = (["0000000", "0990000", "0000000"], ["0000000", "0990990", "0000000"])
    joined = ["0000000", "0999990", "0000000"]
    early = tracked_run(tmp_path / "early", drawn(*apart), DAYS[:2], 3, mode="linked")
    before = sites_of(early)
    late = tracked_run(tmp_path / "late", drawn(joined), DAYS[2:3], 3, mode="linked")
    oldest, absorbed = sites_of(late, previous=str(early.root))
    assert (oldest["key"], oldest["area_px"]) == (before[0]["key"], 5)
    assert oldest["events"] == "merge:2016-08-19"
    assert (absorbed["key"], absorbed["end"], absorbed["events"]) == (
        before[1]["key"], date(2016, 8, 19), "merge:2016-08-19"
    )  # fmt: skip


def test_a_site_whose_outline_splits_stays_one(tmp_path):
    early = tracked_run(tmp_path / "early", drawn(["0999990"]), DAYS[:1], 3, mode="linked")
    (before,) = sites_of(early)
    late = tracked_run(tmp_path / "late", drawn(["0900999"]), DAYS[1:2], 3, mode="linked")
    (after,) = sites_of(late, previous=str(early.root))
    assert (after["key"], after["n_observations"], after["area_px"]) == (before["key"], 2, 6)
    assert (before["area_px"], after["events"]) == (5, "split:2016-08-03")


def test_of_several_new_outlines_the_largest_goes_on(tmp_path):
    whole, cut = ["0999999"], ["0990999"]
    early = tracked_run(tmp_path / "early", drawn(whole), DAYS[:1], 3, low=0.5, high=0.5)
    (before,) = sites_of(early)
    late = tracked_run(tmp_path / "late", drawn(whole, cut, cut), DAYS[:3], 3, low=0.5, high=0.5)
    after, split = sites_of(late, previous=str(early.root))
    assert (after["key"], after["n_observations"], after["area_px"]) == (before["key"], 3, 3)
    assert (split["number"], split["area_px"], split["events"]) == (1, 2, "split:2016-08-03")


def test_a_new_site_at_the_birthplace_of_another_has_a_key_of_its_own(tmp_path):
    whole = ["0990000000", "0990000000", "0999999999", "0999999999"]
    cut = ["0990000000", "0000000000", "0999999999", "0999999999"]
    runs = [tracked_run(tmp_path / str(n), drawn(whole, *[cut] * n), DAYS[: n + 1], 3) for n in (0, 3, 4, 5)]
    ((before,), *later) = (
        sites_of(run, previous=None if not n else str(runs[n - 1].root)) for n, run in enumerate(runs)
    )
    for one, other in later:
        assert (one["key"], one["area_px"]) == (before["key"], 18)
        assert (other["key"], other["area_px"]) == (f"{before['key']}-2", 2)


def test_a_site_that_goes_on_is_not_lost_in_an_older_one_that_ended(tmp_path):
    first, second = ["0990000", "0990000"], ["0000990", "0000990"]
    both = ["0999990", "0999990"]
    early = tracked_run(tmp_path / "early", drawn(first, first, second, second), DAYS[:4], 3, low=0.3, high=0.3)
    ended, growing = sites_of(early)
    assert (ended["end"], growing["end"]) == (date(2016, 8, 19), None)
    late = tracked_run(tmp_path / "late", drawn(first, first, second, second, both, both), DAYS, 3, low=0.3, high=0.3)
    old, new = sites_of(late, previous=str(early.root))
    assert old == ended
    assert (new["key"], new["end"], new["area_px"]) == (growing["key"], None, 10)


def test_a_damaged_fragment_is_named(tmp_path):
    store = tracked_run(tmp_path, drawn(FIELD), DAYS[:1], 4, mode="linked")
    key = sorted(store.list("fragments/"))[2]
    store.put(key, store.get(key)[:300])
    with pytest.raises(DamagedError, match=key) as error:
        sites_of(store)
    assert "remove it" in str(error.value.hint)


@pytest.mark.parametrize(("mode", "seed"), [("linked", 1), ("linked", 2), ("footprint", 3), ("footprint", 4)])
def test_tiling_changes_nothing_when_sites_go_on(tmp_path, scores, mode, seed):
    stored = blobs(seed, (5, 2, 30, 34), 1.2)
    made = []
    for name, tile_px in (("one", 64), ("many", 5)):
        for step, (first, after) in enumerate(((0, 3), (seed % 2, 5))):
            planes = ArrayPlanes(stored[first:after], PixelBox(Y, X, Y + 30, X + 34))
            asked = {"mode": mode, "low": 0.45, "high": 0.5, "smooth_time": "2" if mode == "linked" else None}
            store = tracked_run(tmp_path / name / str(step), planes, DAYS[first:after], tile_px, **asked)
            scores[store.url] = planes
            sites_of(store, fill_holes=150, previous=str(tmp_path / name / "0") if step else None)
        made.append(tables(store))
    assert made[0] == made[1]
    sites = rows(store, SITES)
    assert [site["number"] for site in sites] == sorted({site["number"] for site in sites})
    assert all(shapely.is_valid(shapely.from_wkb(site["geometry"])) for site in sites)
    assert len({site["key"] for site in sites}) == len(sites)


def test_earlier_sites_of_other_pixels_are_refused(tmp_path):
    early = tracked_run(tmp_path / "early", drawn(FIELD), DAYS[:1], 4, mode="linked")
    sites_of(early)
    other = tracked_run(tmp_path / "other", drawn(FIELD), DAYS[:1], 4, ("thing",), mode="linked")
    with pytest.raises(InputError, match="classes"):
        sites_of(other, previous=str(early.root))
    with pytest.raises(InputError, match="holds no sites"):
        sites_of(early, previous=str(tmp_path / "nowhere"))


def test_phases_of_construction_are_found_without_asking(tmp_path):
    stored = np.zeros((6, 4, 4, 5), np.uint8)
    for time, phase in enumerate([0, 1, 1, 2, 3, 3]):
        stored[time, phase, 1:3, 1:4] = 230
    planes = ArrayPlanes(stored, PixelBox(Y, X, Y + 4, X + 5))
    store = tracked_run(tmp_path, planes, DAYS, 3, PHASES, salient=PHASES[1:3], low=0.3, high=0.3)
    (site,) = sites_of(store)
    assert (site["start"], site["end"]) == (date(2016, 8, 3), date(2016, 9, 20))
    assert [row["phase"] for row in rows(store, OBSERVATIONS)] == [PHASES[p] for p in (0, 1, 1, 2, 3, 3)]
    model = tmp_path / "model.json"
    model.write_text(json.dumps({"phases": PHASES, "active": PHASES[2:3], "transitions": np.ones((4, 4)).tolist()}))
    (site,) = sites_of(store, transitions=str(model))
    assert site["start"] == date(2016, 9, 4)


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"{}"])
def test_a_model_of_phases_that_cannot_be_read_is_refused(tmp_path, content):
    store, model = tracked_run(tmp_path / "run", drawn(FIELD), DAYS[:1], 4), tmp_path / "model.json"
    if content is not None:
        model.write_bytes(content)
    with pytest.raises(ConfigError, match="model of phases"):
        sites_of(store, transitions=str(model))


class Noted(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.mark.parametrize(("frame", "said"), [(FIELD, "4 for their area"), (["000"], "nothing was found")])
def test_that_there_is_no_site_is_said_with_the_reason(tmp_path, frame, said):
    store, events = tracked_run(tmp_path, drawn(frame), DAYS[:1], 4), Noted()
    assert consolidate(ConsolidateConfig(run=str(store.root), deliver=False, min_area=1e6), events).sites == 0
    assert said in events.notes[0]
    assert [rows(store, key) for key in (SITES, OBSERVATIONS, FOOTPRINTS)] == [[], [], []]


def test_places_that_no_date_shows_active_are_told_and_an_own_score_keeps_them(tmp_path):
    frames = drawn(["90009", "00000"], ["00900", "00900"], ["09990", "00000"])
    store, events = tracked_run(tmp_path, frames, DAYS[:3], 4, aggregate="max", low=0.8), Noted()
    assert consolidate(ConsolidateConfig(run=str(store.root), deliver=False), events).sites == 0
    assert "1 place was found, and no date's mean score reaches 0.8" in events.notes[1]
    heard = Noted()
    assert consolidate(ConsolidateConfig(run=str(store.root), deliver=False, active_score=0.3), heard).sites == 1
    assert heard.notes == []


def test_documents_span_all_dates_that_were_looked_at_and_none_is_lost_for_lack_of_sites(tmp_path):
    frames = drawn(["000", "000"], ["090", "000"], ["000", "000"], ["000", "000"])
    store = tracked_run(tmp_path, frames, [17000, 17010, 17020, 17030], 4, mode="linked")
    for low_area, sites in ((0.0, 1), (1e6, 0)):
        asked = {"region_id": "ZZ_R001", "outputs": ("smart", "report"), "min_area": low_area}
        assert consolidate(ConsolidateConfig(run=str(tmp_path), **asked)).sites == sites
        model = json.loads((tmp_path / "sites/region_models/ZZ_R001.geojson").read_text())
        assert not problems(model)
        spoken = model["features"][0]["properties"]
        assert (spoken["start_date"], spoken["end_date"]) == ("2016-07-18", "2016-08-17")
        assert f"{sites} site" in store.get("sites/report.html").decode().split("<h1")[1]
        assert "2016-07-18 to 2016-08-17" in store.get("sites/report.html").decode()


def test_what_is_delivered_is_recorded(tmp_path):
    store = tracked_run(tmp_path, drawn(FIELD, FIELD), DAYS[:2], 4)
    done = consolidate(ConsolidateConfig(run=str(store.root), region_id="ZZ_R001", outputs=("parquet", "smart")))
    assert isinstance(done, Consolidated)
    assert {"sites/sites.arrow", "sites/sites.parquet", "sites/gaps.json"} <= set(done.files)
    assert any(key.startswith("lineage/sites/sites.arrow/") for key in store.list("lineage/"))


def test_files_that_show_earlier_sites_do_not_stay_beside_later_ones(tmp_path):
    store = tracked_run(tmp_path, drawn(FIELD), [17000], 16)
    run = {"run": str(tmp_path), "region_id": "ZZ_R001"}
    consolidate(ConsolidateConfig(**run, outputs=("parquet", "geojson", "smart")))
    consolidate(ConsolidateConfig(**run, outputs=("geojson",)))
    assert store.size("sites/sites.parquet")  # the same sites: it is as right as before
    heard = _Notes()
    consolidate(ConsolidateConfig(**run, min_area=500, outputs=("geojson",)), heard)
    assert store.size("sites/sites.geojson")
    left = [key for key in store.list("sites/") if not key.endswith(".arrow")]
    assert left == ["sites/gaps.json", "sites/history.json", "sites/sites.geojson"]
    assert "other files showed earlier sites" in heard.notes[0]
    assert not list(tmp_path.glob("sites/*/"))  # folders go with what was in them


def test_what_users_put_beside_the_sites_stays(tmp_path):
    store = tracked_run(tmp_path, drawn(FIELD), [17000], 16)
    run = {"run": str(tmp_path), "region_id": "ZZ_R001"}
    consolidate(ConsolidateConfig(**run, outputs=("parquet", "smart", "stac")))
    own = [
        "sites/map.qgz",
        "sites/site_models/checked.geojson",
        "sites/region_models/note.txt",
        "sites/stac/own/a.json",
    ]
    for key in own:
        store.put(key, b"mine")
    consolidate(ConsolidateConfig(**run, min_area=500, outputs=("smart", "stac")))
    consolidate(ConsolidateConfig(**run, min_area=600, outputs=("geojson",)))
    consolidate(ConsolidateConfig(run=str(tmp_path), region_id="field"))
    clean(CleanConfig(str(tmp_path)))
    assert [key for key in own if store.size(key) is None] == []
    assert not list(tmp_path.glob("sites/site_models/ZZ_*"))


def test_site_models_go_when_the_region_has_no_smart_id_any_more(tmp_path):
    tracked_run(tmp_path, drawn(FIELD), [17000], 16)
    consolidate(ConsolidateConfig(run=str(tmp_path), region_id="ZZ_R001"))
    assert list(tmp_path.glob("sites/site_models/*"))
    done = consolidate(ConsolidateConfig(run=str(tmp_path), region_id="field"))
    assert not list(tmp_path.glob("sites/*_models/*"))
    assert "sites/report.html" in done.files


@pytest.mark.parametrize(
    "asked",
    [
        {"simplify": -1.0}, {"simplify": float("nan")}, {"status": "sure"}, {"originator": "me"},
        {"min_area": float("nan")}, {"min_area": 9.0, "max_area": float("nan")}, {"min_score": float("nan")},
        {"active_score": float("nan")}, {"active_score": -0.1}, {"min_days": 40, "max_days": 4},
    ],
)  # fmt: skip
def test_rules_that_make_no_sense_are_refused_before_anything_is_written(tmp_path, asked):
    store = tracked_run(tmp_path, drawn(FIELD), [17000], 16)
    with pytest.raises(ConfigError):
        consolidate(ConsolidateConfig(run=str(tmp_path), **asked))
    assert not list(store.list("sites/"))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"min_area": -3.0}, "--min-area is -3"),
        ({"link_overlap": 1.5}, "--link-overlap is 1.5"),
        ({"min_area": 5000.0, "max_area": 100.0}, "--min-area is 5000 m2 and --max-area 100 m2"),
        ({"min_days": 40, "max_days": 4}, "--min-days is 40 and --max-days 4"),
    ],
)
def test_refused_rules_are_named_as_they_were_typed(tmp_path, asked, said):
    tracked_run(tmp_path, drawn(FIELD), [17000], 16)
    with pytest.raises(ConfigError, match=said):
        consolidate(ConsolidateConfig(run=str(tmp_path), **asked))


class _Notes(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)
