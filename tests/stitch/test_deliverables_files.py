"""Maps, pictures and catalogue entries, as the people who open them would check them."""

import io

import numpy as np
import pytest
import rasterio
from PIL import Image
from rio_cogeo.cogeo import cog_validate

from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.grid.scale_bar import nice_length
from geowatch.stitch.cog import CogSpec, cog_writer
from geowatch.stitch.heatmap import HeadLayout
from geowatch.stitch.maps import NO_CLASS, Legend, class_map, legend_of
from geowatch.stitch.paper import Scale
from geowatch.stitch.picture import Sheet, draw_sheet, stretch
from geowatch.stitch.quantise import Quantiser
from geowatch.stitch.thin import Thinner, thin_step

BOX = PixelBox(-1300, 40, -100, 1440)
LATTICE = Lattice("EPSG:32618", -10.0, 10.0)
LEGEND = Legend(("bare", "tree"), ("#b08a5b", "#1b6e2e"))


def write_map(path, order):
    rng = np.random.default_rng(4)
    values = rng.integers(0, 2, BOX.shape).astype(np.uint8)
    values[:50] = NO_CLASS
    spec = CogSpec(BOX, LATTICE.affine_of(BOX), LATTICE.crs, ("cover",), "uint8", NO_CLASS, legend=LEGEND)
    with cog_writer(spec, path) as writer:
        blocks = BOX.blocks(500)
        for block in blocks if order == "forward" else reversed(blocks):
            padded = np.zeros((1, *block.shape), np.uint8)
            part = block & BOX
            padded[0][part.within(block)] = values[part.within(BOX)]
            writer.write(block, padded)
    return values


def test_a_map_is_a_valid_cog_with_overviews_colours_and_crs(tmp_path):
    values = write_map(tmp_path / "map.tif", "forward")
    valid, errors, warnings = cog_validate(tmp_path / "map.tif", strict=True)
    assert valid, (errors, warnings)
    with rasterio.open(tmp_path / "map.tif") as opened:
        assert np.array_equal(opened.read(1), values)
        assert opened.overviews(1)
        assert opened.colormap(1)[1] == (0x1B, 0x6E, 0x2E, 255)
        assert opened.nodata == NO_CLASS
        assert opened.crs.to_epsg() == 32618
        assert opened.tags(1)["CLASSES"] == "bare,tree"
        assert set(np.unique(opened.read(1, out_shape=(75, 88)))) <= {0, 1, NO_CLASS}


def test_the_order_in_which_blocks_come_changes_no_byte(tmp_path):
    write_map(tmp_path / "a.tif", "forward")
    write_map(tmp_path / "b.tif", "backward")
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


def test_the_strongest_class_wins_and_the_first_among_equals():
    head = HeadLayout("cover", ("bare", "tree"), Quantiser("uint8"))
    stored = np.array([[[10, 7, 255]], [[9, 7, 255]]], np.uint8)
    assert class_map(head, stored).tolist() == [[0, 0, NO_CLASS]]


def test_a_multi_label_map_has_a_value_for_no_class():
    head = HeadLayout("cover", ("road", "roof"), Quantiser("uint8"), "sigmoid", ("#000000", "#ffffff"))
    stored = np.array([[[10, 200, 128]], [[9, 220, 10]]], np.uint8)
    assert class_map(head, stored).tolist() == [[0, 2, 1]]
    assert legend_of(head).names == ("none", "road", "roof")


def test_one_probability_is_a_class_only_where_it_reaches_one_half():
    head = HeadLayout("change", ("changed",), Quantiser("uint8"), "none", ("#ff0000",))
    assert class_map(head, np.array([[[10, 200, 128, 255]]], np.uint8)).tolist() == [[0, 1, 1, NO_CLASS]]
    assert legend_of(head).names == ("none", "changed")


@pytest.mark.parametrize("imagery", [True, False])
def test_a_quicklook_shows_every_class_colour(imagery):
    classes = np.zeros((120, 160), np.uint8)
    classes[:, 80:] = 1
    classes[:20] = NO_CLASS
    picture = np.full((120, 160, 3), 128, np.uint8) if imagery else None
    sheet = Sheet("region: cover", "2020-06-01", classes, LEGEND, (0.5, 0.5), Scale(10, "m"), picture)
    with Image.open(io.BytesIO(draw_sheet(sheet))) as drawn:
        colors = set(drawn.convert("RGB").get_flattened_data())
    assert {(0xB0, 0x8A, 0x5B), (0x1B, 0x6E, 0x2E)} <= colors


def test_scale_bars_have_round_lengths():
    assert [nice_length(v) for v in (1.0, 1.99, 2.0, 49, 7300)] == [1, 1, 2, 20, 5000]


def test_masked_imagery_is_grey_and_does_not_stretch_the_rest():
    values = np.zeros((3, 4, 4), np.float32)
    values[:, 0, 0] = 1e9
    valid = np.ones((4, 4), bool)
    valid[0, 0] = False
    values[:, 1] = 1.0
    shown = stretch(values, valid)
    assert shown[1].min() > 200
    assert shown[2].max() == 0


@pytest.mark.parametrize("size_px", [7, 64, 333])
def test_a_thinned_map_does_not_depend_on_the_blocks(size_px):
    values = np.random.default_rng(1).integers(0, 9, BOX.shape).astype(np.uint8)
    step = thin_step(BOX, 100)
    thin = Thinner(BOX, step, NO_CLASS)
    for block in BOX.blocks(size_px):
        part = block & BOX
        thin.put(part, values[part.within(BOX)])
    middle = values[step // 2 :: step, step // 2 :: step]
    assert np.array_equal(thin.picture[: middle.shape[0], : middle.shape[1]], middle)
    assert NO_CLASS not in thin.picture
