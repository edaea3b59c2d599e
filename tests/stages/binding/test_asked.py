"""``run.json``: a run folder is for one request, which may be given bit by bit."""

import pytest

from geowatch.errors import DamagedError, PlanMismatchError
from geowatch.stages.binding.asked import RUN, Asked, claim, merged, read_asked
from geowatch.store import LocalStore


def test_what_was_asked_comes_back(tmp_path):
    store = LocalStore(tmp_path)
    assert read_asked(store) is None
    asked = Asked(
        region="r.geojson", region_digest="0" * 64, origin=(1.5, 2.5), images=("a", "b"), reading={"date": []}
    )
    claim(store, asked)
    assert read_asked(store) == asked


def test_what_is_left_open_stays_as_it_was():
    before = Asked(region_digest="0" * 64, resolution=10.0, tile_size=512)
    assert merged(before, Asked(), "run") == before
    assert merged(before, Asked(model="pkg", resolution=10.0), "run").model == "pkg"
    assert merged(None, Asked(crs="EPSG:3857"), "run").crs == "EPSG:3857"


def test_another_request_is_refused_with_the_difference():
    before = Asked(region="a.geojson", region_digest="0" * 64, resolution=10.0, tile_size=512)
    with pytest.raises(
        PlanMismatchError, match=r"region a\.geojson there, b\.geojson asked; resolution 10 there, 20 "
    ) as caught:
        merged(before, Asked(region="b.geojson", region_digest="1" * 64, resolution=20.0), "run")
    assert "--run" in caught.value.hint


def test_a_file_elsewhere_with_the_same_content_is_the_same():
    before = Asked(region="a.geojson", region_digest="0" * 64, images=("here",), model="pkg")
    now = Asked(region="/mnt/a.geojson", region_digest="0" * 64, images=("/mnt/here",), model="/mnt/pkg")
    assert merged(before, now, "run") == now


def test_of_two_calls_at_once_the_second_meets_the_first(tmp_path):
    store = LocalStore(tmp_path)
    claim(store, Asked(resolution=10.0))
    claim(store, Asked(resolution=10.0))
    with pytest.raises(PlanMismatchError, match="resolution"):
        claim(store, Asked(resolution=20.0))


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"asked": {"resolution": "fine"}}', b'{"asked": {"images": 3}}']
)
def test_a_damaged_record_is_said(tmp_path, content):
    store = LocalStore(tmp_path)
    store.put(RUN, content)
    with pytest.raises(DamagedError, match=r"run\.json"):
        read_asked(store)
