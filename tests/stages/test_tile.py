"""The tile stage: region, imagery and model in; a run folder with a plan out."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image

from geowatch.errors import ConfigError, ImageryError, MemoryBudgetError, PlanMismatchError, RegionError
from geowatch.grid.lattice import PixelBox
from geowatch.stages.binding.imagery import IMAGERY, ImageryConfig
from geowatch.stages.binding.planned import summary
from geowatch.stages.tile import TileConfig, tile
from geowatch.store import LocalStore
from geowatch.store.plans import read_plan, read_tiles

SQUARE = {
    "type": "Polygon",
    "coordinates": [[[-72.5, 40], [-72.45, 40], [-72.45, 40.05], [-72.5, 40.05], [-72.5, 40]]],
}


class Heard:
    """Records what a stage says."""

    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)

    def progress(self, stage, done, total, **figures):
        """Not told here."""

    def stopping(self):
        return False


@pytest.fixture
def region(tmp_path):
    path = tmp_path / "place.geojson"
    path.write_text(json.dumps(SQUARE))
    return str(path)


@pytest.fixture
def base(region, tmp_path):
    return TileConfig(region=region, run=str(tmp_path / "run"), resolution=10, tile_size=128)


@pytest.fixture
def scene(tmp_path):
    """A GeoTIFF of three bands whose pixel corners lie 3 m off, over the square."""
    path = tmp_path / "scene.tif"
    profile = {
        "driver": "GTiff",
        "width": 500,
        "height": 620,
        "count": 3,
        "dtype": "uint8",
        "crs": "EPSG:32618",
    }
    with rasterio.open(path, "w", transform=Affine(10, 0, 712003, 0, -10, 4436003), **profile) as file:
        file.write(np.full((3, 620, 500), 100, np.uint8))
    return ImageryConfig(images=(str(path),), bands=("red", "green", "blue"), scale=1 / 255)


def keys(config):
    return sorted(LocalStore(Path(config.run)).list())


def test_a_region_becomes_a_run_folder(base, tmp_path):
    plan = tile(base)
    store = LocalStore(tmp_path / "run")
    assert read_plan(store) == plan
    assert len(read_tiles(store, plan, "utm18n")) == plan.tile_count > 0
    assert plan.region.id == "place"
    assert [key for key in keys(base) if not key.startswith("lineage")] == [
        "plan/plan.json", "plan/tiles.parquet", "run.json",
    ]  # fmt: skip
    assert any(key.startswith("lineage/plan/plan.json/") for key in keys(base))


def test_a_dry_run_plans_and_writes_nothing(base, tmp_path):
    assert tile(replace(base, dry_run=True)).id == tile(base).id
    assert not (tmp_path / "elsewhere").exists()
    tile(replace(base, dry_run=True, run=str(tmp_path / "elsewhere")))
    assert not (tmp_path / "elsewhere").exists()


def test_a_second_call_may_leave_everything_out(base):
    plan = tile(base)
    assert tile(TileConfig(run=base.run)) == plan


def test_other_options_are_refused_with_the_difference(base, tmp_path):
    tile(base)
    for change, fact in (
        ({"resolution": 20.0}, "resolution 10 there, 20 asked"),
        ({"tile_size": 256}, "tile size 128 there, 256 asked"),
    ):
        with pytest.raises(PlanMismatchError, match=fact) as caught:
            tile(replace(base, **change))
        assert "--run" in caught.value.hint
    other = tmp_path / "other.geojson"
    other.write_text(json.dumps(SQUARE).replace("40.05", "40.06"))
    with pytest.raises(PlanMismatchError, match=r"place\.geojson there, .*other\.geojson asked"):
        tile(replace(base, region=str(other)))


def test_options_that_move_no_tile_may_change(base):
    plan = tile(base)
    assert tile(replace(base, memory_bytes=10**9, machine="g5.xlarge", geojson=True)).id == plan.id
    assert "plan/tiles.geojson" in keys(base)


def test_an_option_given_later_that_moves_tiles_is_refused(base, scene):
    tile(base)
    with pytest.raises(PlanMismatchError, match="phase 0, 0 there, 3, 3 now"):
        tile(replace(base, imagery=scene))


def test_notes_on_the_region_are_told(base, tmp_path):
    bow = tmp_path / "bow.geojson"
    bow.write_text(
        json.dumps(
            {
                "type": "Polygon",
                "coordinates": [[[-72.5, 40], [-72.4, 40.1], [-72.4, 40], [-72.5, 40.1], [-72.5, 40]]],
            }
        )
    )
    heard = Heard()
    tile(replace(base, region=str(bow)), heard)
    assert any("repaired" in note for note in heard.notes)


def test_the_imagery_gives_resolution_and_phase(base, scene):
    plan = tile(replace(base, resolution=None, imagery=scene))
    lattice = plan.grids[0].lattice
    assert (lattice.crs, lattice.step_x, lattice.phase_x, lattice.phase_y) == ("EPSG:32618", 10, 3, 3)


def test_without_a_region_all_of_the_images_is_planned(base, scene):
    plan = tile(replace(base, region=None, resolution=None, imagery=scene))
    assert plan.region is None
    assert plan.grids[0].bounds.shape == (620, 500)
    assert plan.estimate.output_px == 620 * 500


def test_images_of_several_zones_need_a_grid_that_is_asked_for(base, scene, tmp_path):
    other = tmp_path / "other.tif"
    profile = {"driver": "GTiff", "width": 50, "height": 62, "count": 3, "dtype": "uint8", "crs": "EPSG:32619"}
    with rasterio.open(other, "w", transform=Affine(10, 0, 202003, 0, -10, 4436003), **profile) as file:
        file.write(np.full((3, 62, 50), 100, np.uint8))
    both = replace(scene, images=(*scene.images, str(other)))
    for options in ({"resolution": None}, {"region": None}):
        with pytest.raises(ImageryError, match="several CRSs") as caught:
            tile(replace(base, imagery=both, **options))
        assert "--crs" in caught.value.hint
    assert tile(replace(base, imagery=both)).grids[0].lattice.phase_x == 0
    whole = tile(replace(base, region=None, imagery=both, crs="EPSG:3857", run=base.run + "0"))
    assert whole.grids[0].id == "epsg3857"


def test_a_photograph_is_planned_on_its_own_pixels(tmp_path):
    Image.new("RGB", (300, 200), (9, 9, 9)).save(tmp_path / "photo.png")
    config = TileConfig(
        run=str(tmp_path / "run"), imagery=ImageryConfig(images=(str(tmp_path / "photo.png"),)), tile_size=128
    )
    plan = tile(config)
    assert plan.grids[0].id == "pixels"
    assert plan.grids[0].bounds == PixelBox(0, 0, 200, 300)
    with pytest.raises(ConfigError, match="no georeference"):
        tile(replace(config, run=str(tmp_path / "other"), resolution=10))


def test_a_model_makes_counts_known_and_binds(base, scene, tiny_package):
    unknown = tile(replace(base, run=base.run + "0", resolution=None, imagery=scene))
    assert unknown.estimate.windows is None
    config = replace(base, resolution=None, imagery=scene, model=str(tiny_package))
    cost = tile(config).estimate
    assert cost.windows > 0
    assert cost.redundancy > 1
    assert cost.read_bytes > cost.output_px * 3
    assert cost.write_bytes == cost.output_px * 3
    assert cost.memory_bytes > 0
    assert {IMAGERY, "package.json", "run.json"} <= set(keys(config))
    assert tile(TileConfig(run=config.run)).estimate == cost


def test_imagery_may_be_bound_after_the_plan(base, scene, tiny_package):
    config = replace(base, origin=(3, 3))
    plan = tile(config)
    bound = tile(replace(config, imagery=scene, model=str(tiny_package)))
    assert bound.id == plan.id
    assert bound.estimate.windows > 0
    assert IMAGERY in keys(config)


def test_windows_alone_are_counted_without_a_model(base):
    plan = tile(replace(base, window=64, overlap=16))
    assert plan.estimate.windows > 0
    assert plan.load.windows.stride == (48, 48)
    assert plan.estimate.memory_bytes is None


def test_summary_says_what_is_known(base, scene, tiny_package):
    known = dict(summary(tile(replace(base, resolution=None, imagery=scene, model=str(tiny_package)))))
    assert {
        "plan",
        "region",
        "grid",
        "tiles",
        "output",
        "windows",
        "redundancy",
        "reads",
        "writes",
        "memory",
    } <= set(known)
    assert known["region"] == "place"
    assert "pixels of 10 x 10" in known["grid"]
    assert "a worker" in known["memory"]
    unknown = dict(summary(tile(replace(base, run=base.run + "0"))))
    assert "windows" not in unknown
    assert "price" not in unknown


def test_prices_come_from_a_file(base, tmp_path, tiny_package, scene):
    rates = tmp_path / "rates.json"
    machine = {"description": "d", "gflops": 1e-6, "read_bytes_per_s": 1, "price_per_hour": 2, "source": "me"}
    rates.write_text(
        json.dumps(
            {
                "schema_version": "1",
                "date": "2026-01-01",
                "currency": "EUR",
                "default": "own",
                "machines": {"own": machine},
            }
        )
    )
    config = replace(base, resolution=None, imagery=scene, model=str(tiny_package), rates=str(rates))
    known = dict(summary(tile(config)))
    assert known["price"].endswith("EUR")
    assert "own" in known["time"]
    with pytest.raises(ConfigError, match="cannot be read"):
        tile(replace(config, rates=str(tmp_path / "none.json")))


@pytest.mark.parametrize(
    ("change", "error", "fact"),
    [
        ({"resolution": None}, RegionError, "how large a pixel"),
        ({"region": "nowhere.geojson"}, RegionError, "nowhere.geojson' cannot be read"),
        ({"crs": "nonsense"}, ConfigError, "no CRS"),
        ({"tile_size": -5}, ConfigError, "tiles of -5 px"),
        ({"machine": "abacus"}, ConfigError, "no machine 'abacus'"),
        ({"region": None, "resolution": None}, ConfigError, "neither a region nor images"),
        ({"imagery": ImageryConfig(images=("nowhere.tif",))}, ImageryError, "nowhere.tif"),
    ],
)
def test_what_cannot_be_planned_leaves_nothing_behind(base, tmp_path, change, error, fact):
    with pytest.raises(error, match=fact) as caught:
        tile(replace(base, **change))
    assert caught.value.hint
    assert not (tmp_path / "run").exists()


def test_geojson_that_cannot_be_leaves_nothing_behind(tmp_path):
    Image.new("RGB", (30, 20), (9, 9, 9)).save(tmp_path / "photo.png")
    images = ImageryConfig(images=(str(tmp_path / "photo.png"),))
    with pytest.raises(ConfigError, match="no georeference"):
        tile(TileConfig(run=str(tmp_path / "run"), imagery=images, geojson=True))
    assert not (tmp_path / "run").exists()


def test_a_region_file_that_is_no_json_is_refused(base, tmp_path):
    (tmp_path / "bad.geojson").write_text("{")
    with pytest.raises(RegionError, match="not JSON"):
        tile(replace(base, region=str(tmp_path / "bad.geojson")))


def test_too_little_memory_is_refused_and_windows_that_do_not_fit_the_network(base, scene, tiny_package):
    config = replace(base, resolution=None, imagery=scene, model=str(tiny_package))
    with pytest.raises(MemoryBudgetError, match="may take 1 MB"):
        tile(replace(config, memory_bytes=10**6))
    assert tile(replace(config, window=64)).load.windows.size == (64, 64)


def test_all_smart_regions_become_plans(shared_data, tmp_path):
    for file in sorted(shared_data("smart/region_models").glob("*.geojson")):
        config = TileConfig(region=str(file), run=str(tmp_path / file.stem), resolution=10)
        assert tile(config).region.id == file.stem
