"""What is decoded, how often, and where it is written to."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import rasterio

from geowatch.errors import CorruptImageError
from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.read import source
from geowatch.read.catalog import SceneOptions, find_scenes
from geowatch.read.frames import make_frames
from geowatch.read.plan import FramePlan, plan_frame
from geowatch.read.reader import FrameReader, Patch

LATTICE = Lattice.at("EPSG:32618", 10.0)
BANDS = ("red", "green", "blue")
STORED = {
    "blocks of 128": {"tiled": True, "blockxsize": 128, "blockysize": 128, "compress": "deflate"},
    "blocks of 512": {"tiled": True, "blockxsize": 512, "blockysize": 512},
    "planes": {"tiled": True, "blockxsize": 256, "blockysize": 256, "interleave": "band", "compress": "lzw"},
    "rows": {"compress": "deflate"},
    "jpeg 2000": {"driver": "JP2OpenJPEG", "QUALITY": "100", "REVERSIBLE": "YES", "BLOCKXSIZE": 256, "BLOCKYSIZE": 256},
}


def plan_of(path: Path, wanted: tuple[str, ...] = BANDS, lattice: Lattice = LATTICE, **options) -> FramePlan:
    (frame,) = make_frames(find_scenes([path], SceneOptions(**options)).scenes)
    return plan_frame(frame, wanted, lattice)


def strips(box: PixelBox, rows: int) -> list[PixelBox]:
    return [PixelBox(y, box.x0, min(y + rows, box.y1), box.x1) for y in range(box.y0, box.y1, rows)]


def blocks_of(path: Path) -> int:
    with rasterio.open(path) as dataset:
        high, wide = dataset.block_shapes[0]
        return math.ceil(dataset.height / high) * math.ceil(dataset.width / wide)


@pytest.mark.parametrize("kind", STORED)
@pytest.mark.parametrize("rows", [48, 192, 700])
def test_a_pass_of_strips_decodes_each_stored_block_once(tmp_path, write_image, noise, kind, rows):
    pixels = noise((3, 1100, 1300))
    path = write_image(tmp_path / "x.tif", pixels, **STORED[kind])
    plan = plan_of(path, bands=BANDS)
    with FrameReader(plan, cache_bytes=plan.pass_bytes(1300)) as reader:
        seen = np.concatenate([reader.read(strip).values for strip in strips(plan.extent, rows)], axis=1)
        assert reader.blocks_decoded == blocks_of(path)
        assert reader.bytes_read == pixels.nbytes
    assert np.array_equal(seen, pixels.astype("float32"))


def test_a_pass_over_bands_in_files_of_their_own_decodes_each_block_once(tmp_path, write_image, noise):
    paths = [
        write_image(tmp_path / f"x_{name}.tif", noise((900, 700), seed=i), tiled=True) for i, name in enumerate(BANDS)
    ]
    plan = plan_of(tmp_path)
    with FrameReader(plan, cache_bytes=plan.pass_bytes(700)) as reader:
        for strip in strips(plan.extent, 100):
            reader.read(strip)
        assert reader.blocks_decoded == sum(map(blocks_of, paths))


@pytest.mark.parametrize("lattice", [Lattice.at("EPSG:32618", 10.0, (5.0, 5.0)), Lattice.at("EPSG:32617", 10.0)])
def test_a_pass_of_resampled_strips_decodes_and_computes_each_block_once(
    tmp_path, write_image, noise, lattice, monkeypatch
):
    path = write_image(tmp_path / "x.tif", noise((3, 1700, 1300)), **STORED["blocks of 512"])
    plan = plan_of(path, lattice=lattice, bands=BANDS)
    computed: list[PixelBox] = []
    warp_block = source.warp_block
    monkeypatch.setattr(source, "warp_block", lambda *args: computed.append(args[2]) or warp_block(*args))
    with FrameReader(plan, cache_bytes=plan.pass_bytes(plan.extent.width)) as reader:
        for strip in strips(plan.extent, 192):
            reader.read(strip)
        assert reader.blocks_decoded == blocks_of(path)
    assert len(computed) == len(BANDS) * len(set(computed))


def test_bands_that_are_not_asked_for_are_not_kept(tmp_path, write_image, noise):
    path = write_image(tmp_path / "x.tif", noise((3, 600, 600)), **STORED["planes"])
    plan = plan_of(path, ("green",), bands=BANDS)
    with FrameReader(plan, cache_bytes=2**24) as reader:
        reader.read(plan.extent)
        assert reader.bytes_read == 600 * 600 * 2


@pytest.mark.parametrize("cache_bytes", [0, 2**16, 2**24])
def test_memory_decides_nothing_but_time(tmp_path, write_image, noise, cache_bytes):
    pixels = noise((3, 1100, 1300))
    path = write_image(tmp_path / "x.tif", pixels, **STORED["blocks of 128"])
    plan = plan_of(path, bands=BANDS)
    box = PixelBox(plan.extent.y0 + 101, plan.extent.x0 + 33, plan.extent.y0 + 901, plan.extent.x1 - 7)
    with FrameReader(plan, cache_bytes=cache_bytes) as reader:
        for _ in range(2):
            assert np.array_equal(reader.read(box).values, pixels[:, 101:901, 33:1293])


@pytest.mark.parametrize("kind", STORED)
def test_threads_decide_nothing_but_time(tmp_path, write_image, noise, kind):
    pixels = noise((3, 1100, 1300))
    plan = plan_of(write_image(tmp_path / "x.tif", pixels, **STORED[kind]), bands=BANDS)
    with FrameReader(plan, cache_bytes=2**26, threads=3) as reader:
        assert np.array_equal(reader.read(plan.extent).values, pixels)


def test_pixels_are_written_straight_into_a_part_of_larger_arrays(tmp_path, write_image, noise):
    pixels = noise((3, 200, 300))
    pixels[1, 20, 30] = 0
    plan = plan_of(write_image(tmp_path / "x.tif", pixels, nodata=0), bands=BANDS, scale=0.5)
    values, valid = np.full((3, 400, 500), -1, "float32"), np.zeros((400, 500), bool)
    here = slice(100, 300), slice(50, 350)
    with FrameReader(plan, cache_bytes=0) as reader:
        whole = reader.read(plan.extent)
        patch = reader.read(plan.extent, Patch(values[:, *here], valid[here]))
    assert np.shares_memory(patch.values, values)
    assert np.array_equal(values[:, *here], whole.values)
    assert np.array_equal(valid[here], whole.valid)
    values[:, *here], valid[here] = -1, False
    assert (values == -1).all()
    assert not valid.any()


def test_arrays_to_write_to_must_have_the_boxs_shape(tmp_path, write_image, noise):
    plan = plan_of(write_image(tmp_path / "x.tif", noise((3, 20, 30))), bands=BANDS)
    wrong = Patch(np.empty((3, 20, 29), "float32"), np.empty((20, 29), bool))
    with FrameReader(plan, cache_bytes=0) as reader, pytest.raises(ValueError, match="29"):
        reader.read(plan.extent, wrong)


def test_a_file_that_became_smaller_is_an_error_not_a_stretched_picture(tmp_path, write_image, noise):
    path = write_image(tmp_path / "x.tif", noise((3, 300, 300)))
    plan = plan_of(path, bands=BANDS)
    write_image(path, noise((3, 200, 300)))
    with FrameReader(plan, cache_bytes=0) as reader, pytest.raises(CorruptImageError, match=r"\(200, 300\) pixels"):
        reader.read(plan.extent)
