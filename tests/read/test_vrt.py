"""VRTs: mosaics are read, programs are refused before GDAL sees them."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import rasterio
from rasterio.errors import RasterioIOError

from geowatch.errors import CorruptImageError, ImageryError
from geowatch.read.catalog import SceneOptions, find_scenes
from geowatch.read.gdal import gdal_env
from geowatch.read.probe import probe
from geowatch.read.vrt import check_vrt

HEAD = """<VRTDataset rasterXSize="20" rasterYSize="20"><SRS>EPSG:32618</SRS>
<GeoTransform>500000, 10, 0, 4200000, 0, -10</GeoTransform>"""


def source(name: str, relative: int = 1, kind: str = "SimpleSource", attributes: str = "") -> str:
    return (
        f'<{kind} {attributes}><SourceFilename relativeToVRT="{relative}">{name}</SourceFilename>'
        f'<SourceBand>1</SourceBand><SrcRect xOff="0" yOff="0" xSize="20" ySize="20"/>'
        f'<DstRect xOff="0" yOff="0" xSize="20" ySize="20"/></{kind}>'
    )


def document(body: str, band: str = 'dataType="UInt16" band="1"') -> str:
    return f"{HEAD}<VRTRasterBand {band}>{body}</VRTRasterBand></VRTDataset>"


@pytest.fixture
def folder(tmp_path, write_image):
    write_image(tmp_path / "in" / "part.tif", np.full((20, 20), 7, "uint16"))
    write_image(tmp_path / "out" / "secret.tif", np.full((20, 20), 9, "uint16"))
    return tmp_path / "in"


def test_a_mosaic_of_files_beside_it_is_read(folder):
    (folder / "m.vrt").write_text(document(source("part.tif")))
    scene = find_scenes([folder / "m.vrt"]).scenes[0]
    assert {f.uri.rsplit("/", 1)[1] for f in scene.fingerprints} == {"m.vrt", "part.tif"}


REFUSED = {
    "network": source("/vsicurl/http://127.0.0.1:9/x.tif", 0),
    "network in a chain": source("/vsizip//vsicurl/http://127.0.0.1:9/x.zip/x.tif", 0),
    "url": source("http://127.0.0.1:9/x.tif", 0),
    "bucket": source("/vsis3/bucket/x.tif", 0),
    "service": source("&lt;GDAL_WMS&gt;&lt;/GDAL_WMS&gt;", 0),
    "other driver": source("HDF5:x.h5://a", 0),
    "archive": source("/vsizip/x.zip/x.tif", 0),
    "parent folder": source("../out/secret.tif"),
    "absolute path outside": source("/etc/passwd", 0),
    "relative to nothing": source("part.tif", 0),
    "kernel": source("part.tif", kind="KernelFilteredSource"),
    "smoothing": source("part.tif", attributes='resampling="bilinear"'),
    "python": "<PixelFunctionType>f</PixelFunctionType><PixelFunctionLanguage>Python</PixelFunctionLanguage>"
    "<PixelFunctionCode>import os</PixelFunctionCode>",
    "open options": source("part.tif").replace("</Sim", "<OpenOptions><OOI key='A'>b</OOI></OpenOptions></Sim"),
    "other overviews": "<Metadata domain='OVERVIEWS'><MDI key='OVERVIEW_FILE'>/vsicurl/x</MDI></Metadata>",
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_leads_elsewhere_or_computes_is_refused_by_name(folder, what):
    path = folder / "m.vrt"
    path.write_text(document(REFUSED[what]))
    with pytest.raises(ImageryError, match=r"m\.vrt' is refused"):
        probe(path)


@pytest.mark.parametrize("kind", ["VRTDerivedRasterBand", "VRTRawRasterBand", "VRTWarpedRasterBand"])
def test_bands_that_are_programs_are_refused(folder, kind):
    path = folder / "m.vrt"
    path.write_text(document(source("part.tif"), f'dataType="Byte" band="1" subClass="{kind}"'))
    with pytest.raises(ImageryError, match=kind):
        probe(path)


def test_a_link_that_leads_outside_is_refused(folder):
    (folder / "link.tif").symlink_to(folder.parent / "out" / "secret.tif")
    (folder / "m.vrt").write_text(document(source("link.tif")))
    with pytest.raises(ImageryError, match="leads outside"):
        probe(folder / "m.vrt")


def test_a_root_that_the_user_names_is_allowed(folder):
    (folder / "m.vrt").write_text(document(source("../out/secret.tif")))
    options = SceneOptions(roots=(folder.parent,))
    assert find_scenes([folder / "m.vrt"], options).scenes[0].id == "m"


def test_a_refused_vrt_inside_a_vrt_is_refused(folder):
    (folder / "outer.vrt").write_text(document(source("inner.vrt")))
    (folder / "inner.vrt").write_text(document(source("/vsicurl/http://127.0.0.1:9/x.tif", 0)))
    with pytest.raises(ImageryError, match=r"inner\.vrt"):
        probe(folder / "outer.vrt")


def test_vrts_that_hold_themselves_end(folder):
    (folder / "m.vrt").write_text(document(source("m.vrt")))
    with pytest.raises(ImageryError, match="nests"):
        probe(folder / "m.vrt")


def test_entities_are_refused_before_they_grow(folder):
    (folder / "m.vrt").write_text('<!DOCTYPE x [<!ENTITY a "aaaa">]>' + document("&a;"))
    with pytest.raises(ImageryError):
        check_vrt(folder / "m.vrt")


def test_broken_xml_is_corrupt(folder):
    (folder / "m.vrt").write_text(HEAD)
    with pytest.raises(CorruptImageError, match=r"m\.vrt"):
        probe(folder / "m.vrt")


def test_a_missing_part_is_named(folder):
    (folder / "m.vrt").write_text(document(source("gone.tif")))
    with pytest.raises(ImageryError, match=r"gone\.tif"):
        probe(folder / "m.vrt")


def test_gdal_reaches_no_network_whatever_a_sidecar_says(tmp_path):
    asked: list[str] = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET  # noqa: N815 - the name that http.server calls

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"/vsicurl/http://127.0.0.1:{server.server_port}/x.tif"
        with gdal_env(), pytest.raises(RasterioIOError):
            rasterio.open(url)
        assert asked == []
        with pytest.raises(RasterioIOError):
            rasterio.open(url)
        assert asked  # the server works: it was the setting that kept GDAL away
        server.shutdown()
