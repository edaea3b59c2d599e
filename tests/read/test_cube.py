"""A cube gives the bytes that the images give: any frame, any box; and says so where it cannot."""

from __future__ import annotations

import os
import shutil
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import rasterio
import zarr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.errors import DamagedError, ImageryError
from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.read.catalog import find_scenes
from geowatch.read.cube import CubeReader
from geowatch.read.cubeformat import BLOCK_PX, CHUNK_PX, CubeLayout, blocks_touching
from geowatch.read.cubekeys import Contents, frame_key
from geowatch.read.cubemarkers import damage_of, is_done
from geowatch.read.cubewrite import publish_block, publish_frame, read_block
from geowatch.read.frames import make_frames
from geowatch.read.options import SceneOptions
from geowatch.read.plan import RESAMPLINGS, FramePlan, lattice_of, plan_frame
from geowatch.read.reader import FrameReader, Patch
from geowatch.store import LocalStore

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
#: Near the corner of four blocks of a lattice of 10 m: x and y are multiples of 10,240 m.
CORNER = (491_520.0, 4_198_400.0)
LATTICE = Lattice.at("EPSG:32618", 10.0)
SYSTEMS = [("EPSG:32618", 10.0), ("EPSG:32617", 10.0), ("EPSG:4326", 1e-4)]


def layout_of(plan: FramePlan, store: LocalStore) -> CubeLayout:
    return CubeLayout(plan, frame_key(plan, Contents(store).of(plan)))


def align(plan: FramePlan, store: LocalStore, box: PixelBox | None = None, *, metadata: bool = True) -> CubeLayout:
    """Align the blocks under a box, all of the frame by default."""
    layout = layout_of(plan, store)
    if metadata:
        publish_frame(store, layout)
    with FrameReader(layout.stored_plan, cache_bytes=2**24) as reader:
        for block in layout.blocks(box or plan.extent):
            publish_block(store, layout, block, read_block(layout, reader, block))
    return layout


def assert_same(cube: Patch, images: Patch) -> None:
    assert cube.valid.tobytes() == images.valid.tobytes()
    assert cube.values.tobytes() == images.values.tobytes()


def boxes(extent: PixelBox, seed: int, count: int) -> list[PixelBox]:
    rng = np.random.default_rng(seed)
    ys, xs = (np.sort(rng.integers(0, n + 1, (count, 2))) for n in extent.shape)
    found = [
        PixelBox(extent.y0 + int(a), extent.x0 + int(c), extent.y0 + int(b), extent.x0 + int(d))
        for (a, b), (c, d) in zip(ys, xs, strict=True)
    ]
    return [*(box for box in found if box), extent]


def frame_of(folder: Path, order: str = "first", **options: object):
    (frame,) = make_frames(find_scenes([folder], SceneOptions(**options)).scenes, order=order)
    return frame


@st.composite
def frames(draw: st.DrawFn) -> dict[str, object]:
    """What decides a frame: numbers, holes, masks, scenes that overlap, bands of two resolutions, kernel and grid."""
    return {
        "dtype": draw(st.sampled_from(["uint8", "uint16", "int16", "int32", "float32"])),
        # The last two reach beyond float32, or might.
        "scale": draw(st.sampled_from([1.0, 1e-4, 0.5, -2.5e-3, 3e37, 1e36])),
        "offset": draw(st.sampled_from([0.0, -0.1, 0.2])),
        "nodata": draw(st.sampled_from([None, 0.0, 7.0])),
        "masked": draw(st.booleans()),
        "scenes": draw(st.integers(1, 3)),
        "order": draw(st.sampled_from(["first", "median"])),
        "coarse": draw(st.sampled_from([10.0, 20.0, 60.0])),
        "resampling": draw(st.sampled_from(RESAMPLINGS)),
        "system": draw(st.sampled_from(SYSTEMS)),
        "ratio": draw(st.sampled_from([1.0, 1.0, 0.7, 2.3])),
        "phase": draw(st.sampled_from([0.0, 0.0, 0.31])),
        "seed": draw(st.integers(0, 2**31)),
    }


