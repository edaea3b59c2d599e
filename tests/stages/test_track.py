"""Tracking of run folders: the same fragments however they come about, and refusals that say what to do."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from pyproj import Transformer
from scipy import ndimage
from support.made_heatmap import Made, lattice_box, make_run, of_array
from support.shell import gw
from support.tracked import ArrayPlanes, put_together, track_tiles

from geowatch.errors import ConfigError, CoverageError, DamagedError, InputError, InterruptedRunError, PlanMismatchError
from geowatch.grid.lattice import PixelBox
from geowatch.grid.tiles import Tile
from geowatch.sites.fragment import AGGREGATED, Fragment
from geowatch.stages.clean import CleanConfig, clean
from geowatch.stages.consolidate import ConsolidateConfig, consolidate
from geowatch.stages.track import TrackConfig, TrackJob, run_job, track
from geowatch.stages.tracking.session import opened
from geowatch.stages.working.events import Silent
from geowatch.store import open_store
from geowatch.store.plans import read_plan
from geowatch.track.document import Tracking

DAYS = ("2020-01-05", "2020-02-04", "2020-03-01", "2020-05-10")
CLASSES = ("No Activity", "Site Preparation", "Active Construction")
SHAPE = (150, 170)
WANTED = {"low": 0.7, "high": 0.72}
WAYS = {
    "footprint": {"mode": "footprint", "aggregate": "max", "smooth_time": "60d", **WANTED},
    "linked": {"mode": "linked", "open_px": 1, "subpixel": True, "connectivity": 8, **WANTED},
    "linked over days": {"mode": "linked", "link_days": 60, **WANTED},
    "polygons": {"mode": "polygons", "smooth_px": 1.0, "close_px": 2, "classes": CLASSES},
    "coarse": {"mode": "footprint", "coarse": 7, **WANTED},
}


def scores() -> np.ndarray:
    rng = np.random.default_rng(11)
    rough = ndimage.gaussian_filter(rng.random((len(DAYS), len(CLASSES), *SHAPE)), (0.7, 0, 3, 3))
    rough /= rough.sum(axis=1, keepdims=True)
    rough = np.clip((rough - 0.28) * 6, 0, 1)
    stored = np.rint(rough / np.maximum(1, rough.sum(axis=1, keepdims=True)) * 254).astype(np.uint8)
    hidden = ndimage.gaussian_filter(rng.random((len(DAYS), *SHAPE)), (0, 2, 2)) < 0.47
    stored[np.broadcast_to(hidden[:, None], stored.shape)] = 255
    return stored


@pytest.fixture(scope="module")
def made() -> Made:
    empty = Made(SHAPE, DAYS, CLASSES, lambda time, box: np.zeros((0,), np.uint8))
    return replace(empty, scores=of_array(scores(), lattice_box(empty)))


@pytest.fixture(scope="module")
def run(made, tmp_path_factory) -> Path:
    return make_run(tmp_path_factory.mktemp("track") / "run", made)


@pytest.fixture
def copy(run, tmp_path) -> Path:
    return Path(shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("fragments", "track.json")))


def found(folder: Path, digest: str) -> dict[str, bytes]:
    """Return the fragments of a tracking by their place."""
    base = folder / "fragments" / digest[:12]
    return {str(path.relative_to(base)): path.read_bytes() for path in sorted(base.rglob("*.arrow"))}


def fragments(folder: Path, digest: str) -> list[Fragment]:
    return [Fragment.from_bytes(content) for content in found(folder, digest).values()]


@pytest.mark.parametrize("way", WAYS)
def test_what_tiles_of_any_size_hold_amounts_to_what_the_whole_raster_holds(made, run, tmp_path, way):
    options = WAYS[way]
    weak = options["mode"] != "footprint"
    done = track(TrackConfig(run=str(run), workers=1, **options))
    tracking = Tracking.from_json((run / "track.json").read_bytes())
    planes = ArrayPlanes(scores(), lattice_box(made))
    whole = track_tiles(tracking.search(tracking.grids[0]), planes, 1 << 20)
    expected = put_together(whole, tracking.connectivity, weak=weak)
    assert len(expected[0]) > 10
    assert put_together(fragments(run, done.digest), tracking.connectivity, weak=weak) == expected
    other = make_run(tmp_path / "other", replace(made, tile_px=96))
    done = track(TrackConfig(run=str(other), workers=1, **options))
    assert put_together(fragments(other, done.digest), tracking.connectivity, weak=weak) == expected


def test_shares_and_processes_change_no_byte(run, copy):
    options = WAYS["linked"] | {"link_days": 60}
    whole = track(TrackConfig(run=str(run), workers=1, **options))
    shares = [track(TrackConfig(run=str(copy), workers=1, shard=(share, 2), **options)) for share in (2, 1)]
    assert min(share.tiles for share in shares) > 0
    assert sum(share.tiles for share in shares) == whole.tiles
    assert found(copy, whole.digest) == found(run, whole.digest)
    shutil.rmtree(copy / "fragments")
    track(TrackConfig(run=str(copy), workers=2, **options))
    assert found(copy, whole.digest) == found(run, whole.digest)


def test_shares_of_a_small_plan_are_about_equal(copy):
    shares = [track(TrackConfig(run=str(copy), shard=(share, 2), dry_run=True)).tiles for share in (1, 2)]
    assert max(shares) - min(shares) <= 1
    assert sum(shares) == track(TrackConfig(run=str(copy), dry_run=True)).tiles > 1


def test_what_is_there_is_not_done_again(copy):
    first = track(TrackConfig(run=str(copy), workers=1, **WANTED))
    expected = found(copy, first.digest)
    lost = sorted((copy / "fragments").rglob("*.arrow"))[::4]
    for path in lost:
        path.unlink()
    again = track(TrackConfig(run=str(copy), workers=1, **WANTED))
    assert again.tiles - again.done_before == len(lost) == again.figures["tiles"]
    assert found(copy, first.digest) == expected
    assert track(TrackConfig(run=str(copy), workers=1, **WANTED)).figures.get("tiles", 0) == 0


class Stopping(Silent):
    """Asks to stop after some looks."""

    def __init__(self, looks: int) -> None:
        self.left = looks

    def stopping(self) -> bool:
        self.left -= 1
        return self.left < 0


def test_a_stopped_call_resumes(run, copy):
    whole = track(TrackConfig(run=str(run), workers=1, **WANTED))
    with pytest.raises(InterruptedRunError) as caught:
        track(TrackConfig(run=str(copy), workers=1, **WANTED), Stopping(40))
    assert caught.value.exit_code == 75
    left = len(found(copy, whole.digest))
    assert 0 < left < whole.tiles
    assert track(TrackConfig(run=str(copy), workers=1, **WANTED)).done_before == left
    assert found(copy, whole.digest) == found(run, whole.digest)


def test_other_options_stand_beside_the_first_and_the_last_is_named(copy):
    first = track(TrackConfig(run=str(copy), workers=1, **WANTED))
    before = found(copy, first.digest)
    second = track(TrackConfig(run=str(copy), workers=1, low=0.68, high=0.72))
    assert second.digest != first.digest
    assert found(copy, first.digest) == before
    assert Tracking.from_json((copy / "track.json").read_bytes()).digest == second.digest
    clean(CleanConfig(run=str(copy)))
    assert found(copy, first.digest) == {}
    assert len(found(copy, second.digest)) == second.tiles


def test_one_date_becomes_polygons_of_its_classes(copy, made):
    done = track(TrackConfig(run=str(copy), workers=1, start="2020-02-04", end="2020-02-04"))
    assert (done.mode, done.planes, done.salient) == ("polygons", 1, CLASSES[1:])
    values = scores()[1]
    best = np.where(values[0] == 255, -1, np.argmax(values, axis=0))
    parts = fragments(copy, done.digest)
    for kind in (1, 2):
        area = sum(int(part.area_px[part.kind == kind].sum()) for part in parts)
        assert area == (best == kind).sum() > 0
    assert {int(plane) for part in parts for plane in part.plane} == {1}


def test_days_choose_the_planes(copy):
    done = track(TrackConfig(run=str(copy), workers=1, start="2020-02-01", end="2020-03-01", **WANTED))
    tracking = Tracking.from_json((copy / "track.json").read_bytes())
    assert tracking.grids[0].planes == (1, 2)
    assert [time.date().isoformat() for time in tracking.grids[0].times] == list(DAYS)
    assert {int(p) for part in fragments(copy, done.digest) for p in part.series_plane} == {1, 2}
    assert {int(p) for part in fragments(copy, done.digest) for p in part.plane} == {AGGREGATED}


def test_missing_tiles_are_refused_or_written_down(made, tmp_path):
    folder = make_run(tmp_path / "run", made, left_out=[(3, 1), (4, 2)])
    with pytest.raises(CoverageError, match="2 tiles of the heatmap are missing, such as utm18n/") as caught:
        track(TrackConfig(run=str(folder), workers=1, **WANTED))
    assert "--allow-gaps" in caught.value.hint
    assert not (folder / "track.json").exists()
    done = track(TrackConfig(run=str(folder), workers=1, allow_gaps=True, **WANTED))
    gaps = json.loads((folder / "track.json").read_text())["gaps"]
    assert done.gaps == 2
    assert sorted(gaps.values()) == [[1], [2]]
    with pytest.raises(CoverageError, match="2 tiles were without scores when tracked"):
        consolidate(ConsolidateConfig(run=str(folder), deliver=False))
    assert sorted(json.loads((folder / "sites/gaps.json").read_text())["gaps_in_scores"].values()) == [[1], [2]]
    consolidate(ConsolidateConfig(run=str(folder), deliver=False, allow_gaps=True))


def test_a_tile_that_vanishes_while_tracking_is_an_error_and_not_a_hole(copy):
    done = track(TrackConfig(run=str(copy), workers=1, shard=(1, 50), **WANTED))
    opened.cache_clear()
    for marker in list((copy / "markers").rglob("*.json"))[:30]:
        marker.unlink()
    tiles = tuple(Tile("utm18n", int(p.stem.split("_")[0]), int(p.stem.split("_")[1])) for p in _tiles(copy))
    with pytest.raises(CoverageError, match="is missing from the heatmap"):
        run_job(TrackJob(str(copy), done.digest, tiles, False), Watching())


def _tiles(folder: Path) -> list[Path]:
    return sorted((folder / "markers").rglob("*.json"))


class Watching:
    def report(self, **figures: float) -> None: ...

    def stopping(self) -> bool:
        return False


def test_a_worker_without_the_document_is_refused(copy):
    with pytest.raises(PlanMismatchError, match="holds no tracking 0000"):
        run_job(TrackJob(str(copy), "0" * 64, (), False), Watching())


def test_a_damaged_document_is_told(copy):
    track(TrackConfig(run=str(copy), workers=1, **WANTED))
    with pytest.raises(DamagedError, match=r"track.json is damaged"):
        Tracking.from_json((copy / "track.json").read_bytes()[:100])


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"classes": ("Water",)}, ConfigError, "there is no class 'Water'"),
        ({"low": 0.7, "high": 0.4}, ConfigError, "--low is 0.7 and --high is 0.4"),
        ({"aggregate": "max", "mode": "linked"}, ConfigError, "--aggregate means nothing in the mode linked"),
        ({"aggregate": "norm:9"}, ConfigError, "aggregated by 'norm:9'"),
        ({"smooth_time": "3 weeks"}, ConfigError, "a window of '3 weeks'"),
        ({"open_px": -1}, ConfigError, "open_px is -1"),
        ({"coarse": 0}, ConfigError, "cells of 0 px"),
        ({"split_days": 0}, ConfigError, "--split-days is 0 days"),
        ({"split_days": 90, "mode": "linked"}, ConfigError, "split-days means nothing in the mode linked"),
        ({"mode": "linked", "link_days": 0}, ConfigError, "--link-days is 0 days"),
        ({"link_days": 30}, ConfigError, "link-days means nothing in the mode footprint"),
        ({"head": "change"}, ConfigError, "the heatmap has no head 'change'; it has scores"),
        ({"start": "2021-01-01"}, InputError, "no plane lies between 2021-01-01 and the last"),
        ({"start": "last week"}, ConfigError, "'last week' is no day"),
    ],
)
def test_what_cannot_be_looked_for_is_refused_before_anything_is_written(copy, options, error, said):
    with pytest.raises(error, match=said):
        track(TrackConfig(run=str(copy), **options))
    assert not (copy / "track.json").exists()
    assert not (copy / "fragments").exists()


def test_days_that_no_plane_lies_on_are_told_with_those_that_there_are(copy):
    with pytest.raises(InputError) as caught:
        track(TrackConfig(run=str(copy), end="1999-12-31"))
    assert re.fullmatch(r"choose from 20\d\d-\d\d-\d\d to 20\d\d-\d\d-\d\d", caught.value.hint)


def test_all_classes_that_a_pixel_has_one_of_are_not_looked_for_together_unasked(made, tmp_path):
    folder = make_run(tmp_path / "run", replace(made, classes=("bare", "green", "water")))
    with pytest.raises(ConfigError, match="no class of bare, green, water is called background"):
        track(TrackConfig(run=str(folder)))
    asked = {"run": str(folder), "workers": 1, "dry_run": True}
    assert track(TrackConfig(**asked, classes=("green",))).salient == ("green",)
    assert len(track(TrackConfig(**asked, classes=("bare", "green", "water"))).salient) == 3
    assert len(track(TrackConfig(**asked, mode="polygons")).salient) == 3


def test_images_without_dates_are_not_linked_over_days(made, tmp_path):
    folder = make_run(tmp_path / "run", replace(made, days=("plain",)))
    with pytest.raises(ConfigError, match="--link-days is given for imagery without dates"):
        track(TrackConfig(run=str(folder), mode="linked", link_days=30))
    track(TrackConfig(run=str(folder), workers=1, mode="linked"))


def test_a_tracking_without_links_over_days_has_the_digest_that_it_had(copy):
    track(TrackConfig(run=str(copy), workers=1, mode="linked", **WANTED))
    tracking = Tracking.from_json((copy / "track.json").read_bytes())
    older = tracking.model_dump_json(exclude={"split_days", "link_days"})
    assert tracking.digest == sha256(older.encode()).hexdigest()
    track(TrackConfig(run=str(copy), workers=1, mode="linked", link_days=30, **WANTED))
    assert Tracking.from_json((copy / "track.json").read_bytes()).link_days == 30


def test_a_run_without_a_heatmap_is_refused(made, tmp_path):
    folder = make_run(tmp_path / "run", made)
    (folder / "recipe.json").unlink()
    with pytest.raises(InputError, match="has no heatmap yet"):
        track(TrackConfig(run=str(folder)))


def test_a_dry_run_writes_nothing_and_the_command_says_where_fragments_are(copy):
    before = sorted(copy.rglob("*"))
    said = gw("track", "--run", copy, "--low", 0.5, "--dry-run")
    assert "tiles left: footprint of Site Preparation, Active Construction in 4 planes" in said
    assert sorted(copy.rglob("*")) == before
    said = gw("track", "--run", copy, "--connectivity", 8, "--classes", "Active Construction", "--workers", 1)
    tracking = Tracking.from_json((copy / "track.json").read_bytes())
    assert (tracking.connectivity, tracking.salient) == (8, ("Active Construction",))
    assert said.strip() == f"{copy}/fragments/{tracking.digest[:12]}"
    assert list((copy / "lineage" / "fragments" / tracking.digest[:12]).glob("*.json"))


def test_a_region_in_two_zones_is_tracked_on_a_grid_in_each(tmp_path):
    to_lonlat = Transformer.from_crs("EPSG:32618", "OGC:CRS84", always_xy=True)
    # The border between zones 17 and 18 is at 78 degrees west.
    left, top = 226_000.0, 4_000_000.0
    ring = [to_lonlat.transform(left + x, top - y) for x, y in ((20, 20), (6000, 20), (6000, 2000), (20, 2000))]
    region = tmp_path / "region.geojson"
    region.write_text(json.dumps({"type": "Polygon", "coordinates": [[*ring, ring[0]]]}))

    def scores(time: int, box: PixelBox) -> np.ndarray:
        y, x = np.mgrid[box.y0 : box.y1, box.x0 : box.x1]
        return np.rint(254 * (0.5 + 0.5 * np.sin(y / 9 + time) * np.sin(x / 7)))[np.newaxis].astype(np.uint8)

    made = Made((205, 605), DAYS, ("site",), scores, 64, region, origin=(left, top), resolution=10)
    folder = make_run(tmp_path / "run", made)
    done = track(TrackConfig(run=str(folder), workers=1, **WANTED))
    tracking = Tracking.from_json((folder / "track.json").read_bytes())
    assert [grid.grid for grid in tracking.grids] == ["utm17n", "utm18n"]
    places = found(folder, done.digest)
    assert len(places) == done.tiles == sum(grid.count for grid in read_plan(open_store(folder)).tiles)
    for grid in ("utm17n", "utm18n"):
        parts = [Fragment.from_bytes(content) for name, content in places.items() if name.startswith(grid)]
        assert sum(part.piece_count for part in parts) > 10
