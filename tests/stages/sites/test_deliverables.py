"""What people open of sites: which files are made of a run, which are not and why, and that they are whole."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import replace

import geopandas
import pyarrow as pa
import pytest
import shapely
from PIL import Image
from support.made_sites import made_tables

from geowatch.consolidate.output.batches import Batches
from geowatch.errors import ConfigError, DamagedError, StoreError
from geowatch.grid.choice import LatticeChoice
from geowatch.grid.plan import PlanRequest, make_plan
from geowatch.grid.region import Region
from geowatch.stages.sites.deliver_config import OUTPUTS, DeliverConfig
from geowatch.stages.sites.deliverables import deliver_sites
from geowatch.stages.sites.tables import stored_batches
from geowatch.stages.working.events import Silent
from geowatch.store import open_store

SITES, SEEN = made_tables(9)
BOX = shapely.box(-75.25, 37.9, -75.1, 37.96)


def plan_of(name="ZZ_R001"):
    return make_plan(PlanRequest(Region(name, BOX), LatticeChoice(resolution=10.0)))[0]


class Heard(Silent):
    """Keeps the notes."""

    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def deliver(folder, *, name="ZZ_R001", sites=SITES, seen=SEEN, events=None, **wanted):
    return deliver_sites(open_store(folder), plan_of(name), sites, seen, DeliverConfig(**wanted), events or Silent())


def test_everything_that_fits_is_written_whole_and_its_digest_is_told(tmp_path):
    done = deliver(tmp_path)
    assert done.notes == ()
    assert {key for key in done.digests if "models" not in key and "stac" not in key} == {
        "sites/sites.parquet", "sites/observations.parquet", "sites/sites.fgb", "sites/sites.gpkg",
        "sites/sites.geojson", "sites/summary.csv", "sites/sites.csv", "sites/sites.png", "sites/report.html",
    }  # fmt: skip
    found = {path.relative_to(tmp_path).as_posix(): path for path in tmp_path.rglob("*") if path.is_file()}
    assert set(found) == set(done.digests)  # nothing unfinished lies about
    for key, digest in done.digests.items():
        assert hashlib.sha256(found[key].read_bytes()).hexdigest() == digest
    models = [key for key in done.digests if key.startswith("sites/site_models/")]
    assert len(models) == 9
    assert "sites/region_models/ZZ_R001.geojson" in done.digests


def test_the_same_tables_make_the_same_bytes(tmp_path):
    assert deliver(tmp_path / "a").digests == deliver(tmp_path / "b").digests


def test_only_what_is_wanted_is_written(tmp_path):
    done = deliver(tmp_path, outputs=("geojson", "summary"))
    assert list(done.digests) == ["sites/sites.geojson", "sites/summary.csv", "sites/sites.csv"]
    with pytest.raises(ConfigError, match="'shp' is no output") as refused:
        DeliverConfig(outputs=("parquet", "shp"))
    assert "parquet" in refused.value.hint


def test_a_region_that_smart_has_no_id_for_is_said_refused_or_given_one(tmp_path):
    heard = Heard()
    done = deliver(tmp_path / "a", name="my-field", events=heard)
    assert not [key for key in done.digests if "models" in key]
    assert heard.notes == list(done.notes)
    assert "'my-field' is no region id of SMART" in done.notes[0]
    with pytest.raises(ConfigError, match="'my-field'") as refused:
        deliver(tmp_path / "b", name="my-field", outputs=("parquet", "smart"))
    assert not (tmp_path / "b").exists()
    assert "--region-id" in refused.value.hint
    given = deliver(tmp_path / "c", name="my-field", region_id="KR_R007")
    assert "sites/site_models/KR_R007_0008.geojson" in given.digests
    assert given.notes == ()


def test_models_of_sites_that_are_no_more_are_removed(tmp_path):
    deliver(tmp_path, outputs=("smart",))
    few = tuple(Batches.of_table(pa.Table.from_batches(t).filter(pa.compute.is_in(
        pa.Table.from_batches(t)["site_id"], pa.array(["ZZ_R001_0002"])))) for t in (SITES, SEEN))  # fmt: skip
    deliver(tmp_path, sites=few[0], seen=few[1], outputs=("smart",))
    assert [path.name for path in (tmp_path / "sites/site_models").iterdir()] == ["ZZ_R001_0002.geojson"]


def test_a_geojson_that_became_too_large_does_not_stay_as_it_was(tmp_path):
    deliver(tmp_path)
    done = deliver(tmp_path, geojson_bytes=500)
    assert not (tmp_path / "sites/sites.geojson").exists()
    assert any("sites.geojson was not made" in note for note in done.notes)


def test_what_fails_half_way_leaves_the_old_file(tmp_path):
    deliver(tmp_path, outputs=("parquet",))
    before = (tmp_path / "sites/sites.parquet").read_bytes()

    def broken():
        yield next(iter(SITES))
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="gone"):
        deliver(tmp_path, sites=Batches(SITES.schema, broken), outputs=("parquet",))
    assert (tmp_path / "sites/sites.parquet").read_bytes() == before
    assert not list(tmp_path.rglob(".unfinished*"))


def test_sites_of_plain_pixels_have_files_and_a_page_but_no_place_on_the_globe(tmp_path):
    sites, seen = made_tables(4, crs=None)
    done = deliver(tmp_path, sites=sites, seen=seen)
    assert {"sites/sites.parquet", "sites/report.html", "sites/sites.png"} <= set(done.digests)
    assert sum("no CRS" in note for note in done.notes) == 3  # GeoJSON, SMART, STAC


def test_a_region_without_sites_has_all_of_its_files(tmp_path):
    empty = [Batches(table.schema, lambda: ()) for table in (SITES, SEEN)]
    done = deliver(tmp_path, sites=empty[0], seen=empty[1], name="my-field")
    assert "sites/report.html" in done.digests
    assert len(geopandas.read_parquet(tmp_path / "sites/sites.parquet")) == 0


def test_tables_are_read_from_the_store_piece_by_piece(tmp_path):
    store = open_store(tmp_path)
    out = io.BytesIO()
    with pa.ipc.new_file(out, SITES.schema) as writer:
        for batch in SITES:
            writer.write_batch(batch)
    store.put("sites/sites.arrow", out.getvalue())
    stored = stored_batches(store, "sites/sites.arrow")
    assert pa.Table.from_batches(stored).equals(pa.Table.from_batches(SITES))
    assert stored.crs == "EPSG:32618"
    with pytest.raises(StoreError, match="holds no"):
        stored_batches(store, "sites/none.arrow")
    with pytest.raises(DamagedError, match="no site_id"):
        deliver(tmp_path, sites=Batches.of_table(pa.table({"a": [1]})))


def test_the_report_knows_what_the_run_says_of_itself(tmp_path):
    (tmp_path / "simulation.json").write_text("{}")
    plane = {"region_px": 200, "scored_px": 150, "no_imagery_px": 40, "gap_px": 10, "missing_tiles": ["utm18n/1_2"]}
    (tmp_path / "coverage.json").write_text(json.dumps({"planes": [plane], "grids_without_imagery": {}}))
    (tmp_path / "evaluation").mkdir()
    (tmp_path / "evaluation/evaluation.json").write_text(
        json.dumps({"summary": {"f1": 0.9142, "tp": 12, "ffpa": None}})
    )
    deliver(tmp_path)
    page = (tmp_path / "sites/report.html").read_text()
    for said in ("Simulated:", "75.0% has scores", "utm18n/1_2", "0.914", "<b>evaluate</b>", "sites.gpkg", "plan"):
        assert said in page, said


def test_the_page_alone_is_written_anew_with_all_it_knew(tmp_path):
    deliver(tmp_path)
    before = (tmp_path / "sites/report.html").read_text()
    deliver(tmp_path, outputs=("report",))
    assert (tmp_path / "sites/report.html").read_text() == before


def test_the_picture_shows_outlines_and_a_legend(tmp_path):
    deliver(tmp_path, outputs=("picture",))
    picture = Image.open(tmp_path / "sites/sites.png").convert("RGB")
    assert max(picture.size) < 1200
    colors = {color for _, color in picture.getcolors(1 << 24)}
    assert (0x2F, 0x86, 0xA6) in colors  # a phase's colour in the legend


def test_the_collection_lists_all_items_and_their_files_exist(tmp_path):
    import pystac

    item = {"type": "Feature", "stac_version": "1.1.0", "id": "map", "geometry": None, "properties":
            {"datetime": "2020-01-01T00:00:00Z"}, "links": [], "assets": {"map": {"href": "./map.tif"}}}  # fmt: skip
    (tmp_path / "item.json").write_text(json.dumps(item))
    (tmp_path / "map.tif").write_bytes(b"")
    (tmp_path / "sites/stac").mkdir(parents=True)
    for name in ("cloud-field-map-2019-12-01_image", "own"):
        (tmp_path / f"sites/stac/{name}.json").write_text("{}")
    deliver(tmp_path)
    read = pystac.Collection.from_file(str(tmp_path / "sites/stac/collection.json"))
    items = list(read.get_items())
    assert [each.id for each in items] == ["ZZ_R001-sites", "map"]
    for each in items:
        for asset in each.assets.values():
            assert (tmp_path / "sites/stac" / asset.href).resolve().exists(), asset.href
    left = {path.stem for path in (tmp_path / "sites/stac").iterdir()}
    assert left == {"collection", "ZZ_R001-sites", "map", "own"}  # not the map that is no more; what is not ours stays


def test_every_output_has_a_writer():
    from geowatch.stages.sites.deliverables import _WRITERS

    assert set(_WRITERS) | {"picture", "report"} == set(OUTPUTS)


def test_options_have_limits():
    with pytest.raises(ConfigError):
        replace(DeliverConfig(), report_sites=-1)
    with pytest.raises(ConfigError):
        DeliverConfig(geojson_bytes=0)