def write_frame(folder: Path, drawn: dict[str, object], write_image) -> None:
    rng = np.random.default_rng(drawn["seed"])
    for number in range(drawn["scenes"]):
        origin = (CORNER[0] - 300 + 240 * number, CORNER[1] + 240 - 180 * number)
        for band, step in (("red", 10.0), ("swir16", drawn["coarse"])):
            shape = tuple(int(s * 10 / step) for s in (54, 60))
            pixels = rng.integers(0, 120, shape)
            pixels[rng.random(shape) < 0.2] = 7
            pixels = pixels.astype(drawn["dtype"])
            if drawn["dtype"] == "float32":
                pixels[rng.random(shape) < 0.05] = np.nan
            write_image(folder / f"s{number}_{band}.tif", pixels, step=step, origin=origin)
        if drawn["masked"]:
            classes = np.where(rng.random((27, 30)) < 0.2, 9, 4).astype("uint8")
            write_image(folder / f"s{number}_SCL.tif", classes, step=20.0, origin=origin)


def plan_of(folder: Path, drawn: dict[str, object]) -> FramePlan:
    options = {"mask": ("fill", "cloud")} if drawn["masked"] else {}
    numbers = {"scale": drawn["scale"], "offset": drawn["offset"], "nodata": drawn["nodata"]}
    frame = frame_of(folder, drawn["order"], **numbers, **options)
    crs, step = drawn["system"]
    step = step * drawn["ratio"]
    lattice = Lattice(crs, -step, step, drawn["phase"] * step, drawn["phase"] * step)
    return plan_frame(frame, ["red", "swir16"], lattice, resampling=drawn["resampling"])


