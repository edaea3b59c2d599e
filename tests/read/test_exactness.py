"""Reading a part equals reading the whole: on real imagery, for every kernel, ratio and CRS."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.enums import Resampling
from rasterio.io import MemoryFile
from rasterio.vrt import WarpedVRT

from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.read.catalog import find_scenes
from geowatch.read.frames import make_frames
from geowatch.read.options import SceneOptions
from geowatch.read.plan import RESAMPLINGS, FramePlan, lattice_of, plan_frame
from geowatch.read.reader import FrameReader, Patch

#: CRS, and the step in its units that is about one Landsat pixel there.
SYSTEMS = [("EPSG:32616", 30.0), ("EPSG:32615", 30.0), ("EPSG:3857", 35.0), ("EPSG:4326", 3e-4)]
#: The whole is at most this long and wide (pixels), to keep the suite short.
SIDE_PX = 1100


@pytest.fixture(scope="module")
def landsat(shared_data):
    catalog = find_scenes([shared_data("landsat8_l1")], SceneOptions(mask=("fill", "cloud")))
    return make_frames(catalog.scenes)[0]


@pytest.fixture(scope="module")
def sentinel(shared_data):
    return make_frames(find_scenes([shared_data("sentinel2_l1c")]).scenes)[0]


def whole_box(plan: FramePlan) -> PixelBox:
    e = plan.extent
    return e & PixelBox(e.y0, e.x0, e.y0 + SIDE_PX, e.x0 + SIDE_PX)


def read(plan: FramePlan, box: PixelBox, cache_bytes: int = 0) -> Patch:
    with FrameReader(plan, cache_bytes=cache_bytes) as reader:
        return reader.read(box)


def assert_part(part: Patch, box: PixelBox, whole: Patch, all_of_it: PixelBox) -> None:
    rows, cols = box.within(all_of_it)
    assert part.valid.tobytes() == np.ascontiguousarray(whole.valid[rows, cols]).tobytes()
    assert part.values.tobytes() == np.ascontiguousarray(whole.values[:, rows, cols]).tobytes()


def random_boxes(outer: PixelBox, seed: int, count: int) -> list[PixelBox]:
    rng = np.random.default_rng(seed)
    ys = np.sort(rng.integers(0, outer.height + 1, (count, 2)))
    xs = np.sort(rng.integers(0, outer.width + 1, (count, 2)))
    boxes = [
        PixelBox(outer.y0 + int(y[0]), outer.x0 + int(x[0]), outer.y0 + int(y[1]), outer.x0 + int(x[1]))
        for y, x in zip(ys, xs, strict=True)
    ]
    corners = [
        PixelBox(outer.y0, outer.x0, outer.y0 + 1, outer.x0 + 1),
        PixelBox(outer.y1 - 1, outer.x1 - 1, outer.y1, outer.x1),
    ]
    return [b for b in boxes if b] + corners


@given(
    ratio=st.floats(0.3, 4.0),
    system=st.sampled_from(SYSTEMS),
    resampling=st.sampled_from(RESAMPLINGS),
    phase=st.tuples(st.floats(0, 0.999), st.floats(0, 0.999)),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=25, deadline=None)
def test_random_parts_have_the_bytes_of_the_whole(landsat, ratio, system, resampling, phase, seed):
    crs, step = system
    lattice = Lattice(crs, -step * ratio, step * ratio, phase[0] * step * ratio, phase[1] * step * ratio)
    plan = plan_frame(landsat, ["red", "nir"], lattice, resampling=resampling)
    outer = whole_box(plan)
    whole = read(plan, outer, cache_bytes=2**26)
    assert whole.valid.any()
    for box in random_boxes(outer, seed, 4):
        assert_part(read(plan, box), box, whole, outer)


@pytest.mark.parametrize("resampling", RESAMPLINGS)
def test_tiles_of_any_size_join_to_the_whole(sentinel, resampling):
    # 10, 20 and 60 m bands in one cube, on the lattice of the finest
    bands = ["red", "swir16", "coastal"]
    plan = plan_frame(sentinel, bands, lattice_of(sentinel.scenes, bands), resampling=resampling)
    outer = PixelBox(plan.extent.y1 - 700, plan.extent.x1 - 600, plan.extent.y1, plan.extent.x1)
    whole = read(plan, outer)
    for size, cache_bytes in ((160, 2**22), (333, 0)):
        with FrameReader(plan, cache_bytes=cache_bytes) as reader:
            for block in outer.blocks(size):
                box = block & outer
                assert_part(reader.read(box), box, whole, outer)


@pytest.mark.parametrize("resampling", RESAMPLINGS)
@pytest.mark.parametrize(
    ("system", "ratio"), [(SYSTEMS[0], 0.4), (SYSTEMS[0], 2.3), (SYSTEMS[1], 0.7), (SYSTEMS[2], 1.0)]
)
def test_no_seam_shows_between_blocks(shared_data, system, ratio, resampling):
    """Against one warp of the whole by GDAL with the same kernel scale.

    Equal CRS: to float32's rounding. Other CRS: to the tolerance of the transform, a ten-thousandth of a pixel, by
    which values of up to 65,535 move by less than 3; under ``nearest`` a centre that falls on the very edge between
    two source pixels may go to the other one. Left out is a rim as wide as the kernel at the imagery's own edge,
    where GDAL weighs differently (it has no block edges there).
    """
    crs, step = system
    frame = make_frames(find_scenes([shared_data("landsat8_l1") / "l8_B5.tif"]).scenes)[0]
    lattice = Lattice.at(crs, step * ratio, (7.3, 3.1) if step > 1 else (7e-5, 3e-5))
    plan = plan_frame(frame, ["nir"], lattice, resampling=resampling)
    outer = whole_box(plan)
    patch = read(plan, outer)
    expected = warp_whole(plan, outer, Resampling[resampling])
    assert (patch.valid != np.isfinite(expected)).sum() <= 5
    difference = np.abs(np.where(patch.valid, patch.values[0] - expected, 0))
    rim = math.ceil(4 / ratio)
    inner = difference[rim:-rim, rim:-rim]
    if crs == "EPSG:32616":
        assert inner.max() <= (1.0 if resampling == "lanczos" else 0.01)
    elif resampling == "nearest":
        assert (inner > 3).sum() <= 60
    else:
        assert inner.max() <= 3


def warp_whole(plan: FramePlan, box: PixelBox, kernel: Resampling) -> np.ndarray:
    band, sampling = plan.scenes[0].scene.bands[0], plan.scenes[0].bands[0]
    with rasterio.open(band.uri) as source, MemoryFile() as memory:
        profile = {**source.profile, "dtype": "float32", "nodata": np.nan, "driver": "GTiff"}
        with memory.open(**profile) as copy:
            copy.write(source.read(1).astype("float32"), 1)
        options = {
            "tolerance": 1e-9,
            "XSCALE": sampling.scale[0],
            "YSCALE": sampling.scale[1],
            "SOURCE_EXTRA": 64,
        }
        with (
            memory.open() as copy,
            WarpedVRT(
                copy,
                crs=plan.lattice.crs,
                transform=plan.lattice.affine_of(box),
                width=box.width,
                height=box.height,
                resampling=kernel,
                nodata=np.nan,
                src_nodata=np.nan,
                **options,
            ) as vrt,
        ):
            return vrt.read(1)


@pytest.mark.parametrize("resampling", RESAMPLINGS)
@pytest.mark.parametrize("ratio", [0.6, 1.0, 2.3])
def test_what_lies_under_nodata_changes_nothing(tmp_path: Path, write_image, noise, resampling, ratio):
    pixels = noise((300, 280))
    hole = np.zeros(pixels.shape, bool)
    hole[40:90, 60:65] = hole[200:, 250:] = hole[150, 150] = True
    patches = []
    for name, junk in (("a", 0), ("b", 65_535)):
        band = write_image(tmp_path / name / "x_B04.tif", pixels)
        mask = np.where(hole, 1, 0).astype("uint8")
        with rasterio.open(band, "r+") as dataset:
            dataset.write(np.where(hole, junk, pixels).astype("uint16"), 1)
            dataset.write_mask(np.where(mask, 0, 255).astype("uint8"))
        frame = make_frames(find_scenes([tmp_path / name]).scenes)[0]
        plan = plan_frame(frame, ["red"], Lattice.at("EPSG:32618", 10 * ratio, (3.0, 4.0)), resampling=resampling)
        patches.append(read(plan, plan.extent))
    assert not patches[0].valid.all()
    assert patches[0].valid.tobytes() == patches[1].valid.tobytes()
    assert patches[0].values.tobytes() == patches[1].values.tobytes()
