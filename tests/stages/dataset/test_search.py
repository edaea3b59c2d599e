"""A region, a STAC API that fails at times, and the file of items that comes of it."""

from __future__ import annotations

import json
import sys

import pytest
from datasets.bundles import CORNER, UTM, ramp, write_tiff
from support.range_server import serve
from support.stac_server import serve_stac

from geowatch.datasets.stac_query import Query
from geowatch.datasets.stac_search import find_signer, search_items
from geowatch.errors import ConfigError, ImageryError, InterruptedRunError, StoreError
from geowatch.read.catalog import find_scenes
from geowatch.stages.binding.regions import read_region_file
from geowatch.stages.dataset.search import SearchConfig, search_imagery
from geowatch.stages.working.events import Silent

BOX = [[-77.3, 37.9], [-77.2, 37.9], [-77.2, 37.95], [-77.3, 37.95], [-77.3, 37.9]]


def item(day: int, base: str = "https://host", **properties):
    """An item of 2020-06 over the region, one red band."""
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": f"s2-{day:02}", "collection": "sentinel-2-l2a",
        "geometry": {"type": "Polygon", "coordinates": [BOX]}, "bbox": [-77.3, 37.9, -77.2, 37.95],
        "properties": {"datetime": f"2020-06-{day:02}T15:40:00Z", "platform": "sentinel-2a", **properties},
        "links": [{"rel": "self", "href": f"{base}/items/s2-{day:02}.json"}],
        "assets": {"red": {"href": "../red.tif", "type": "image/tiff; application=geotiff", "roles": ["data"]}},
    }  # fmt: skip


@pytest.fixture
def region(tmp_path):
    path = tmp_path / "region.geojson"
    path.write_text(json.dumps({"type": "Polygon", "coordinates": [BOX]}))
    return str(path)


def searched(region, server, tmp_path, **options):
    config = SearchConfig(region, server.url, output=str(tmp_path / "items.json"), **options)
    done = search_imagery(config)
    return done, [each["id"] for each in json.loads((tmp_path / "items.json").read_text())["features"]]


def test_all_pages_are_fetched_though_the_service_fails_at_times(region, tmp_path):
    items = [item(day) for day in range(1, 29)]
    with serve_stac(items, failures=[503, 200, 429, 0, 200, 500, 502, 200]) as server:
        query = Query(server.url, read_region_file(region).geometry, page_items=10)
        found = [each["id"] for each in search_items(query)]
    assert found == [each["id"] for each in items]
    assert [body.get("token", 0) for body in server.bodies] == [0, 10, 20]
    assert server.answers == 9


class Clock:
    """Stands in for the clock of waits: to sleep takes no time."""

    now = 0.0

    def monotonic(self):
        return self.now

    def sleep(self, wait_s):
        self.now += wait_s


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("geowatch.stages.dataset.search.time", clock)
    return clock


class Waits(Silent):
    """Hears of waits, and stops one when told to."""

    def __init__(self, *, stop=False):
        self.stop, self.notes, self.waited = stop, [], {}

    def note(self, text):
        self.notes.append(text)

    def progress(self, stage, done, total, **figures):
        self.waited.setdefault(stage, []).append((done, total))

    def stopping(self):
        return self.stop


def test_a_wait_that_the_service_asks_for_is_shown_and_each_by_itself(region, tmp_path, clock):
    heard = Waits()
    with serve_stac([item(1)], failures=[429, 200, 503], retry_after="2") as server:
        search_imagery(SearchConfig(region, server.url, output=str(tmp_path / "items.json")), heard)
    assert any("busy; it is asked again in 2 s" in note for note in heard.notes)
    assert set(heard.waited) == {"wait for try 2", "wait for try 3", "search"}
    for seconds in (heard.waited["wait for try 2"], heard.waited["wait for try 3"]):
        assert len(seconds) > 10
        assert seconds == sorted(seconds)
        assert seconds[-1] == (2.0, 2.0)


def test_a_wait_can_be_stopped(region, tmp_path, clock):
    busy = serve_stac([item(1)], failures=[503], retry_after="50")
    with busy as server, pytest.raises(InterruptedRunError) as stopped:
        search_imagery(SearchConfig(region, server.url, output=str(tmp_path / "items.json")), Waits(stop=True))
    assert stopped.value.hint
    assert clock.now == 0


def test_an_item_that_does_not_say_where_it_is_keeps_its_addresses(region, tmp_path):
    with serve_stac([item(1) | {"links": []}, item(2)]) as server:
        searched(region, server, tmp_path)
    found = json.loads((tmp_path / "items.json").read_text())["features"]
    assert [each["assets"]["red"]["href"] for each in found] == ["../red.tif", "https://host/red.tif"]