@given(drawn=frames(), seed=st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_any_box_of_any_frame_has_the_bytes_of_the_images(drawn, seed, write_image):
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_frame(folder / "images", drawn, write_image)
        plan = plan_of(folder / "images", drawn)
        store = LocalStore(folder / "cube")
        layout = align(plan, store, metadata=False)
        with FrameReader(plan, cache_bytes=0) as images, CubeReader(store, layout) as cube:
            for box in boxes(plan.extent, seed, 5):
                assert_same(cube.read(box), images.read(box))


@pytest.mark.parametrize("lattice", [None, Lattice.at("EPSG:32618", 15.0), Lattice.at("EPSG:32617", 20.0)])
def test_real_bands_of_three_resolutions_on_three_grids(shared_data, tmp_path, lattice):
    bands = ["red", "swir16", "coastal"]
    frame = make_frames(find_scenes([shared_data("sentinel2_l1c")]).scenes)[0]
    plan = plan_frame(frame, bands, lattice or lattice_of(frame.scenes, bands))
    middle = plan.extent.pad(-plan.extent.height * 2 // 5)
    store = LocalStore(tmp_path)
    layout = align(plan, store, middle)
    with FrameReader(plan, cache_bytes=2**26) as images, CubeReader(store, layout) as cube:
        for box in boxes(middle, 1, 8):
            assert_same(cube.read(box), images.read(box))


@pytest.fixture
def plan(tmp_path, write_image, noise) -> FramePlan:
    """A frame of two copied bands and one that is resampled, with holes, over four blocks."""
    origin = (CORNER[0] - 1500, CORNER[1] + 1500)
    for number, band in enumerate(("red", "nir")):
        pixels = noise((300, 280), seed=number)
        pixels[20:60, 30:50] = 0
        write_image(tmp_path / "images" / f"2020-06-01_{band}.tif", pixels, origin=origin, nodata=0)
    write_image(tmp_path / "images" / "2020-06-01_swir16.tif", noise((150, 140), seed=3), step=20.0, origin=origin)
    frame = frame_of(tmp_path / "images", scale=1e-4, offset=-0.1)
    return plan_frame(frame, ["red", "nir", "swir16"], LATTICE)


def test_copied_integers_are_stored_as_they_are_and_computed_bands_as_float32(plan, tmp_path):
    store = LocalStore(tmp_path / "cube")
    layout = align(plan, store)
    assert [p.dtype.name for p in layout.planes] == ["uint16", "uint16", "float32"]
    group = zarr.open_group(store.root / layout.group, mode="r")
    with rasterio.open(tmp_path / "images" / "2020-06-01_red.tif") as file:
        stored = file.read(1)
    rows, cols = plan.extent.within(layout.box)
    assert np.array_equal(group["red"][0, rows, cols], stored)
    outside = np.asarray(group["valid"][0])
    outside[rows, cols] = False
    assert not outside.any()


@pytest.mark.parametrize(
    "change",
    [{"resampling": "nearest"}, {"scale": 3e38}, {"dtype": "uint32"}, {"order": "median", "scenes": 2}],
    ids="-".join,
)
def test_what_a_float32_cannot_carry_exactly_is_never_stored_as_integers(change, tmp_path, write_image):
    drawn = {
        "dtype": "uint16", "scale": 1.0, "offset": 0.0, "nodata": None, "masked": False, "scenes": 1, "order": "first",
        "coarse": 20.0, "resampling": "bilinear", "system": SYSTEMS[0], "ratio": 1.0, "phase": 0.0, "seed": 1, **change,
    }  # fmt: skip
    write_frame(tmp_path / "images", drawn, write_image)
    layout = layout_of(plan_of(tmp_path / "images", drawn), LocalStore(tmp_path / "cube"))
    kinds = {"uint16", "float32"} if change == {"resampling": "nearest"} else {"float32"}
    assert {p.dtype.name for p in layout.planes} <= kinds
    assert (layout.planes[1].dtype.name == "uint16") == (change == {"resampling": "nearest"})


def test_xarray_and_rioxarray_open_a_frame_as_it_is(plan, tmp_path):
    xr = pytest.importorskip("xarray")
    pytest.importorskip("rioxarray")
    store = LocalStore(tmp_path / "cube")
    layout = align(plan, store)
    with xr.open_zarr(store.root / layout.group) as opened, FrameReader(plan, cache_bytes=0) as images:
        assert opened.rio.crs.to_epsg() == 32618
        assert opened.rio.transform() == LATTICE.affine_of(layout.box)
        assert opened.time.values[0] == np.datetime64("2020-06-01T17:00:00") or opened.time.values.shape == (1,)
        part = opened.isel(time=0)
        rows, cols = plan.extent.within(layout.box)
        patch = images.read(plan.extent)
        assert np.array_equal(part.valid.values[rows, cols], patch.valid)
        for number, band in enumerate(plan.bands):
            shown = part[band].values[rows, cols]
            assert np.allclose(shown[patch.valid], patch.values[number][patch.valid], rtol=1e-6, atol=1e-6)
            assert np.isnan(part[band].values[~part.valid.values]).all() or band == "swir16"
        y, x = float(part.y[0]), float(part.x[0])
        assert (x, y) == LATTICE.affine_of(layout.box) @ (0.5, 0.5)


def test_a_series_opens_as_one_dataset_with_its_times(plan, tmp_path):
    xr = pytest.importorskip("xarray")
    store = LocalStore(tmp_path / "cube")
    later = replace(plan.scenes[0].scene, time=datetime(2020, 7, 1, 12, tzinfo=UTC))
    plans = [plan, replace(plan, frame_id="later", scenes=(replace(plan.scenes[0], scene=later),))]
    layouts = [align(each, store) for each in plans]
    paths = [store.root / layout.group for layout in layouts]
    with xr.open_mfdataset(paths, engine="zarr", combine="nested", concat_dim="time") as series:
        assert series.red.shape == (2, *layouts[0].box.shape)
        assert series.time.values[1] == np.datetime64("2020-07-01T12:00:00")


def test_the_bytes_of_a_block_are_the_same_from_any_thread(plan, tmp_path):
    stores = [LocalStore(tmp_path / name) for name in ("a", "b")]
    align(plan, stores[0])
    thread = threading.Thread(target=align, args=(plan, stores[1]))
    thread.start()
    thread.join()
    keys = list(stores[0].list())
    assert keys == list(stores[1].list())
    assert all(stores[0].get(key) == stores[1].get(key) for key in keys)


def test_blocks_that_are_not_there_come_from_the_images(plan, tmp_path):
    store = LocalStore(tmp_path / "cube")
    first = blocks_touching(plan.extent)[0]
    layout = align(plan, store, first.box & plan.extent)
    asked: list[int] = []

    def images() -> FrameReader:
        asked.append(1)
        return FrameReader(plan, cache_bytes=0)

    with CubeReader(store, layout, images) as cube, FrameReader(plan, cache_bytes=0) as direct:
        inside = first.box & plan.extent
        assert cube.holds(inside)
        assert_same(cube.read(inside), direct.read(inside))
        assert not asked
        assert not cube.holds(plan.extent)
        for box in boxes(plan.extent, 3, 4):
            assert_same(cube.read(box), direct.read(box))
        assert len(asked) == 1
        assert cube.bytes_read > 0 < cube.requests


def test_a_cube_without_images_refuses_what_it_does_not_hold(plan, tmp_path):
    store = LocalStore(tmp_path / "cube")
    layout = layout_of(plan, store)
    with CubeReader(store, layout) as cube:
        with pytest.raises(ImageryError, match="has no pixels of box"):
            cube.read(plan.extent)
        with pytest.raises(ImageryError, match="not within the extent"):
            cube.read(plan.extent.pad(1))


@pytest.mark.parametrize("where", ["chunk", "index", "cut short", "gone"])
def test_a_damaged_block_is_found_when_it_is_read(plan, tmp_path, where):
    store = LocalStore(tmp_path / "cube")
    layout = align(plan, store)
    block = layout.blocks(plan.extent)[0]
    path = store.path(layout.shard_key(layout.planes[1], block))
    content = bytearray(path.read_bytes())
    content[40 if where == "chunk" else -100] ^= 4
    path.write_bytes(content[:-50] if where == "cut short" else content)
    if where == "gone":
        path.unlink()
    assert damage_of(store, layout, block) is not None
    with CubeReader(store, layout) as cube, pytest.raises(DamagedError, match="nir") as caught:
        cube.read(block.box & plan.extent)
    assert "--check" in str(caught.value)
    assert is_done(store, layout, block) == (where in {"chunk", "index"})


@pytest.mark.parametrize("nodata", [0, None])
def test_many_bands_of_several_kinds_and_holes_have_the_bytes_of_the_images(tmp_path, write_image, noise, nodata):
    for band in ("red", "nir"):
        pixels = noise((300, 280), seed=len(band))
        if band == "red":
            pixels[:160, 100:] = 0  # whole chunks, and parts of others
        write_image(tmp_path / "images" / f"2020-06-01_{band}.tif", pixels, origin=CORNER, nodata=nodata)
    write_image(tmp_path / "images" / "2020-06-01_swir16.tif", noise((150, 140)), step=20.0, origin=CORNER)
    bands = [*("red", "nir") * 5, "swir16", "red"]  # more alike than are read at a time
    plan = plan_frame(frame_of(tmp_path / "images", scale=1e-4, offset=-0.1), bands, LATTICE)
    store = LocalStore(tmp_path / "cube")
    with CubeReader(store, align(plan, store)) as cube, FrameReader(plan, cache_bytes=0) as images:
        for box in boxes(plan.extent, 7, 8):
            assert_same(cube.read(box), images.read(box))


@pytest.mark.parametrize("holes", [0, 1])
def test_where_all_is_valid_validity_is_not_read(tmp_path, write_image, noise, holes):
    pixels = noise((100, 100))
    pixels[:holes, :holes] = 0
    write_image(tmp_path / "2020-06-01_red.tif", pixels, origin=CORNER, nodata=0)
    frame = frame_of(tmp_path / "2020-06-01_red.tif")
    plan = plan_frame(frame, ["red"], lattice_of(frame.scenes, ["red"]))
    store = LocalStore(tmp_path / "cube")
    with CubeReader(store, align(plan, store)) as cube, FrameReader(plan, cache_bytes=0) as images:
        assert_same(cube.read(plan.extent), images.read(plan.extent))
        assert cube.requests == 1 + holes
        assert cube.read(plan.extent).valid.sum() == plan.extent.area_px - holes


def test_an_object_that_is_cut_short_after_it_was_opened_is_refused(plan, tmp_path):
    store = LocalStore(tmp_path / "cube")
    layout = align(plan, store)
    block = layout.blocks(plan.extent)[0]
    path = store.path(layout.shard_key(layout.planes[0], block))
    with CubeReader(store, layout) as cube:
        cube.read(block.box & plan.extent)
        for length in (path.stat().st_size // 2, 3, 0):
            os.truncate(path, length)
            with pytest.raises(DamagedError, match="red"):
                cube.read(block.box & plan.extent)


def test_a_marker_of_another_frame_or_in_ruins_is_none(plan, tmp_path):
    store = LocalStore(tmp_path / "cube")
    layout = align(plan, store)
    first, second, *_ = layout.blocks(plan.extent)
    store.put(layout.marker_key(first), store.get(layout.marker_key(second)))
    store.put(layout.marker_key(second), b"{")
    assert not is_done(store, layout, first)
    assert not is_done(store, layout, second)
    with CubeReader(store, layout) as cube:
        assert not cube.holds(plan.extent)


def test_the_same_files_elsewhere_under_other_names_are_the_same_frame(plan, tmp_path):
    store = LocalStore(tmp_path / "cube")
    key = layout_of(plan, store).key
    shutil.copytree(tmp_path / "images", tmp_path / "copy")
    for path in (tmp_path / "copy").iterdir():
        path.rename(path.with_name(path.name.replace("2020-06-01", "another-2020-06-01")))
        os.utime(path.with_name(path.name.replace("2020-06-01", "another-2020-06-01")), ns=(5, 5))
    again = plan_frame(frame_of(tmp_path / "copy", scale=1e-4, offset=-0.1), plan.bands, LATTICE)
    assert [s.scene.id for s in again.scenes] != [s.scene.id for s in plan.scenes]
    assert layout_of(again, store).key == key


def test_whatever_decides_a_value_makes_another_frame(plan, tmp_path, write_image, noise):
    store = LocalStore(tmp_path / "cube")
    frame = frame_of(tmp_path / "images", scale=1e-4, offset=-0.1)
    others = [
        plan_frame(frame, ["nir", "red", "swir16"], LATTICE),
        plan_frame(frame, plan.bands, Lattice.at("EPSG:32618", 20.0)),
        plan_frame(frame, plan.bands, LATTICE, resampling="cubic"),
        plan_frame(frame_of(tmp_path / "images", scale=1e-4), plan.bands, LATTICE),
        plan_frame(frame_of(tmp_path / "images", scale=1e-4, offset=-0.1, nodata=5), plan.bands, LATTICE),
        replace(plan, composite="median"),
    ]
    keys = {layout_of(each, store).key for each in (plan, *others)}
    pixels = noise((300, 280), seed=0)
    pixels[0, 0] += 1
    origin = (CORNER[0] - 1500, CORNER[1] + 1500)
    write_image(tmp_path / "images" / "2020-06-01_red.tif", pixels, origin=origin, nodata=0)
    keys.add(
        layout_of(plan_frame(frame_of(tmp_path / "images", scale=1e-4, offset=-0.1), plan.bands, LATTICE), store).key
    )
    assert len(keys) == len(others) + 2


def test_two_files_that_change_places_make_another_frame(plan, tmp_path):
    store = LocalStore(tmp_path / "cube")
    key = layout_of(plan, store).key
    red, nir = (tmp_path / "images" / f"2020-06-01_{band}.tif" for band in ("red", "nir"))
    red.rename(tmp_path / "spare")
    nir.rename(red)
    (tmp_path / "spare").rename(nir)
    swapped = plan_frame(frame_of(tmp_path / "images", scale=1e-4, offset=-0.1), plan.bands, LATTICE)
    assert layout_of(swapped, store).key != key


def test_a_file_that_changed_since_it_was_planned_gets_no_key(plan, tmp_path, write_image, noise):
    write_image(tmp_path / "images" / "2020-06-01_red.tif", noise((300, 281)))
    with pytest.raises(ImageryError, match="changed since it was planned"):
        layout_of(plan, LocalStore(tmp_path / "cube"))


def test_files_are_digested_once(plan, tmp_path, monkeypatch):
    from geowatch.read import cubekeys

    store = LocalStore(tmp_path / "cube")
    key = layout_of(plan, store).key
    monkeypatch.setattr(cubekeys, "file_digest", None)
    assert layout_of(plan, store).key == key


def test_blocks_and_chunks_fit():
    assert BLOCK_PX % CHUNK_PX == 0
    assert blocks_touching(PixelBox(-1, 0, 1, 1)) == [
        type(blocks_touching(PixelBox(0, 0, 1, 1))[0])(-1, 0),
        type(blocks_touching(PixelBox(0, 0, 1, 1))[0])(0, 0),
    ]


def test_photographs_without_a_place_are_aligned_too(tmp_path):
    pixels = np.arange(3 * 40 * 50, dtype="uint8").reshape(3, 40, 50)
    with rasterio.open(
        tmp_path / "photo.png",
        "w",
        driver="PNG",
        count=3,
        height=40,
        width=50,
        dtype="uint8",
        transform=Affine.identity(),
    ) as file:
        file.write(pixels)
    frame = frame_of(tmp_path / "photo.png")
    plan = plan_frame(frame, ["red", "green", "blue"], lattice_of(frame.scenes, ["red"]))
    store = LocalStore(tmp_path / "cube")
    with CubeReader(store, align(plan, store)) as cube, FrameReader(plan, cache_bytes=0) as images:
        assert_same(cube.read(plan.extent), images.read(plan.extent))
