"""Fragments and sites say what they are: verify tells what is damaged, gone or out of date, status how far they are."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from support.tracked import ArrayPlanes
from support.tracked_run import tracked_run

from geowatch.errors import ConfigError, CoverageError, DamagedError
from geowatch.grid.lattice import PixelBox
from geowatch.sites.fragment import Fragment
from geowatch.stages.clean import CleanConfig, clean
from geowatch.stages.consolidate import ConsolidateConfig, consolidate
from geowatch.stages.sites.record import RECORD, read_record
from geowatch.stages.sites.tables import OBSERVATIONS, SITES
from geowatch.stages.status import status
from geowatch.stages.verify import VerifyConfig, verify
from geowatch.stages.working.events import Silent
from geowatch.store import LocalStore

DAYS = (17000, 17016)
OUTPUTS = ("parquet", "geojson", "summary")


def planes() -> ArrayPlanes:
    stored = np.zeros((2, 1, 24, 24), np.uint8)
    for y, x in ((2, 3), (10, 6), (17, 15), (5, 18)):
        stored[:, :, y : y + 5, x : x + 5] = 230
    return ArrayPlanes(stored, PixelBox(-3000, 40000, -2976, 40024))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("record") / "run"
    tracked_run(folder, planes(), DAYS, 8)
    consolidate(ConsolidateConfig(run=str(folder), region_id="ZZ_R001", outputs=OUTPUTS))
    return folder


@pytest.fixture
def run(made, tmp_path):
    return LocalStore(shutil.copytree(made, tmp_path / "run"))


def told(run: LocalStore, **asked: bool) -> dict[str, str]:
    return {damage.name: damage.what for damage in verify(VerifyConfig(str(run.root), **asked)).damaged}


def fragments(run: LocalStore) -> list[str]:
    return [key for key in run.list("fragments/") if key.endswith(".arrow")]


def flip(run: LocalStore, key: str, at: int) -> None:
    content = bytearray(run.get(key))
    content[at] ^= 1
    Path(run.path(key)).write_bytes(content)


def test_a_sound_run_has_nothing_to_tell(run):
    found = verify(VerifyConfig(str(run.root)))
    assert (found.tiles, found.fragments, found.damaged) == (0, 9, ())
    assert found.files == len(read_record(run).files) == 10
    listed = {each.key for each in read_record(run).files}
    assert {SITES, OBSERVATIONS, "sites/sites.parquet", "sites/sites.geojson", "sites/summary.csv"} <= listed


@pytest.mark.parametrize("at", [5, 700, -1, -20, -41])
def test_a_flipped_bit_of_a_fragment_is_found_and_made_again(run, at):
    key = fragments(run)[4]
    flip(run, key, at)
    assert key in told(run)
    with pytest.raises(DamagedError, match=key):
        consolidate(ConsolidateConfig(run=str(run.root), deliver=False))
    assert key in told(run, repair=True)
    assert run.size(key) is None
    assert status(str(run.root)).tracked.done == 8


@pytest.mark.parametrize(
    "key", [SITES, OBSERVATIONS, "sites/footprints.arrow", "sites/sites.parquet", "sites/sites.csv"]
)
def test_a_flipped_bit_of_a_file_of_sites_is_found_and_made_again(run, key):
    before = run.get(key)
    flip(run, key, len(before) // 2)
    assert told(run) == {key: "has other bytes than were written"}
    told(run, repair=True)
    assert run.size(key) is None
    assert status(str(run.root)).sites is None or "not finished" in status(str(run.root)).sites.outdated
    consolidate(ConsolidateConfig(run=str(run.root), region_id="ZZ_R001", outputs=OUTPUTS))
    assert run.get(key) == before
    assert told(run) == {}


def test_a_file_that_is_gone_is_told(run):
    run.delete("sites/sites.geojson")
    assert told(run) == {"sites/sites.geojson": "is gone"}


def test_a_fragment_that_is_gone_is_told_where_sites_were_made_of_it(run):
    key = fragments(run)[2]
    run.delete(key)
    assert told(run) == {
        key: "is gone, and the sites were made of it",
        RECORD: "fragments are not those that the sites were made of",
    }
    found = status(str(run.root))
    assert (found.tracked.done, found.tracked.tiles) == (8, 9)
    assert "fragments are not those" in found.sites.outdated


def test_a_fragment_of_another_tile_is_told(run):
    one, other = fragments(run)[:2]
    run.put(one, run.get(other))
    assert "holds what was found in" in told(run)[one]


def test_sites_of_other_fragments_than_there_are_now_are_told(run):
    key = fragments(run)[4]
    fragment = Fragment.from_bytes(run.get(key))
    run.put(key, Fragment.empty(fragment.tile, fragment.box, fragment.classes).to_bytes())
    assert told(run) == {RECORD: "fragments are not those that the sites were made of"}


def test_sites_of_an_earlier_tracking_are_told_and_its_fragments_cleaned(run, tmp_path):
    before = fragments(run)
    tracked_run(run.root, planes(), DAYS, 8, low=0.6, high=0.7)
    assert list(told(run)) == [RECORD]
    assert "and the last one is" in told(run)[RECORD]
    assert "and the last one is" in status(str(run.root)).sites.outdated
    gone = clean(CleanConfig(str(run.root))).paths
    assert set(before) <= set(gone)
    assert status(str(run.root)).tracked.done == 9
    consolidate(ConsolidateConfig(run=str(run.root), region_id="ZZ_R001", outputs=OUTPUTS))
    assert told(run) == {}
    assert status(str(run.root)).sites.outdated is None


def test_sites_that_were_not_finished_are_told(run):
    run.delete(RECORD)
    assert "was not finished" in told(run)[SITES]
    assert status(str(run.root)).sites.outdated == "they were not finished"


def test_a_record_that_is_none_is_told_and_made_again(run):
    run.put(RECORD, b'{"schema_version": "1"}')
    assert "damaged" in told(run)[RECORD]
    with pytest.raises(DamagedError, match=r"sites\.json"):
        status(str(run.root))
    consolidate(ConsolidateConfig(run=str(run.root), region_id="ZZ_R001", outputs=OUTPUTS))
    assert told(run) == {}


def test_files_of_the_same_sites_stay_listed_when_others_are_made(run):
    consolidate(ConsolidateConfig(run=str(run.root), region_id="ZZ_R001", outputs=("fgb",)))
    listed = {each.key for each in read_record(run).files}
    assert {"sites/sites.fgb", "sites/sites.parquet"} <= listed
    assert told(run) == {}
    consolidate(ConsolidateConfig(run=str(run.root), region_id="ZZ_R001", outputs=("fgb",), min_area=2600.0))
    assert "sites/sites.parquet" not in {each.key for each in read_record(run).files}
    assert told(run) == {}


def test_clean_removes_files_of_earlier_sites_and_nothing_else(run):
    run.put("sites/sites.gpkg", b"of an earlier gw")
    run.put("sites/notes.txt", b"mine")
    assert clean(CleanConfig(str(run.root), dry_run=True)).paths == ("sites/sites.gpkg",)
    assert run.size("sites/sites.gpkg") is not None
    clean(CleanConfig(str(run.root)))
    assert run.size("sites/sites.gpkg") is None
    assert run.get("sites/notes.txt") == b"mine"
    assert told(run) == {}


def test_status_is_json(run):
    found = json.loads(json.dumps(asdict(status(str(run.root)))))
    assert found["tracked"] == {
        "digest": read_record(run).tracking, "mode": "footprint", "salient": ["class 0"], "tiles": 9, "done": 9,
        "outdated": None,
    }  # fmt: skip
    assert found["sites"] == {"sites": 4, "observations": 8, "missing_tiles": 0, "outdated": None}


def test_what_cannot_be_made_is_refused_before_the_long_work(run):
    flip(run, fragments(run)[0], 100)  # joining would end here
    for asked in (
        {"outputs": ("smart",), "region_id": "my-field"},
        {"outputs": ("mosaic",)},
        {"mosaic_crs": "EPSG:4326"},
    ):
        with pytest.raises(ConfigError):
            consolidate(ConsolidateConfig(run=str(run.root), **asked))


class Noted(Silent):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def test_a_missing_tile_is_in_the_summary_the_report_and_the_notes(run):
    run.delete(fragments(run)[4])
    asked = {"run": str(run.root), "region_id": "ZZ_R001", "outputs": ("summary", "report")}
    before = run.get(SITES)
    with pytest.raises(CoverageError, match="1 tile was not tracked"):
        consolidate(ConsolidateConfig(**asked))
    assert run.get(SITES) == before
    events = Noted()
    consolidate(ConsolidateConfig(**asked, allow_gaps=True), events)
    assert any("1 tile was not tracked" in note and "gaps.json" in note for note in events.notes)
    lines = run.get("sites/summary.csv").decode().splitlines()
    assert lines[0].endswith(",missing_tiles")
    assert lines[-1].endswith(",1")
    page = run.get("sites/report.html").decode()
    assert "1 tile not tracked" in page
    assert "cut off" in page
    assert status(str(run.root)).sites.missing_tiles == 1
    assert told(run) == {}
