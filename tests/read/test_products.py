"""Products with metadata: SAFE folders and Landsat Collection 2 folders."""

from __future__ import annotations

import math

import numpy as np
import pytest

from geowatch.errors import CorruptImageError, ImageryError
from geowatch.grid.lattice import Lattice
from geowatch.read.catalog import SceneOptions, find_scenes
from geowatch.read.frames import make_frames
from geowatch.read.plan import plan_frame
from geowatch.read.reader import FrameReader

GRANULE = "GRANULE/L1C_T18SUG_A025825_20200601T160314/IMG_DATA"
SAFE = "S2A_MSIL1C_20200601T155911_N0400_R097_T18SUG_20200601T193524.SAFE"


def xml(level: str, images: list[str], offsets: str) -> str:
    q = "BOA_QUANTIFICATION_VALUE" if level == "2A" else "QUANTIFICATION_VALUE"
    files = "".join(f"<IMAGE_FILE>{i}</IMAGE_FILE>" for i in images)
    return f"""<?xml version="1.0"?><n1:Level-{level}_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/x">
    <n1:General_Info><Product_Info><PRODUCT_START_TIME>2020-06-01T15:59:11.024Z</PRODUCT_START_TIME>
    <PROCESSING_BASELINE>04.00</PROCESSING_BASELINE>{files}</Product_Info>
    <Product_Image_Characteristics><{q} unit="none">10000</{q}>{offsets}</Product_Image_Characteristics>
    </n1:General_Info><n1:Quality_Indicators_Info><Cloud_Coverage_Assessment>12.5</Cloud_Coverage_Assessment>
    </n1:Quality_Indicators_Info></n1:Level-{level}_User_Product>"""


def offsets(tag: str) -> str:
    return "".join(f'<{tag} band_id="{i}">-1000</{tag}>' for i in range(13))


@pytest.fixture
def safe(tmp_path, write_image):
    folder = tmp_path / SAFE
    images = [f"{GRANULE}/T18SUG_20200601T155911_{b}" for b in ("B02", "B8A", "TCI")]
    for image, step in zip(images, (10.0, 20.0, 10.0), strict=True):
        options = {"driver": "JP2OpenJPEG", "QUALITY": "100", "REVERSIBLE": "YES"}
        write_image(folder / f"{image}.jp2", np.full((64, 64), 3500, "uint16"), step=step, **options)
    (folder / "MTD_MSIL1C.xml").write_text(xml("1C", images, offsets("RADIO_ADD_OFFSET")))
    return folder


def test_a_safe_folder_gives_reflectance_with_its_own_offset(safe):
    catalog = find_scenes([safe.parent])
    assert len(catalog.scenes) == 1
    scene = catalog.scenes[0]
    assert (scene.id, scene.sensor, scene.cloud_cover) == (SAFE[:-5], "sentinel-2-l1c", 12.5)
    assert scene.time.isoformat() == "2020-06-01T15:59:11.024000+00:00"
    assert [b.name for b in scene.bands] == ["blue", "nir08"]
    plan = plan_frame(make_frames(catalog.scenes)[0], ["blue"], Lattice.at("EPSG:32618", 10.0))
    with FrameReader(plan, cache_bytes=0) as reader:
        assert np.allclose(reader.read(plan.extent).values, (3500 - 1000) / 10_000)


def test_without_offsets_in_the_metadata_there_is_none(safe):
    document = safe / "MTD_MSIL1C.xml"
    document.write_text(document.read_text().replace(offsets("RADIO_ADD_OFFSET"), ""))
    assert find_scenes([safe]).scenes[0].bands[0].offset == 0


def test_level_2a_takes_the_finest_of_each_band_and_its_classes_as_mask(tmp_path, write_image):
    folder = tmp_path / "S2A_MSIL2A_x.SAFE"
    images = [f"GRANULE/L2A_x/IMG_DATA/{r}/T_{b}_{r[1:]}" for r, b in (
        ("R20m", "B02"), ("R10m", "B02"), ("R20m", "SCL"), ("R10m", "AOT"))]  # fmt: skip
    for image in images:
        step = 10.0 if "R10m" in image else 20.0
        write_image(folder / f"{image}.jp2", np.full((30, 30), 5, "uint8"), step=step, tiled=False)
    (folder / "MTD_MSIL2A.xml").write_text(xml("2A", images, offsets("BOA_ADD_OFFSET")))
    scene = find_scenes([folder], SceneOptions(mask=("cloud", "shadow"))).scenes[0]
    assert [(b.name, b.grid.steps, b.offset) for b in scene.bands] == [("blue", (10.0, 10.0), -0.1)]
    assert [(m.kind, m.bad_values) for m in scene.masks] == [("scl", (3, 8, 9))]


def test_bands_that_are_not_there_are_told(safe):
    next(safe.rglob("*B8A.jp2")).unlink()
    assert any("without B8A" in n for n in find_scenes([safe]).notes)


