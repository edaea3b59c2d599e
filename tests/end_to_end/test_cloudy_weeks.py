"""Weeks in which clouds or nodata hide all imagery: an empty map, no site that begins or ends, and no mistake.

The scenes and the network are made up (support/bright.py): bright blobs that are called cloud stand for sites.
"""

from __future__ import annotations

import json
from pathlib import Path

import geopandas
import numpy as np
import pyarrow as pa
import pytest
import rasterio
from support.bright import write_network, write_scene

from geowatch.errors import CoverageError, ImageryError
from geowatch.package.importing import import_onnx
from geowatch.package.spec import ImportSpec
from geowatch.sites.schema import problems
from geowatch.stages.binding.imagery import ImageryConfig
from geowatch.stages.consolidate import ConsolidateConfig, Consolidated, consolidate
from geowatch.stages.predict import PredictConfig
from geowatch.stages.run import Ran, RunConfig, run
from geowatch.stages.sites.tables import OBSERVATIONS, SITES
from geowatch.stages.stitch import StitchConfig, stitch
from geowatch.stages.tile import TileConfig
from geowatch.stages.track import TrackConfig, track
from geowatch.stages.working.events import Silent

WEEKS = ("2020-06-01", "2020-06-08", "2020-06-15")


class Heard(Silent):
    """Events whose notes are kept."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Three weeks, the second of which is nodata from side to side, and a package."""
    folder = tmp_path_factory.mktemp("weeks")
    write_network(folder / "cloud.onnx")
    spec = ImportSpec(bands=("blue", "green", "red", "nir"), classes=("ground", "cloud"), window=(128, 128))
    import_onnx(folder / "cloud.onnx", spec, folder / "package")
    for week in WEEKS:
        write_scene(folder, week, 1)
    with rasterio.open(folder / f"scene_{WEEKS[1]}.tif", "r+") as scene:
        scene.write(np.zeros((4, *scene.shape), "uint16"))
    return folder


def mapped(folder: Path, name: str, weeks: tuple[str, ...], region: str | None = None) -> tuple[Ran, list[str]]:
    """Make the maps of some weeks; return what was made, and the notes."""
    scenes = tuple(str(folder / f"scene_{week}.tif") for week in weeks)
    imagery, heard = ImageryConfig(images=scenes), Heard()
    config = RunConfig(
        TileConfig(run=str(folder / name), region=region, imagery=imagery, tile_size=256),
        PredictConfig(imagery=imagery, model=str(folder / "package"), workers=1),
        StitchConfig(probability=False, quicklook=False),
    )
    return run(config, heard), heard.notes


def sited(
    folder: Path, name: str, previous: str | None = None, mode: str = "linked", **asked: object
) -> tuple[Consolidated, list[str]]:
    """Track and consolidate a run; return what was made, and the notes."""
    heard = Heard()
    track(TrackConfig(run=str(folder / name), mode=mode, classes=("cloud",), workers=1), heard)
    before = None if previous is None else str(folder / previous)
    done = consolidate(ConsolidateConfig(run=str(folder / name), previous=before, region_id="ZZ_R001", **asked), heard)
    return done, heard.notes


def rows(folder: Path, key: str) -> list[dict]:
    return pa.ipc.open_file((folder / key).read_bytes()).read_all().to_pylist()


def test_a_week_of_clouds_alone_is_an_empty_result_that_says_why(folder):
    ran, notes = mapped(folder, "alone", WEEKS[1:2])
    assert (ran.stitched.coverage, ran.stitched.missing) == (0, 0)
    assert [note for note in notes if "no pixel of 2020-06-08 is valid" in note]
    (plane,) = json.loads((folder / "alone/coverage.json").read_text())["planes"]
    assert plane["no_imagery_px"] == plane["region_px"] == 600 * 600
    with rasterio.open(folder / "alone/map.tif") as image:
        assert (image.read(1) == image.nodata).all()
    done, notes = sited(folder, "alone")
    assert (done.sites, done.observations, done.missing) == (0, 0, 0)
    assert [note for note in notes if "no pixel of the run has a score" in note]
    assert not problems(json.loads((folder / "alone/sites/region_models/ZZ_R001.geojson").read_text()))
    for name in ("sites.parquet", "sites.gpkg", "sites.fgb", "sites.geojson"):
        read = geopandas.read_parquet if name.endswith("parquet") else geopandas.read_file
        assert len(read(folder / "alone/sites" / name)) == 0
    assert "100.0% has no valid imagery" in (folder / "alone/sites/report.html").read_text()


def test_who_requires_coverage_is_told(folder):
    mapped(folder, "required", WEEKS[1:2])
    with pytest.raises(CoverageError, match=r"0\.00% of the region has scores, 10\.00% are required") as told:
        stitch(StitchConfig(run=str(folder / "required"), require_coverage=0.1))
    assert told.value.exit_code == 1


@pytest.fixture(scope="module")
def maps(folder) -> list[str]:
    """The maps of each week, and of all of them."""
    names = ["first", "second", "third", "whole"]
    for name, weeks in zip(names, (*((week,) for week in WEEKS), WEEKS), strict=True):
        mapped(folder, name, weeks)
    return names


@pytest.mark.parametrize("mode", ["linked", "footprint"])
def test_a_week_of_clouds_leaves_open_sites_open_and_the_next_goes_on_as_in_one_run(folder, maps, mode):
    made = [
        sited(folder, name, previous, mode, outputs=("smart", "summary"))
        for name, previous in zip(maps, (None, "first", "second", None), strict=True)
    ]
    clear, cloudy, last, whole = (rows(folder / name, SITES) for name in maps)
    assert len(clear) > 3
    assert all(site["end"] is None for site in clear)
    assert cloudy == clear
    assert last == whole
    before, after = (rows(folder / name, OBSERVATIONS) for name in maps[:2])
    assert after == [{**row, "time": -1} for row in before]  # the axis of this run has none of them
    notes = made[1][1]
    assert [note for note in notes if "no site begins and none ends" in note]
    assert [note for note in notes if f"of {len(clear)} earlier sites {len(clear)} go on; 0 sites are new" in note]
    models = list(folder.glob("second/sites/*_models/*.geojson"))
    assert len(models) == len(clear) + 1
    assert not [wrong for model in models for wrong in problems(json.loads(model.read_text()))]


def test_imagery_of_another_place_stays_a_mistake(folder):
    ring = [[10.0, 50.0], [10.1, 50.0], [10.1, 50.1], [10.0, 50.1], [10.0, 50.0]]
    (folder / "elsewhere.geojson").write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    with pytest.raises(ImageryError, match="none overlaps the region") as told:
        mapped(folder, "elsewhere", WEEKS[1:2], str(folder / "elsewhere.geojson"))
    assert told.value.exit_code == 2
    assert not (folder / "elsewhere/recipe.json").exists()
