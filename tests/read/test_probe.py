"""What files declare, and headers that lie."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.control import GroundControlPoint

from geowatch.errors import CorruptImageError, ImageryError
from geowatch.read.identify import identify
from geowatch.read.probe import probe
from geowatch.read.scene import RasterGrid

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def test_content_counts_and_a_wrong_suffix_is_a_note(shared_data):
    raster = probe(shared_data("sentinel2_l1c") / "s2_B02.jp2")
    assert raster.kind.name == "GeoTIFF"
    assert "s2_B02.jp2" in raster.notes[0]
    assert raster.grid.shape == (1947, 1933)
    assert raster.grid.crs == "EPSG:32618"


def test_a_real_jpeg_2000_is_read(tmp_path, write_image, noise):
    path = tmp_path / "x_red.jp2"
    write_image(path, noise((64, 70)), driver="JP2OpenJPEG", QUALITY="100", REVERSIBLE="YES")
    raster = probe(path)
    assert (raster.kind.name, raster.notes, raster.bands[0].dtype) == ("JPEG 2000", (), "uint16")


@pytest.mark.parametrize("content", [b"", b"not an image", b"PK\x03\x04zip", bytes(100)])
def test_what_is_no_image_says_so(tmp_path, content):
    path = tmp_path / "x.tif"
    path.write_bytes(content)
    with pytest.raises(ImageryError, match=r"x\.tif"):
        probe(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ImageryError, match=r"gone\.tif"):
        identify(tmp_path / "gone.tif")


def tiff(path: Path, width: int, height: int, block: tuple[int, int] | None = None) -> Path:
    """Write a TIFF header that declares a size and holds no pixels."""
    tags = [(256, 4, width), (257, 4, height), (258, 3, 16), (259, 3, 1), (262, 3, 1), (277, 3, 1)]
    tags += [(273, 4, 8), (278, 4, height), (279, 4, 8)] if block is None else []
    tags += [(322, 4, block[1]), (323, 4, block[0]), (324, 4, 8), (325, 4, 8)] if block else []
    entries = b"".join(struct.pack("<HHII", t, kind, 1, value) for t, kind, value in sorted(tags))
    path.write_bytes(b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + entries + bytes(64))
    return path


def png(path: Path, width: int, height: int) -> Path:
    """Write a PNG header that declares a size and holds no pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


@pytest.mark.parametrize(
    ("width", "height", "block"),
    [(2**31 - 1, 2**31 - 1, None), (60_000_000, 10, None), (2**20, 2**20, (2**20, 2**20)), (0, 5, None)],
)
def test_a_header_that_declares_the_absurd_is_refused_with_its_size(tmp_path, width, height, block):
    with pytest.raises(CorruptImageError, match=r"bomb\.tif"):
        probe(tiff(tmp_path / "bomb.tif", width, height, block))


def test_a_picture_that_declares_more_than_it_can_hold_is_refused(tmp_path):
    with pytest.raises(CorruptImageError, match="30000 x 30000"):
        probe(png(tmp_path / "bomb.png", 30_000, 30_000))


def test_ground_control_points_alone_do_not_place_an_image(tmp_path):
    path = tmp_path / "x.tif"
    points = [GroundControlPoint(r, c, 500_000 + 10 * c, 4e6 - 10 * r) for r in (0, 9) for c in (0, 9)]
    with rasterio.open(path, "w", driver="GTiff", width=9, height=9, count=1, dtype="uint8") as dataset:
        dataset.write(np.ones((1, 9, 9), "uint8"))
        dataset.gcps = (points, "EPSG:32618")
    with pytest.raises(ImageryError, match="ground control points"):
        probe(path)


@pytest.mark.parametrize(
    "affine", [(1e-300, 0, 5e5, 0, -1e-300, 4e6), (10, 0, 1e300, 0, -10, 4e6), (float("nan"), 0, 0, 0, -10, 0)]
)
def test_a_transform_in_ruins_is_refused(affine):
    with pytest.raises(ImageryError, match="places no pixels"):
        RasterGrid((9, 9), affine, "EPSG:32618")


def test_a_file_of_very_many_bands_is_probed_in_the_time_of_one(tmp_path, write_image):
    write_image(tmp_path / "x.tif", np.ones((3000, 2, 2), "uint8"), interleave="pixel")
    assert len(probe(tmp_path / "x.tif").bands) == 3000


def test_complex_numbers_are_refused_by_band(tmp_path, write_image):
    write_image(tmp_path / "x.tif", np.ones((9, 9), "complex64"))
    with pytest.raises(ImageryError, match="band 1 of"):
        probe(tmp_path / "x.tif")


def test_probing_leaves_nothing_beside_the_images(tmp_path, write_image, noise):
    write_image(tmp_path / "x.tif", noise((9, 9)))
    probe(tmp_path / "x.tif")
    assert [p.name for p in tmp_path.iterdir()] == ["x.tif"]