@pytest.mark.parametrize("name", ["../x_B02", "/etc/x_B02"])
def test_metadata_that_lead_outside_the_folder_are_refused(safe, name):
    document = safe / "MTD_MSIL1C.xml"
    document.write_text(xml("1C", [name], ""))
    with pytest.raises(ImageryError, match="outside its folder"):
        find_scenes([safe])


def test_broken_metadata_are_corrupt_by_name(safe):
    document = safe / "MTD_MSIL1C.xml"
    document.write_text(document.read_text()[:300])
    with pytest.raises(CorruptImageError, match=r"MTD_MSIL1C\.xml"):
        find_scenes([safe])


L1 = "LC08_L1TP_020039_20200601_20200824_02_T1"
L2 = "LC09_L2SP_020039_20220601_20220824_02_T1"


def mtl(craft: str, level: str, body: str) -> str:
    return f"""GROUP = LANDSAT_METADATA_FILE
  GROUP = PRODUCT_CONTENTS
    PROCESSING_LEVEL = "{level}"
  END_GROUP = PRODUCT_CONTENTS
  GROUP = IMAGE_ATTRIBUTES
    SPACECRAFT_ID = "{craft}"
    DATE_ACQUIRED = 2020-06-01
    SCENE_CENTER_TIME = "16:20:30.1234567Z"
    CLOUD_COVER = 7.30
    SUN_ELEVATION = 30.00000000
  END_GROUP = IMAGE_ATTRIBUTES
{body}END_GROUP = LANDSAT_METADATA_FILE
END
"""


LEVEL_1 = """  GROUP = LEVEL1_RADIOMETRIC_RESCALING
    REFLECTANCE_MULT_BAND_4 = 2.0000E-05
    REFLECTANCE_ADD_BAND_4 = -0.100000
    RADIANCE_MULT_BAND_10 = 3.3420E-04
    RADIANCE_ADD_BAND_10 = 0.10000
  END_GROUP = LEVEL1_RADIOMETRIC_RESCALING
"""
LEVEL_2 = """  GROUP = LEVEL2_SURFACE_REFLECTANCE_PARAMETERS
    REFLECTANCE_MULT_BAND_4 = 2.75e-05
    REFLECTANCE_ADD_BAND_4 = -0.2
  END_GROUP = LEVEL2_SURFACE_REFLECTANCE_PARAMETERS
  GROUP = LEVEL2_SURFACE_TEMPERATURE_PARAMETERS
    TEMPERATURE_MULT_BAND_ST_B10 = 0.00341802
    TEMPERATURE_ADD_BAND_ST_B10 = 149.0
  END_GROUP = LEVEL2_SURFACE_TEMPERATURE_PARAMETERS
"""


@pytest.fixture
def landsat(tmp_path, write_image, noise):
    for prefix, bands in ((L1, ("B4", "B10", "QA_PIXEL")), (L2, ("SR_B4", "ST_B10", "QA_PIXEL", "ST_ATRAN"))):
        for band in bands:
            write_image(tmp_path / f"{prefix}_{band}.TIF", noise((20, 20)), step=30.0)
    (tmp_path / f"{L1}_MTL.txt").write_text(mtl("LANDSAT_8", "L1TP", LEVEL_1))
    # level 2 files carry the parameters of level 1 too, under the same keys
    (tmp_path / f"{L2}_MTL.txt").write_text(mtl("LANDSAT_9", "L2SP", LEVEL_2 + LEVEL_1))
    return tmp_path


def test_landsat_folders_give_reflectance_temperature_and_mask(landsat):
    one, two = find_scenes([landsat]).scenes
    assert (one.sensor, two.sensor) == ("landsat-8-l1", "landsat-9-l2")
    assert one.time.isoformat() == "2020-06-01T16:20:30.123456+00:00"
    assert one.cloud_cover == 7.3
    red = one.band("red")
    assert math.isclose(red.scale, 4e-5)
    assert math.isclose(red.offset, -0.2)
    assert (two.band("red").scale, two.band("red").offset) == (2.75e-05, -0.2)
    assert (two.band("lwir11").scale, two.band("lwir11").offset) == (0.00341802, 149.0)
    assert one.band("lwir11").scale == 3.342e-4
    assert [m.kind for m in two.masks] == ["qa_pixel"]


@pytest.mark.parametrize(
    ("find", "put", "what"),
    [
        ("SUN_ELEVATION = 30.00000000", "SUN_ELEVATION = -4.0", "-4.0"),
        ("REFLECTANCE_ADD_BAND_4 = -0.100000", "", "REFLECTANCE_ADD_BAND_4"),
        ("CLOUD_COVER = 7.30", "CLOUD_COVER = many", "many"),
        ("SPACECRAFT_ID", "CRAFT", "SPACECRAFT_ID"),
    ],
)
def test_metadata_that_lack_what_is_needed_are_errors_with_the_key(landsat, find, put, what):
    path = landsat / f"{L1}_MTL.txt"
    path.write_text(path.read_text().replace(find, put))
    with pytest.raises(ImageryError, match=what):
        find_scenes([path])
