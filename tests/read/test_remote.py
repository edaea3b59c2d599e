"""Imagery on web servers: few requests, the same bytes, errors that say what the server said, and no secrets."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.errors import RasterioIOError
from rasterio.shutil import copy
from support.range_server import RangeServer, serve

from geowatch.errors import ConfigError, CorruptImageError, ImageryError
from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.read import asking
from geowatch.read.catalog import SceneOptions, find_scenes
from geowatch.read.documents import check_fingerprints, frames_to_json, scenes_to_json
from geowatch.read.frames import make_frames
from geowatch.read.gdal import gdal_env, remote_settings
from geowatch.read.hrefs import place_of
from geowatch.read.plan import FramePlan, plan_frame
from geowatch.read.reader import FrameReader, Patch
from geowatch.read.remote import Remote, RemotePath, joined, public

BANDS = ("red", "green", "blue", "nir")
BLOCK = 128
LATTICE = Lattice.at("EPSG:32618", 10.0)
QUICK = Remote(timeout_s=30.0, retries=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_image, noise) -> Path:
    folder = tmp_path_factory.mktemp("www")
    plain = write_image(folder / "plain.tif", noise((4, 1024, 1024)))
    with rasterio.open(plain, "r+") as dataset:
        dataset.descriptions = BANDS
    copy(plain, folder / "cog.tif", driver="COG", COMPRESS="DEFLATE", BLOCKSIZE=BLOCK, OVERVIEWS="NONE")
    for name in ("red", "nir"):
        write_image(folder / "data" / f"{name}.tif", noise((300, 300)), tiled=True)
    return folder


@pytest.fixture(autouse=True)
def no_waits(monkeypatch):
    monkeypatch.setattr(asking, "_FIRST_WAIT_S", 0.01)
    monkeypatch.setitem(remote_settings.__globals__["REMOTE_SETTINGS"], "GDAL_HTTP_RETRY_DELAY", "0.01")


@pytest.fixture
def server(folder) -> Iterator[RangeServer]:
    with serve(folder) as place:
        yield place


def plan_of(source: str | Path, wanted: tuple[str, ...] = BANDS, **options) -> FramePlan:
    (frame,) = make_frames(find_scenes([source], SceneOptions(remote=QUICK, **options)).scenes)
    return plan_frame(frame, wanted, LATTICE)


def read(plan: FramePlan, box: PixelBox | None = None, remote: Remote = QUICK) -> Patch:
    with FrameReader(plan, cache_bytes=2**24, remote=remote) as reader:
        return reader.read(box or plan.extent)


def stored_bytes(path: Path, box: tuple[int, int, int, int]) -> int:
    """Return the bytes of the stored blocks under rows and columns (y0, x0, y1, x1) of a file."""
    y0, x0, y1, x1 = box
    with rasterio.open(path) as dataset:
        return sum(
            int(dataset.get_tag_item(f"BLOCK_SIZE_{col}_{row}", "TIFF", bidx=1))
            for row in range(y0 // BLOCK, -(-y1 // BLOCK))
            for col in range(x0 // BLOCK, -(-x1 // BLOCK))
        )


def test_a_tile_of_a_cog_takes_three_requests_and_one_for_each_row_of_blocks(server, folder):
    plan = plan_of(f"{server.url}/cog.tif")
    assert len(server.take()) <= 3  # what is it, how long is it, its header
    y, x = 256, 512
    box = PixelBox(plan.extent.y0 + y, plan.extent.x0 + x, plan.extent.y0 + y + 512, plan.extent.x0 + x + 512)
    with FrameReader(plan, cache_bytes=2**24, remote=QUICK) as reader:
        patch = reader.read(box)
        asked = server.take()
        assert len(asked) <= 3 + 512 // BLOCK
        ideal = stored_bytes(folder / "cog.tif", (y, x, y + 512, x + 512))
        header = 1024 + 32_768
        # Rows of blocks come with the few bytes between neighbours.
        assert ideal <= sum(a.body_bytes for a in asked) <= ideal * 1.01 + header
        again = reader.read(box)
        assert server.take() == []
    assert patch.values.tobytes() == again.values.tobytes()


def test_a_pass_of_strips_fetches_no_byte_of_a_block_twice(server, folder):
    plan = plan_of(f"{server.url}/cog.tif")
    server.take()
    with FrameReader(plan, cache_bytes=plan.pass_bytes(1024), remote=QUICK) as reader:
        for y in range(plan.extent.y0, plan.extent.y1, 100):
            reader.read(PixelBox(y, plan.extent.x0, min(y + 100, plan.extent.y1), plan.extent.x1))
    asked = server.take()
    assert sum(a.body_bytes for a in asked) <= stored_bytes(folder / "cog.tif", (0, 0, 1024, 1024)) * 1.01 + 33_792
    assert len(asked) <= 3 + 1024 // 256  # two rows of blocks make a piece, and are fetched as one range


def test_a_long_row_of_blocks_comes_in_one_request(tmp_path, write_image, noise):
    plain = write_image(tmp_path / "plain.tif", noise((4, 512, 2048)))
    copy(plain, tmp_path / "wide.tif", driver="COG", COMPRESS="DEFLATE", BLOCKSIZE=512, OVERVIEWS="NONE")
    with serve(tmp_path) as server:
        plan = plan_of(f"{server.url}/wide.tif", BANDS, bands=BANDS)
        with FrameReader(plan, cache_bytes=plan.pass_bytes(2048), remote=QUICK) as reader:
            reader.read(PixelBox(*plan.extent.to_list()[:2], plan.extent.y0 + 1, plan.extent.x0 + 1))
            server.take()
            reader.read(plan.extent)
        (asked,) = server.take()
    assert 4 << 20 < asked.body_bytes < (tmp_path / "wide.tif").stat().st_size


@pytest.mark.parametrize("name", ["cog.tif", "plain.tif"])
def test_bytes_are_those_of_the_local_file(server, folder, name):
    there, here = (read(plan_of(place)) for place in (f"{server.url}/{name}", folder / name))
    assert there.values.tobytes() == here.values.tobytes()
    assert there.valid.tobytes() == here.valid.tobytes()


def test_files_are_grouped_and_named_as_local_ones_are(server, folder):
    plan = plan_of(f"{server.url}/data/red.tif", ("red",), bands=("red",))
    scenes = find_scenes([f"{server.url}/data/red.tif", f"{server.url}/data/nir.tif"]).scenes
    assert [[b.name for b in s.bands] for s in scenes] == [["nir", "red"]]
    assert plan.scenes[0].scene.fingerprints[0].uri == f"{server.url}/data/red.tif"


def test_what_a_server_refuses_is_named_with_its_status(server):
    with pytest.raises(ImageryError, match=r"gone\.tif' answers 404") as caught:
        plan_of(f"{server.url}/gone.tif")
    assert "check the address" in str(caught.value.hint)
    server.query = "sig=right"
    with pytest.raises(ImageryError, match=r"cog\.tif' answers 403") as caught:
        plan_of(f"{server.url}/cog.tif?sig=wrong")
    assert "expired" in str(caught.value.hint)


@pytest.mark.parametrize(("status", "words"), [(404, "answers 404"), (403, "answers 403"), (500, "answers 500")])
def test_a_server_that_refuses_later_is_named_with_its_status(server, status, words):
    plan = plan_of(f"{server.url}/cog.tif")
    with FrameReader(plan, cache_bytes=2**24, remote=replace(QUICK, retries=1)) as reader:
        reader.read(PixelBox(*plan.extent.to_list()[:2], plan.extent.y0 + 8, plan.extent.x0 + 8))
        server.failures = [status] * 100
        with pytest.raises(ImageryError, match=rf"cog\.tif' {words}"):
            reader.read(plan.extent)


def test_a_server_that_is_busy_in_passing_is_asked_again(server, folder):
    server.failures = [503, 503]
    plan = plan_of(f"{server.url}/cog.tif")
    here = read(plan_of(folder / "cog.tif"))
    for good in range(5):
        server.failures = [200] * good + [503, 503]
        assert read(plan).values.tobytes() == here.values.tobytes()


def test_a_server_that_stays_busy_is_an_error_that_says_how_often_it_was_asked(server):
    server.failures = [503] * 100
    with pytest.raises(CorruptImageError, match=r"answers 503 .*tried 4 times"):
        plan_of(f"{server.url}/cog.tif")


def test_a_server_that_does_not_answer_is_an_error_in_time(server):
    plan = plan_of(f"{server.url}/cog.tif")
    server.latency_s = 2.5
    with pytest.raises(CorruptImageError, match=r"cog\.tif' gives no answer: TimeoutError.*tried 2 times"):
        read(plan, remote=replace(QUICK, timeout_s=1.0, retries=1))


def test_nobody_at_the_address_is_an_error_with_the_reason():
    with pytest.raises(CorruptImageError, match=r"x\.tif' gives no answer: ConnectionRefusedError"):
        find_scenes(["http://127.0.0.1:9/x.tif"], SceneOptions(remote=Remote(retries=0)))


def test_connections_that_are_cut_are_made_again_and_an_end_of_patience_is_an_error(server, folder):
    plan = plan_of(f"{server.url}/cog.tif")
    with FrameReader(plan, cache_bytes=2**24, remote=replace(QUICK, retries=0)) as reader:
        reader.read(PixelBox(*plan.extent.to_list()[:2], plan.extent.y0 + 8, plan.extent.x0 + 8))
        server.cut = 100_000
        with pytest.raises(CorruptImageError, match=r"bands 1, 2, 3, 4 of '.*cog\.tif' breaks") as caught:
            reader.read(plan.extent)
        assert "unchanged" in str(caught.value.hint)
        server.cut = None
        assert reader.read(plan.extent).values.tobytes() == read(plan_of(folder / "cog.tif")).values.tobytes()


def test_a_server_without_ranges_is_refused_before_it_sends_everything(server):
    server.ranges = False
    with pytest.raises(ImageryError, match="cannot be read in parts: its server answers 200"):
        plan_of(f"{server.url}/cog.tif")


@pytest.mark.parametrize("etags", [True, False])
def test_a_file_that_changed_since_it_was_planned_is_refused(tmp_path, write_image, noise, etags):
    path = write_image(tmp_path / "x_red.tif", noise((64, 64)))
    with serve(tmp_path) as server:
        server.etags = etags
        plan = plan_of(f"{server.url}/x_red.tif", ("red",))
        check_fingerprints(plan, QUICK)
        before = path.stat()
        write_image(path, noise((64, 64), seed=5))
        os.utime(path, (before.st_atime, before.st_mtime + 60))
        assert path.stat().st_size == before.st_size
        with pytest.raises(ImageryError, match="changed since it was planned"):
            check_fingerprints(plan, QUICK)
        with pytest.raises(ImageryError, match="changed since it was planned"):
            read(plan)
        fresh = read(plan_of(f"{server.url}/x_red.tif", ("red",)))
        assert np.array_equal(fresh.values[0], noise((64, 64), seed=5))


def test_secrets_of_signed_addresses_reach_no_record_and_no_message(server, folder):
    server.query = "sig=TOPSECRET&se=1"
    address = f"{server.url}/cog.tif?{server.query}"
    catalog = find_scenes([address], SceneOptions(remote=QUICK))
    (frame,) = make_frames(catalog.scenes)
    plan = plan_frame(frame, BANDS, LATTICE)
    remote = replace(QUICK, queries=catalog.queries)
    assert read(plan, remote=remote).values.tobytes() == read(plan_of(folder / "cog.tif")).values.tobytes()
    server.query = "sig=OTHER"
    with pytest.raises(ImageryError, match="answers 403") as caught:
        read(plan, remote=remote)
    shown = (str(caught.value), repr(catalog), repr(remote), repr(plan), repr(caught.value.__cause__))
    assert b"TOPSECRET" not in scenes_to_json(catalog.scenes) + frames_to_json([plan])
    assert not any("TOPSECRET" in text for text in shown)


def test_addresses_that_are_signed_for_get_alone_are_read(server, folder):
    server.query, server.head = "X-Amz-Algorithm=A&X-Amz-Expires=60&X-Amz-Signature=S", False
    catalog = find_scenes([f"{server.url}/cog.tif?{server.query}"], SceneOptions(remote=QUICK))
    plan = plan_frame(make_frames(catalog.scenes)[0], BANDS, LATTICE)
    found = read(plan, remote=replace(QUICK, queries=catalog.queries))
    assert found.values.tobytes() == read(plan_of(folder / "cog.tif")).values.tobytes()


def test_messages_of_broken_signed_files_hold_no_secret(tmp_path, write_image, noise):
    path = write_image(tmp_path / "x_red.tif", noise((400, 400)), compress="deflate")
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 2000] = bytes(2000)
    path.write_bytes(content)
    with serve(tmp_path) as server:
        server.query = "sig=TOPSECRET"
        catalog = find_scenes([f"{server.url}/x_red.tif?sig=TOPSECRET"], SceneOptions(remote=QUICK))
        plan = plan_frame(make_frames(catalog.scenes)[0], ["red"], LATTICE)
        with pytest.raises(CorruptImageError, match=r"x_red\.tif") as caught:
            read(plan, remote=replace(QUICK, queries=catalog.queries))
    chain = [caught.value, caught.value.__cause__, caught.value.__context__]
    assert not any("TOPSECRET" in str(e) for e in chain if e is not None and e is not chain[2])


def test_messages_of_signed_files_that_cannot_be_opened_hold_no_secret(tmp_path):
    (tmp_path / "x_red.tif").write_bytes(b"II*\x00" + bytes(2000))
    with serve(tmp_path) as server, pytest.raises(CorruptImageError, match=r"x_red\.tif' cannot be opened") as caught:
        find_scenes([f"{server.url}/x_red.tif?sig=TOPSECRET"], SceneOptions(remote=QUICK))
    assert "TOPSECRET" not in str(caught.value) + repr(caught.value.__cause__)


def test_a_failure_while_opening_is_not_remembered(server, folder):
    plan = plan_of(f"{server.url}/cog.tif")
    server.failures = [200, 404]  # what is it: good; how long is it: gone for a moment
    assert read(plan).values.tobytes() == read(plan_of(folder / "cog.tif")).values.tobytes()


def test_passwords_in_addresses_are_refused_and_not_repeated():
    with pytest.raises(ImageryError, match=r"https://host/x\.tif' was given with a password") as caught:
        find_scenes(["https://me:hush@host/x.tif"])
    assert "hush" not in str(caught.value)


def test_one_address_with_two_queries_names_no_file(server):
    with pytest.raises(ImageryError, match="two queries"):
        find_scenes([f"{server.url}/cog.tif?id=1", f"{server.url}/cog.tif?id=2"], SceneOptions(remote=QUICK))


def test_gdal_reaches_the_named_file_and_no_other(server):
    name = f"/vsicurl/{server.url}/cog.tif"
    with gdal_env(), rasterio.Env(**remote_settings(name, QUICK)):
        with rasterio.open(name, driver="GTiff"):
            pass
        server.take()
        with pytest.raises(RasterioIOError):
            rasterio.open(f"/vsicurl/{server.url}/data/red.tif", driver="GTiff")
    assert server.take() == []


def test_a_remote_vrt_is_refused(tmp_path):
    (tmp_path / "m.vrt").write_text("<VRTDataset rasterXSize='1' rasterYSize='1'></VRTDataset>")
    with serve(tmp_path) as server, pytest.raises(ImageryError, match=r"m\.vrt' is a VRT"):
        find_scenes([f"{server.url}/m.vrt"])


ITEM = {
    "type": "Feature",
    "stac_version": "1.0.0",
    "id": "one",
    "geometry": None,
    "properties": {"datetime": "2020-06-01T15:59:11Z"},
    "links": [],
}


def item(**hrefs: str) -> str:
    return json.dumps({**ITEM, "assets": {k: {"href": h, "type": "image/tiff"} for k, h in hrefs.items()}})


def test_items_elsewhere_lead_to_their_assets_by_relative_and_whole_addresses(server, folder, tmp_path):
    (folder / "items").mkdir(exist_ok=True)
    (folder / "items" / "one.json").write_text(item(red="../data/red.tif", nir=f"{server.url}/data/nir.tif"))
    catalog = {"type": "Catalog", "stac_version": "1.0.0", "links": [{"rel": "item", "href": "items/one.json"}]}
    (folder / "catalog.json").write_text(json.dumps(catalog))
    (tmp_path / "here.json").write_text(item(red=f"{server.url}/data/red.tif"))
    for source in (f"{server.url}/items/one.json", f"{server.url}/catalog.json", tmp_path / "here.json"):
        scene = find_scenes([source], SceneOptions(remote=QUICK)).scenes[0]
        assert scene.band("red").uri == f"{server.url}/data/red.tif"
        assert read(plan_of(source, ("red",))).valid.all()


@pytest.mark.parametrize("href", ["file:///etc/passwd", "http://127.0.0.1:9/x.tif"])
def test_items_elsewhere_may_not_lead_to_this_machine_nor_to_lesser_safety(href):
    with pytest.raises(ImageryError, match="leads to"):
        place_of(href, RemotePath("https://host/item.json?sig=1"), (), "asset 'red'")


def test_addresses_of_other_kinds_are_left_out():
    assert place_of("gs://b/x.tif", RemotePath("https://host/i.json"), (), "it") is None
    assert place_of("/vsis3/b/x.tif", RemotePath("https://host/i.json"), (), "it") is None


@pytest.mark.parametrize(
    ("base", "href", "found"),
    [
        ("s3://b/a/i.json", "./red.tif", "s3://b/a/red.tif"),
        ("s3://b/a/i.json", "https://h/red.tif", "https://h/red.tif"),
        ("https://h/a/i.json?sig=1", "/red.tif", "https://h/red.tif"),
    ],
)
def test_references_lead_on_from_their_document(base, href, found):
    assert joined(base, href) == found


def test_what_is_shown_of_an_address_holds_no_secret():
    assert public("https://me:pw@h:8/a.tif?sig=1#x") == "https://h:8/a.tif"
    assert public("scenes/what?.tif") == "scenes/what?.tif"


@pytest.mark.parametrize("options", [{"endpoint": "minio:9000"}, {"timeout_s": 0}, {"retries": -1}])
def test_settings_that_reach_nothing_are_refused(options):
    with pytest.raises(ConfigError):
        Remote(**options)