def test_what_is_asked_reaches_the_service(region, tmp_path):
    items = [item(day, **{"eo:cloud_cover": 10.0 * day}) for day in range(1, 10)]
    with serve_stac(items) as server:
        done, names = searched(
            region, server, tmp_path, collection=("sentinel-2-l2a",), start="2020-06-02", end="2020-06-08", max_cloud=40
        )
    assert (names, done.items, done.days) == (["s2-02", "s2-03", "s2-04"], 3, 3)
    (body,) = server.bodies
    assert body["query"] == {"eo:cloud_cover": {"lte": 40}}
    assert body["datetime"] == "2020-06-02T00:00:00Z/2020-06-08T23:59:59Z"


def test_a_service_that_does_not_filter_by_cloud_is_filtered_here(region, tmp_path):
    items = [item(1, **{"eo:cloud_cover": 80}), item(2, **{"eo:cloud_cover": 5}), item(3)]
    with serve_stac(items, query=False) as server:
        _, names = searched(region, server, tmp_path, max_cloud=40)
    assert names == ["s2-02", "s2-03"]
    assert "query" not in server.bodies[0]


def test_the_regions_own_time_range_holds(tmp_path):
    path = tmp_path / "smart.geojson"
    properties = {"type": "region", "region_id": "XX_R001", "version": "2.4.3", "mgrs": "18SUG", "start_date":
                  "2020-06-03", "end_date": "2020-06-04", "originator": "x", "model_content": "annotation"}  # fmt: skip
    feature = {"type": "Feature", "properties": properties, "geometry": {"type": "Polygon", "coordinates": [BOX]}}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    with serve_stac([item(day) for day in range(1, 9)]) as server:
        _, names = searched(str(path), server, tmp_path)
    assert names == ["s2-03", "s2-04"]


def test_the_limit_stops_the_paging(region, tmp_path):
    with serve_stac([item(day) for day in range(1, 29)]) as server:
        _, names = searched(region, server, tmp_path, limit=3)
    assert len(names) == 3


def test_items_that_cost_are_left_out_unless_they_are_asked_for(region, tmp_path):
    items = [item(1, **{"storage:requester_pays": True}), item(2)]
    with serve_stac(items) as server:
        done, names = searched(region, server, tmp_path)
        assert (names, done.left_out) == (["s2-02"], 1)
        _, names = searched(region, server, tmp_path, requester_pays=True)
        assert names == ["s2-01", "s2-02"]
        server.items.pop()
        with pytest.raises(ImageryError, match="1 cost their readers") as caught:
            searched(region, server, tmp_path)
    assert "--requester-pays" in caught.value.hint


