"""Networks that give boxes, from imagery to sites: the same objects however the region was cut, killed or shown."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import geopandas
import numpy as np
import onnx
import pyarrow as pa
import pytest
from affine import Affine
from support.detectors import SIDE_PX, detector, said
from support.small_job import config_of, placed, plan_job, write_raster

from geowatch.errors import ConfigError, CoverageError, RecipeMismatchError
from geowatch.package.box_head import BoxesSpec
from geowatch.package.importing import import_onnx
from geowatch.package.manifest import HeadSpec
from geowatch.package.spec import ImportSpec
from geowatch.sites.detections import Detections
from geowatch.stages.clean import CleanConfig, clean
from geowatch.stages.consolidate import ConsolidateConfig, consolidate
from geowatch.stages.dataset.export import ExportConfig, export_dataset
from geowatch.stages.predict import predict
from geowatch.stages.predicting.looks import LooksConfig
from geowatch.stages.predicting.timing import TimeConfig
from geowatch.stages.status import status
from geowatch.stages.stitch import StitchConfig, stitch
from geowatch.stages.track import TrackConfig, track
from geowatch.stages.verify import VerifyConfig, verify

Run = Callable[..., Path]
BANDS = ("red", "green", "blue")


@pytest.fixture(scope="module")
def detector_package(tmp_path_factory) -> Path:
    """A stand-in for a trained detector: windows of 32 px that overlap by 10, at most 12 spots each."""
    folder = tmp_path_factory.mktemp("detector")
    onnx.save(detector(), folder / "net.onnx")
    spec = ImportSpec(bands=BANDS, overlap=10, min_score=0.45, max_overlap=0.3, **said("plain"))
    return import_onnx(folder / "net.onnx", spec, folder / "package").path


@pytest.fixture(scope="module")
def mixed_package(tmp_path_factory) -> Path:
    """The same with a score for each pixel beside the boxes."""
    folder = tmp_path_factory.mktemp("mixed")
    model = detector()
    model.graph.output.append(onnx.helper.make_tensor_value_info("grey", onnx.TensorProto.FLOAT, None))
    onnx.save(model, folder / "net.onnx")
    spec = ImportSpec(
        bands=BANDS,
        overlap=10,
        heads=(HeadSpec(name="light", output="grey", classes=("bright",), activation="none"),),
        boxes=(
            BoxesSpec(name="spots", boxes="boxes", scores="scores", classes=("spot",), min_score=0.45, max_overlap=0.3),
        ),
    )
    return import_onnx(folder / "net.onnx", spec, folder / "package").path


@pytest.fixture(scope="module")
def found(scene, region, detector_package, tmp_path_factory) -> Run:
    """Return a function that plans and predicts the small job with the detector."""

    def run(name: str, *, tile_size: int = 64, package: Path = detector_package, **options: object) -> Path:
        folder = tmp_path_factory.mktemp(name) / "run"
        plan_job(folder, region, scene, tile_size)
        predict(config_of(folder, scene, package, **options))
        return folder

    return run


@pytest.fixture(scope="module")
def whole(found) -> Path:
    """One tile."""
    run = found("whole", tile_size=4096)
    finish(run)
    return run


def finish(run: Path, **tracking: object) -> Path:
    stitch(StitchConfig(run=str(run)))
    track(TrackConfig(run=str(run), workers=1, **tracking))
    consolidate(ConsolidateConfig(run=str(run), deliver=False))
    return run


def everything(run: Path) -> dict[str, bytes]:
    """What must not depend on the cut."""
    return {
        name: (run / name).read_bytes()
        for name in ("objects.parquet", "quicklook.png", "sites/sites.arrow", "sites/observations.arrow")
    }


def files_of_boxes(run: Path) -> dict[str, bytes]:
    """Return the boxes as they are stored, by tile and time block."""
    folder = run / "detections"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.arrow")}


def windows_told(run: Path) -> bytes:
    parts = [Detections.from_bytes(data) for data in files_of_boxes(run).values()]
    return Detections.joined(parts).ordered().to_bytes()


@pytest.mark.parametrize(
    "options",
    [
        {"tile_size": 64},
        {"tile_size": 100, "batch": 1},
        {"tile_size": 23, "in_memory": True},
        {"tile_size": 64, "workers": 2},
    ],
    ids=str,
)
def test_objects_and_sites_do_not_depend_on_how_the_work_was_cut(whole, found, options):
    run = finish(found("cut", **options))
    assert windows_told(run) == windows_told(whole)
    assert everything(run) == everything(whole)


def test_each_object_is_there_once_and_on_valid_imagery(whole):
    table = geopandas.read_parquet(whole / "objects.parquet")
    assert len(table) > 100
    assert set(table["class"]) == {"spot"}
    assert table.crs.to_epsg() == 32618
    assert table.score.between(0.45, 1).all()
    middles = table.geometry.centroid
    pairs = table.sindex.query(table.geometry, predicate="intersects")
    apart = pairs[:, pairs[0] < pairs[1]]
    a, b = (table.geometry.to_numpy()[each] for each in apart)
    assert max((x.intersection(y).area / x.union(y).area for x, y in zip(a, b, strict=True)), default=0) < 0.3
    box, seen = placed(whole, "seen")
    columns = np.floor((middles.x - 5) / 10).to_numpy().astype(int) - box.x0
    rows = np.floor((5 - middles.y) / 10).to_numpy().astype(int) - box.y0
    assert (seen == 255).mean() > 0.1
    assert (seen[0, 0, rows, columns] != 255).all(), "an object stands on a pixel without imagery"


def test_a_tile_without_objects_is_finished(found):
    run = found("few", tile_size=23, min_score=0.56)
    markers = [json.loads(path.read_text()) for path in (run / "markers").rglob("*.json")]
    empty = [m for m in markers if not any("detections/" in each["key"] for each in m["objects"])]
    assert 0 < len(empty) < len(markers)
    assert status(str(run)).finished
    assert not verify(VerifyConfig(run=str(run))).damaged


def test_killed_processes_leave_nothing_wrong(whole, found, detector_package, scene, region, tmp_path):
    planned = tmp_path / "planned"
    plan_job(planned, region, scene, 64)
    moments = [("publish", 12, True), ("marker", 3, False)]
    asked = {
        "planned": str(planned), "folder": str(tmp_path), "scene": str(scene), "package": str(detector_package),
        "moments": moments, "random": 0, "seed": 1,
    }  # fmt: skip
    (tmp_path / "job.json").write_text(json.dumps(asked))
    script = Path(__file__).with_name("killing.py")
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), str(tmp_path / "job.json")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3000:]
    tried = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [(each["killed"], each["resumed"]) for each in tried] == [(-9, 0)] * len(moments)
    for each in tried:
        assert windows_told(Path(each["run"])) == windows_told(whole)


def test_damaged_boxes_are_found_and_made_again(found):
    run = found("damaged")
    before = windows_told(run)
    victim = sorted((run / "detections").rglob("*.arrow"))[2]
    victim.write_bytes(victim.read_bytes()[:-1] + b"x")
    assert len(verify(VerifyConfig(run=str(run), repair=True)).damaged) == 1
    stray = victim.with_name("9_9.arrow")
    stray.write_bytes(b"left by a killed process")
    assert f"{stray.relative_to(run)}" in clean(CleanConfig(run=str(run))).paths
    from geowatch.stages.predicting.config import PredictConfig

    predict(PredictConfig(run=str(run), workers=1))
    assert windows_told(run) == before


def test_maps_and_boxes_of_one_network(found, mixed_package, whole):
    run = found("mixed", package=mixed_package)
    stitch(StitchConfig(run=str(run)))
    assert {"map.tif", "quicklook.png", "objects.parquet"} <= {path.name for path in run.iterdir()}
    with pytest.raises(ConfigError, match="no head 'spot'; it has light, spots"):
        track(TrackConfig(run=str(run), head="spot"))
    boxes = track(TrackConfig(run=str(run), workers=1, head="spots"))
    assert boxes.salient == ("spot",)
    assert track(TrackConfig(run=str(run), workers=1)).salient == ("bright",)
    (objects,) = (geopandas.read_parquet(each / "objects.parquet") for each in (run,))
    assert objects.geometry.tolist() == geopandas.read_parquet(whole / "objects.parquet").geometry.tolist()


def test_missing_tiles_are_a_gap_unless_allowed(found):
    run = found("gap")
    next((run / "markers").rglob("*.json")).unlink()
    for refused in (lambda: stitch(StitchConfig(run=str(run))), lambda: track(TrackConfig(run=str(run)))):
        with pytest.raises(CoverageError, match="missing"):
            refused()
    stitch(StitchConfig(run=str(run), allow_gaps=True))
    track(TrackConfig(run=str(run), allow_gaps=True, workers=1))


def test_the_least_score_is_part_of_the_recipe(found, detector_package, scene):
    run = found("least", min_score=0.6)
    assert geopandas_scores(run).min() >= 0.6
    with pytest.raises(RecipeMismatchError, match="min_score"):
        predict(config_of(run, scene, detector_package, min_score=0.7))
    with pytest.raises(ConfigError, match=r"boxes from a score of 0\.2; the package drops"):
        predict(config_of(run, scene, detector_package, min_score=0.2))


def geopandas_scores(run: Path) -> np.ndarray:
    stitch(StitchConfig(run=str(run), quicklook=False))
    return geopandas.read_parquet(run / "objects.parquet").score.to_numpy()


def test_turned_windows_find_the_same_objects(found, whole):
    run = finish(found("turned", looks=LooksConfig(tta=("d4",))))
    mine, theirs = (geopandas.read_parquet(each / "objects.parquet") for each in (run, whole))
    shared = set(map(str, mine.geometry)) & set(map(str, theirs.geometry))
    assert len(shared) > 0.97 * len(theirs)


def test_scores_of_boxes_are_all_there_is_of_doubt(found):
    with pytest.raises(ConfigError, match="boxes alone"):
        found("doubt", looks=LooksConfig(tta=("d4",), uncertainty=("tta",)))


def test_windows_are_as_large_as_objects_need(whole):
    assert json.loads((whole / "recipe.json").read_text())["boxes"][0]["margin_px"] == 4
    assert SIDE_PX == 32


def write_days(folder: Path, *, cloudy: int) -> Path:
    """Write images of three days of one place: two lasting spots, one that comes, one that goes, and on one a cloud."""
    spots = {(30, 40): (0, 1, 2), (70, 33): (0, 1, 2), (20, 90): (1, 2), (80, 95): (0, 1)}
    for number, day in enumerate(("2020-05-01", "2020-05-11", "2020-05-21")):
        values = np.full((3, 110, 130), 1000, np.uint16)
        for (y, x), seen in spots.items():
            values[:, y, x] = 9000 if number in seen else 1000
        if number == cloudy:
            values[:, 60:80, 20:50] = 0
        write_raster(folder / f"image_{day}.tif", values, Affine(10, 0, 500_000, 0, -10, 4_000_000))
    return folder


@pytest.fixture(scope="module")
def days(tmp_path_factory) -> Path:
    """Images of three days, with a cloud on the last."""
    return write_days(tmp_path_factory.mktemp("days"), cloudy=2)


@pytest.mark.parametrize(
    "time", [TimeConfig(), TimeConfig(time_sampling="contiguous", time_block=2)], ids=["frames", "blocks"]
)
def test_objects_of_a_series_become_sites_with_dates(days, detector_package, tmp_path, time):
    tables = []
    for tile_size in (32, 4096):
        run = tmp_path / f"run{tile_size}"
        plan_job(run, None, days, tile_size)
        predict(config_of(run, days, detector_package, time=time))
        finish(run)
        tables.append((run / "sites/sites.arrow").read_bytes() + (run / "objects.parquet").read_bytes())
    assert tables[0] == tables[1]
    objects = geopandas.read_parquet(run / "objects.parquet")
    assert objects.groupby("plane").size().to_dict() == {0: 3, 1: 4, 2: 2}
    assert [str(each) for each in objects.time.dt.date.unique()] == ["2020-05-01", "2020-05-11", "2020-05-21"]
    with pa.ipc.open_file(run / "sites/sites.arrow") as reader:
        sites = reader.read_all()
    spans = sorted(zip(map(str, sites["start"].to_pylist()), map(str, sites["end"].to_pylist()), strict=True))
    assert len(spans) == 4
    assert spans[-1][0] == "2020-05-11"


@pytest.mark.parametrize("in_memory", [False, True])
def test_features_are_stored_beside_boxes(found, whole, in_memory):
    run = found("features", looks=LooksConfig(features="grey"), in_memory=in_memory)
    assert windows_told(run) == windows_told(whole)
    _, values = placed(run, "features")
    _, seen = placed(run, "seen")
    assert ((seen[0, 0] == 255) == np.isnan(values[0, 0])).all()
    assert np.nanmax(values) > 0.5


def test_shares_that_were_made_apart_are_joined(whole, scene, region, detector_package, tmp_path):
    parts = []
    for share in (1, 2):
        plan_job(tmp_path / f"part{share}", region, scene, 64)
        predict(config_of(tmp_path / f"part{share}", scene, detector_package, shard=(share, 2)))
        parts.append(str(tmp_path / f"part{share}"))
    stitch(StitchConfig(run=parts[0], parts=(parts[1],)))
    assert (tmp_path / "part1/objects.parquet").read_bytes() == (whole / "objects.parquet").read_bytes()


def test_planes_of_several_blocks_that_see_the_same_frames_keep_their_boxes(days, detector_package, tmp_path):
    tables = []
    for name, block in (("one", 1), ("many", 8)):
        time = TimeConfig(time_sampling="uniform", time_span_days=60, time_step_days=5, time_block=block)
        plan_job(tmp_path / name, None, days, 32)
        predict(config_of(tmp_path / name, days, detector_package, time=time))
        stitch(StitchConfig(run=str(tmp_path / name), quicklook=False, probability=False))
        tables.append(geopandas.read_parquet(tmp_path / name / "objects.parquet"))
    counts = tables[0].groupby("plane").size()
    assert len(counts) >= 5
    assert set(counts) <= {2, 3, 4}
    # Where blocks begin is absolute, so the axis may begin earlier.
    first, second = (table.drop(columns="plane") for table in tables)
    assert first.equals(second)
    # In memory each block is looked at alone.
    plan_job(tmp_path / "alone", None, days, 32)
    time = TimeConfig(time_sampling="uniform", time_span_days=60, time_step_days=5, time_block=1)
    predict(config_of(tmp_path / "alone", days, detector_package, time=time, in_memory=True))
    assert files_of_boxes(tmp_path / "alone") == files_of_boxes(tmp_path / "one")


@pytest.fixture(scope="module")
def hidden(detector_package, tmp_path_factory) -> Path:
    """A run over three days, with a cloud over a spot on the second."""
    folder = tmp_path_factory.mktemp("hidden")
    write_days(folder / "days", cloudy=1)
    plan_job(folder / "run", None, folder / "days", 32)
    predict(config_of(folder / "run", folder / "days", detector_package))
    stitch(StitchConfig(run=str(folder / "run")))
    return folder / "run"


@pytest.mark.parametrize("mode", ["linked", "footprint"])
def test_a_cloud_over_an_object_ends_no_site_when_it_is_seen_again(hidden, mode):
    finish(hidden, mode=mode)
    with pa.ipc.open_file(hidden / "sites/sites.arrow") as reader:
        sites = reader.read_all().to_pylist()
    spans = sorted((str(site["start"]), str(site["end"])) for site in sites)
    assert spans == [
        ("2020-05-01", "2020-05-21"), ("2020-05-01", "None"), ("2020-05-01", "None"), ("2020-05-11", "None"),
    ]  # fmt: skip
    with pa.ipc.open_file(hidden / "sites/observations.arrow") as reader:
        seen = reader.read_all().to_pydict()
    dates = [[str(d) for s, d in zip(seen["site_id"], seen["date"], strict=True) if s == x["site_id"]] for x in sites]
    assert ["2020-05-01", "2020-05-21"] in dates, "the cloud's day is no observation"


def test_objects_of_a_run_are_labels_of_a_bundle(hidden, tmp_path):
    done = export_dataset(ExportConfig(str(hidden), str(tmp_path / "found.kwcoco.json")))
    tool = Path(sys.executable).parent / "kwcoco"
    checked = subprocess.run(
        [tool, "validate", "--corrupted=True", done.file], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    document = json.loads(Path(done.file).read_text())
    objects = geopandas.read_parquet(hidden / "objects.parquet")
    labels = [each for each in document["annotations"] if "track_id" not in each]
    names = {each["id"]: each["date_captured"][:10] for each in document["images"]}
    kinds = {each["id"]: each["name"] for each in document["categories"]}
    assert (len(document["images"]), len(labels)) == (3, len(objects))
    for row, label in zip(objects.itertuples(), labels, strict=True):
        assert (names[label["image_id"]], kinds[label["category_id"]]) == (str(row.time.date()), "spot")
        assert label["score"] == row.score
        x0, y0, width, height = label["bbox"]
        left, bottom, right, top = row.geometry.bounds
        placed_at = (500_000 + 10 * x0, 4_000_000 - 10 * (y0 + height), 500_000 + 10 * (x0 + width))
        assert (*placed_at, 4_000_000 - 10 * y0) == pytest.approx((left, bottom, right, top))
