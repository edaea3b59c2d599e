from datetime import UTC, datetime

import numpy as np
import pytest
import rioxarray  # noqa: F401 - registers the accessor
import xarray as xr

from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.grid.plan import Grid
from geowatch.grid.tiles import Tile
from geowatch.stitch.cores import CoreRow
from geowatch.stitch.heatmap import HeadLayout, HeatmapLayout, is_shard
from geowatch.stitch.publish import publish_core
from geowatch.stitch.quantise import Quantiser
from geowatch.store import LocalStore

GRID = Grid("utm18n", Lattice("EPSG:32618", -10.0, 10.0, 5.0, 5.0), 64, PixelBox(-400_050, 50_010, -399_930, 50_140))


def layout(*heads, times=(datetime(2020, 6, 1, 10, tzinfo=UTC),)):
    return HeatmapLayout(GRID, heads or (HeadLayout("cover", ("bare", "tree"), Quantiser("uint8")),), times)


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_xarray_opens_it_as_it_is_with_crs_times_classes_and_pixel_centres(tmp_path):
    store, made = LocalStore(tmp_path), layout()
    made.publish(store)
    head = made.heads[0]
    tile = Tile("utm18n", -400_050 // 64, 50_010 // 64)
    row = CoreRow(GRID, (tile,), (head,))
    part = GRID.work(tile)
    scores = np.random.default_rng(0).random((2, *part.shape), np.float32)
    row.put(part, (scores,), np.ones(part.shape, bool))
    publish_core(store, made, next(iter(row.cores())), 0, "ab" * 32)

    opened = xr.open_zarr(tmp_path / "heatmap.zarr")
    assert opened.cover.dims == ("time", "class", "y", "x")
    assert opened.rio.crs.to_epsg() == 32618
    assert opened.time.values[0] == np.datetime64("2020-06-01T10:00")
    corner = opened.cover.sel({"class": "tree"}).isel(time=0)
    left, _, _, top = GRID.lattice.bounds(part)
    at = corner.sel(x=left + 5, y=top - 5, method="nearest", tolerance=1e-6)
    assert abs(float(at) - scores[1, 0, 0]) <= 0.5 / 254 + 1e-6
    assert np.isnan(corner.isel(y=0, x=0))
    assert tuple(opened.cover.rio.transform())[:6] == tuple(GRID.lattice.affine_of(GRID.array_box))[:6]


def test_metadata_is_the_same_whoever_publishes_it(tmp_path):
    assert layout().metadata() == layout().metadata()
    store = LocalStore(tmp_path)
    layout().publish(store)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()}
    layout().publish(store)
    assert {p: p.stat().st_mtime_ns for p in before} == before


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_heads_with_other_classes_have_axes_of_their_own(tmp_path):
    heads = (
        HeadLayout("cover", ("bare", "tree"), Quantiser("uint8")),
        HeadLayout("height", ("metres",), Quantiser("float32"), activation="none"),
    )
    layout(*heads, times=(None,)).publish(LocalStore(tmp_path))
    opened = xr.open_zarr(tmp_path / "heatmap.zarr")
    assert opened.cover.dims[1] == "class_cover"
    assert opened.height.dtype == np.float32
    assert np.isnat(opened.time.values[0])


def test_shards_are_told_from_metadata():
    assert is_shard("heatmap.zarr/cover/c/0/0/12/7")
    assert not is_shard("heatmap.zarr/x/c/0")
    assert not is_shard("heatmap.zarr/cover/zarr.json")


def test_uncertainty_and_features_leave_the_class_axis_to_the_scores(tmp_path):
    heads = (
        HeadLayout("scores", ("bare", "tree"), Quantiser("uint8")),
        HeadLayout("uncertainty", ("entropy",), Quantiser("uint8"), kind="uncertainty"),
        HeadLayout("features", ("0", "1", "2"), Quantiser("float16"), kind="features", reduction=8),
    )
    layout(*heads).publish(LocalStore(tmp_path))
    opened = xr.open_zarr(tmp_path / "heatmap.zarr", consolidated=False)
    assert opened.scores.dims == ("time", "class", "y", "x")
    assert opened.uncertainty.dims == ("time", "class_uncertainty", "y", "x")
    assert opened.features.dims == ("time", "class_features", "y_8", "x_8")
    affine = GRID.lattice.affine_of(GRID.array_box)
    assert opened.features.x_8.values[0] == affine.c + 4 * affine.a