def test_what_is_found_and_signed_can_be_read(region, tmp_path, monkeypatch):
    # The files open only with the signature that the hook puts on.
    write_tiff(tmp_path / "web/red.tif", ramp(8, 12), CORNER, UTM)
    (tmp_path / "hooks.py").write_text(
        "def sign(item):\n"
        "    for asset in item['assets'].values():\n"
        "        asset['href'] += '?sig=secret'\n"
        "    return item\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with serve(tmp_path / "web") as files:
        files.query = "sig=secret"
        with serve_stac([item(1, files.url)]) as server:
            searched(region, server, tmp_path, sign="hooks:sign")
        (scene,) = find_scenes([tmp_path / "items.json"]).scenes
    assert scene.bands[0].uri == f"{files.url}/red.tif"
    lineage = [path.read_text() for path in (tmp_path / "lineage").rglob("*") if path.is_file()]
    assert len(lineage) == 1
    assert not [text for text in lineage if "secret" in text]
    sys.modules.pop("hooks", None)


def test_a_service_that_fails_for_good_is_a_failure(region, tmp_path):
    with serve_stac([item(1)], failures=[503] * 9) as server, pytest.raises(StoreError) as caught:
        searched(region, server, tmp_path, retries=2)
    assert caught.value.exit_code == 1
    assert server.url in caught.value.fact
    assert server.answers == 3
    assert not (tmp_path / "items.json").exists()


def test_nothing_found_says_so(region, tmp_path):
    with serve_stac([]) as server, pytest.raises(ImageryError, match="no item of"):
        searched(region, server, tmp_path)


@pytest.mark.parametrize("hook", ["nowhere", "json:nothing", "no_such_module:sign"])
def test_a_hook_that_is_not_there_is_named(hook):
    with pytest.raises(ConfigError) as caught:
        find_signer(hook)
    assert hook in caught.value.fact
    assert "module:function" in caught.value.hint


def test_a_hook_that_loses_the_item_is_refused(region, tmp_path, monkeypatch):
    (tmp_path / "lossy.py").write_text("def sign(item):\n    return None\n")
    monkeypatch.syspath_prepend(tmp_path)
    with serve_stac([item(1)]) as server, pytest.raises(ConfigError, match="gave a NoneType"):
        searched(region, server, tmp_path, sign="lossy:sign")


def test_what_is_no_address_is_refused(region, tmp_path):
    with pytest.raises(ConfigError, match="no address"):
        search_imagery(SearchConfig(region, "stac.example.org"))


def test_a_page_that_is_no_api_is_refused(region, tmp_path):
    (tmp_path / "web").mkdir()
    (tmp_path / "web/index.json").write_text('{"hello": 1}')
    with serve(tmp_path / "web") as files, pytest.raises(ImageryError, match="no STAC API"):
        search_imagery(SearchConfig(region, f"{files.url}/index.json", output=str(tmp_path / "items.json")))


@pytest.mark.parametrize(
    "raw",
    [
        b"<html>welcome</html>", b"[1, 2]", b'{"type": "FeatureColl', b'{"features": ["x"]}',
        b'{"features": [{"id": 3}]}',
        b'{"features": [{"id": "a", "assets": ["b"]}]}', b'{"features": [{"id": "a", "links": ["b"]}]}',
        b'{"features": [{"id": "a", "properties": 5}]}', b'{"features": 7}',
        b'{"features": [{"id": "a"}], "links": [{"rel": "next"}]}', b'{"features": [{"id": "a"}], "links": "none"}',
    ],
)  # fmt: skip
def test_an_answer_that_is_none_is_one_plain_error(region, tmp_path, raw):
    with serve_stac([], raw=raw) as server, pytest.raises(ImageryError) as caught:
        searched(region, server, tmp_path)
    assert server.url in caught.value.fact
    assert "landing page" in caught.value.hint
    assert not (tmp_path / "items.json").exists()


@pytest.mark.parametrize(
    ("status", "kind", "fact", "code"),
    [
        (400, ImageryError, "refuses the search: 400", 2), (413, ImageryError, "refuses the search: 413", 2),
        (401, StoreError, "is closed to you: 401", 1), (403, StoreError, "is closed to you: 403", 1),
        (404, ImageryError, "answers with no STAC API: 404", 2),
    ],
)  # fmt: skip
def test_a_refusal_is_not_taken_for_a_busy_service(region, tmp_path, status, kind, fact, code):
    with serve_stac([item(1)], failures=[200, status]) as server, pytest.raises(kind, match=fact) as caught:
        searched(region, server, tmp_path)
    assert caught.value.exit_code == code
    assert server.answers == 2


def test_a_service_that_does_not_answer_in_time_is_left(region, tmp_path):
    with (
        serve_stac([item(1)], delay_s=1.5) as server,
        pytest.raises(StoreError, match=r"after 1 more tries.*timed out"),
    ):
        searched(region, server, tmp_path, timeout=0.3, retries=1)


def test_a_long_wait_that_a_service_asks_for_is_cut(region, tmp_path, clock):
    with serve_stac([item(1)], failures=[200, 429], retry_after="100000") as server:
        assert searched(region, server, tmp_path)[1] == ["s2-01"]
    assert clock.now == pytest.approx(60)


def test_paging_that_turns_in_a_circle_ends(region, tmp_path):
    with serve_stac([]) as server:
        again = [{"rel": "next", "href": f"{server.url}/search", "method": "POST", "body": {}}]
        server.raw = json.dumps({"features": [item(1)], "links": again}).encode()
        with pytest.raises(StoreError, match="the same page again"):
            searched(region, server, tmp_path)


def test_a_service_that_knows_get_alone_is_asked_for_boxes(tmp_path):
    corner = [[-77.3, 37.9], [-77.2, 37.9], [-77.3, 37.95], [-77.3, 37.9]]
    (tmp_path / "r.geojson").write_text(json.dumps({"type": "Polygon", "coordinates": [corner]}))
    beside = [[-77.205, 37.945], [-77.2, 37.945], [-77.2, 37.95], [-77.205, 37.945]]
    other = {**item(2), "geometry": {"type": "Polygon", "coordinates": [beside]}}
    with serve_stac([item(1), other], method="GET") as server:
        found = searched(str(tmp_path / "r.geojson"), server, tmp_path)
    assert found[1] == ["s2-01"]
    assert server.bodies[0]["bbox"] == "-77.3,37.9,-77.2,37.95"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_region_across_the_antimeridian_finds_what_lies_on_both_sides(tmp_path, method):
    ring = [[179.5, 0], [-179.5, 0], [-179.5, 1], [179.5, 1], [179.5, 0]]
    (tmp_path / "r.geojson").write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))

    def at(day, west):
        east = west + 0.2
        return {**item(day), "geometry": {"type": "Polygon", "coordinates": [
            [[west, 0.2], [east, 0.2], [east, 0.6], [west, 0.6], [west, 0.2]]]}}  # fmt: skip

    with serve_stac([at(1, 179.6), at(2, -179.9), at(3, 0.0)], method=method) as server:
        found = searched(str(tmp_path / "r.geojson"), server, tmp_path)
    assert sorted(found[1]) == ["s2-01", "s2-02"]
