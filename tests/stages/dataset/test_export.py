"""What a run found is a bundle that the field's own tools take."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import rasterio
import shapely
from support.small_job import speckled, write_raster

from geowatch.datasets.bundle import read_bundle
from geowatch.datasets.segmentation import shape_of
from geowatch.datasets.sources import find_series
from geowatch.errors import ConfigError, InputError
from geowatch.stages.binding.imagery import ImageryConfig
from geowatch.stages.dataset.export import ExportConfig, export_dataset
from geowatch.stages.predict import predict
from geowatch.stages.predicting.config import PredictConfig
from geowatch.stages.predicting.timing import TimeConfig
from geowatch.stages.run import RunConfig, run
from geowatch.stages.stitch import StitchConfig, stitch
from geowatch.stages.tile import TileConfig, tile


def made(folder, package, *scenes):
    imagery = ImageryConfig(images=tuple(map(str, scenes)), sensor="sentinel-2-l2a")
    run(
        RunConfig(
            tile=TileConfig(run=str(folder), imagery=imagery, model=str(package), tile_size=256),
            predict=PredictConfig(run=str(folder), imagery=imagery, model=str(package), workers=1),
            stitch=replace(RunConfig().stitch, run=str(folder)),
        )
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory, tiny_package):
    """A run over two days."""
    from affine import Affine

    folder = tmp_path_factory.mktemp("export")
    place = Affine(10, 0, 300_000, 0, -10, 4_200_000)
    for day, seed in (("2020-06-01", 1), ("2020-06-11", 2)):
        write_raster(folder / f"scenes/s_{day}.tif", speckled(90, 120, seed), place)
    made(folder / "run", tiny_package, folder / "scenes")
    return folder / "run"


def validated(path):
    tool = Path(sys.executable).parent / "kwcoco"
    done = subprocess.run(
        [tool, "validate", "--corrupted=True", "--require_relative=1", path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_one_image_a_time_with_map_and_scores(finished):
    done = export_dataset(ExportConfig(str(finished)))
    assert (done.images, done.sites) == (2, 0)
    validated(done.file)
    bundle = read_bundle(Path(done.file))
    assert [c["name"] for c in bundle.categories] == ["background", "water", "forest"]
    assert all(c["color"].startswith("#") and len(c["color"]) == 7 for c in bundle.categories)
    assert [image["date_captured"][:10] for image in bundle.images] == ["2020-06-01", "2020-06-11"]
    assert [image["frame_index"] for image in bundle.images] == [0, 1]
    for image in bundle.images:
        assert [asset["channels"] for asset in image["assets"]][1] == "background|water|forest"
        for asset in image["assets"]:
            with rasterio.open(finished / asset["file_name"]) as file:
                assert (file.width, file.height) == (image["width"], image["height"])


def test_planes_that_show_the_same_frame_have_an_image_each(tmp_path, finished, tiny_package):
    imagery = ImageryConfig(images=(str(finished.parent / "scenes"),), sensor="sentinel-2-l2a")
    folder = tmp_path / "run"
    tile(TileConfig(run=str(folder), imagery=imagery, model=str(tiny_package), tile_size=256))
    predict(PredictConfig(run=str(folder), workers=1, time=TimeConfig(time_step_days=5, time_span_days=20)))
    stitch(StitchConfig(run=str(folder)))
    maps = sorted(folder.glob("map-*.tif"))
    done = export_dataset(ExportConfig(str(folder)))
    images = read_bundle(Path(done.file)).images
    assert len(maps) > 2
    assert [str(image["date_captured"])[:10] for image in images] == [path.stem.removeprefix("map-") for path in maps]
    assert len({image["name"] for image in images}) == len(maps)


def test_scores_read_back_as_they_are_stored(finished):
    done = export_dataset(ExportConfig(str(finished)))
    kwcoco = pytest.importorskip("kwcoco")
    bundle = kwcoco.CocoDataset(done.file)
    shown = bundle.coco_image(1).imdelay("water", space="video").finalize(nodata_method="float")
    key = next(a["file_name"] for a in bundle.imgs[1]["assets"] if "water" in a["channels"])
    with rasterio.open(finished / key) as file:
        stored, scale, nodata = file.read(2), file.scales[1], file.nodata
    known = stored != nodata
    np.testing.assert_allclose(shown[..., 0][known], stored[known] * scale, atol=1e-5)
    (scene, _) = find_series([done.file]).scenes
    assert scene.band("water").scale == pytest.approx(scale)


def tables(folder, sites, observations, crs="EPSG:32618"):
    (folder / "sites").mkdir(exist_ok=True)
    for name, rows in (("sites", sites), ("observations", observations)):
        table = pa.Table.from_pylist(rows).replace_schema_metadata({"crs": crs})
        with pa.ipc.new_file(str(folder / f"sites/{name}.arrow"), table.schema) as writer:
            writer.write_table(table)


def test_sites_are_tracks_with_outlines_in_pixels(finished, tmp_path):
    whole = shapely.box(300_100, 4_199_500, 300_400, 4_199_800)
    later = shapely.Polygon(whole.exterior, [shapely.box(300_200, 4_199_600, 300_250, 4_199_650).exterior])
    sites = [{"site_id": "R_0001", "class": "water", "grid": "32618", "geometry": whole.wkb}]
    observed = [
        {"site_id": "R_0001", "date": date(2020, 6, 1), "time": 0, "phase": None, "score": 0.5, "geometry": None},
        {"site_id": "R_0001", "date": date(2020, 6, 11), "time": 1, "phase": "Active Construction", "score": 0.75,
         "geometry": later.wkb},
        {"site_id": "R_0001", "date": date(2020, 6, 11), "time": 0, "phase": None, "score": 0.25, "geometry": None},
        {"site_id": "R_0001", "date": date(2021, 6, 11), "time": 9, "phase": None, "score": 0.1, "geometry": None},
    ]  # fmt: skip
    tables(finished, sites, observed)
    done = export_dataset(ExportConfig(str(finished), str(tmp_path / "out" / "p.kwcoco.zip")))
    assert (done.images, done.sites, done.outlines) == (2, 1, 3)
    bundle = read_bundle(Path(done.file))
    names = {c["id"]: c["name"] for c in bundle.categories}
    assert [(a["image_id"], names[a["category_id"]], a["score"]) for a in bundle.annotations] == [
        (1, "water", 0.5), (2, "Active Construction", 0.75), (2, "water", 0.25),
    ]  # fmt: skip
    assert bundle.tables["tracks"] == [{"id": 1, "name": "R_0001"}]
    assert shape_of(bundle.annotations[0], "x").equals(shapely.box(10, 20, 40, 50))
    assert shape_of(bundle.annotations[1], "x").area == 900 - 25
    assert bundle.annotations[0]["bbox"] == [10, 20, 30, 30]
    (finished / "sites/sites.arrow").unlink()
    (finished / "sites/observations.arrow").unlink()


def test_a_run_without_maps_is_refused(tmp_path):
    with pytest.raises(InputError, match="no maps"):
        export_dataset(ExportConfig(str(tmp_path)))
    with pytest.raises(ConfigError, match="no ending that says a form"):
        export_dataset(ExportConfig(str(tmp_path), "x.json"))
