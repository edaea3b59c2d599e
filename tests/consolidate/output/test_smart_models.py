"""SMART documents of sites: what the programme's schema and its metric ask of them."""

from __future__ import annotations

import json
from datetime import date

import pyarrow as pa
import pytest
import shapely
from support.made_sites import OBSERVATIONS, made_tables, many_sites

from geowatch.consolidate.output.batches import Batches
from geowatch.consolidate.output.smart import Programme, Seen, check_programme, region_model, site_models
from geowatch.errors import ConfigError, DamagedError
from geowatch.sites.schema import problems
from geowatch.sites.smart import region_document, site_document

REGION = shapely.box(-75.3, 37.8, -75.0, 38.0)
SITES, SEEN = made_tables(24)


def programme(**given) -> Programme:
    return Programme("ZZ_R001", REGION, date(2016, 1, 1), date(2018, 12, 31), **given)


def documents() -> list[dict]:
    sites = [site_document(site) for site in site_models(SITES, SEEN, programme())]
    return [region_document(region_model(SITES, programme())), *sites]


def test_every_document_passes_the_schema_of_the_programme(shared_data):
    import jsonschema

    schema = json.loads((shared_data("smart") / "smart.schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    # The validator is slow: the region, and sites plain, split, with a hole, and of two parts.
    made = documents()
    assert len(made) == 25
    for document in (made[0], made[1], made[4], made[5], made[11]):
        validator.validate(json.loads(json.dumps(document)))


def test_every_document_passes_our_own_reading_of_the_schema():
    assert [wrong for document in documents() for wrong in problems(json.loads(json.dumps(document)))] == []


def test_a_site_that_goes_on_ends_with_the_region_since_the_metric_passes_over_others():
    rows = {row["number"]: row for row in next(iter(SITES)).to_pylist()}
    ongoing = [number for number, row in rows.items() if row["end"] is None]
    assert ongoing
    models = {
        site.id: site_document(site)["features"][0]["properties"] for site in site_models(SITES, SEEN, programme())
    }
    for number, row in rows.items():
        said = models[f"ZZ_R001_{number:04d}"]
        assert said["start_date"] == row["start"].isoformat()
        assert said["misc_info"]["ongoing"] is (number in ongoing)
        assert said["end_date"] == ("2018-12-31" if number in ongoing else row["end"].isoformat())


def test_a_site_model_shows_what_was_seen_from_its_first_to_its_last_day_as_annotated_ones_do(shared_data):
    from geowatch.sites.smart import parse_site

    annotated = [parse_site(path.read_bytes()) for path in sorted(shared_data("smart").glob("site_models/*.geojson"))]
    made = list(site_models(SITES, SEEN, programme()))
    assert sum(len(site.observations) for site in annotated) > 100
    for site in (*annotated, *made):
        assert site.observations
        days = [each.date for each in site.observations if each.date is not None]
        assert all((site.start or day) <= day <= (site.end or day) for day in days)
    assert sum(len(site.observations) for site in made) < sum(batch.num_rows for batch in SEEN)
    assert any(site.observations[-1].date == site.end for site in made)


def test_a_site_that_was_not_seen_between_its_days_keeps_what_was_seen():
    rows = pa.Table.from_batches(SITES)
    day = pa.array([date(2016, 1, 13)] * len(rows), pa.date32())  # a day after the first observation
    moved = rows.set_column(5, "start", day).set_column(6, "end", day)
    found = list(site_models(Batches.of_table(moved), SEEN, programme()))
    rows = pa.Table.from_batches(SEEN).column("site_id").to_pylist()
    assert [len(site.observations) for site in found] == [rows.count(site.id) for site in found]


def test_observations_have_an_outline_and_say_each_parts_phase_and_edge():
    seen = {site.id: site.observations for site in site_models(SITES, SEEN, programme())}
    site = next(row for row in pa.Table.from_batches(SITES).to_pylist() if row["number"] == 10)
    rows = [row for row in pa.Table.from_batches(SEEN).to_pylist() if row["site_id"] == "ZZ_R001_0010"]
    rows = [row for row in rows if site["start"] <= row["date"] <= (site["end"] or row["date"])]
    assert [each.date for each in seen["ZZ_R001_0010"]] == [row["date"] for row in rows]
    parts = {len(shapely.get_parts(each.geometry)) for each in seen["ZZ_R001_0010"]}
    assert parts == {1, 2}  # the site has two parts; where it was seen otherwise, it has a box
    document = next(site_document(s) for s in site_models(SITES, SEEN, programme()) if s.id == "ZZ_R001_0010")
    for feature, row in zip(document["features"][1:], rows, strict=True):
        said = feature["properties"]
        count = 2 if feature["geometry"]["type"] == "MultiPolygon" else 1
        assert said["current_phase"] == ", ".join([row["phase"]] * count)
        assert said["is_site_boundary"] == ", ".join(["True"] * count)
        assert said["is_occluded"] == ", ".join([str(row["seen_share"] < 0.5)] * count)
    assert document["features"][0]["geometry"]["type"] == "Polygon"
    hull = shapely.from_geojson(json.dumps(document["features"][0]["geometry"]))
    assert hull.exterior.is_ccw
    assert all(
        hull.buffer(1e-7).covers(o.geometry) for o in seen["ZZ_R001_0010"] if len(shapely.get_parts(o.geometry)) == 2
    )


def test_images_and_sensors_are_named_where_they_are_known():
    seen = {("utm18n", 3): Seen("S2A_18SVG_20160412", "Sentinel-2")}
    models = site_models(SITES, SEEN, programme(seen=seen))
    sources = {(o.source, o.sensors) for site in models for o in site.observations}
    assert sources == {(None, ()), ("S2A_18SVG_20160412", ("Sentinel-2",))}


def test_phases_that_the_programme_does_not_know_are_left_open():
    def renamed():
        for batch in SEEN:
            place = batch.schema.get_field_index("phase")
            yield batch.set_column(place, batch.schema.field(place), pa.array(["flooded"] * batch.num_rows))

    sites = list(site_models(SITES, Batches(SEEN.schema, renamed), programme()))
    assert {o.phase for site in sites for o in site.observations} == {None}


@pytest.mark.parametrize("name", ["my-field", "ZZ_X001", "zz_r001", "ZZ_R0001", ""])
def test_a_region_id_that_does_not_fit_is_refused_with_a_way_out(name):
    with pytest.raises(ConfigError) as refused:
        check_programme(name)
    assert "--region-id" in refused.value.hint


@pytest.mark.parametrize("name", ["KR_R001", "ZZ_C701", "AE_S042", "US_T003"])
def test_region_ids_of_the_programme_are_taken(name):
    check_programme(name)


def test_more_sites_than_four_digits_are_refused_before_any_is_written():
    sites, _ = many_sites(10_001)
    with pytest.raises(ConfigError, match="site 10000 of ZZ_R001 has no SMART id") as refused:
        region_model(sites, programme())
    assert "--min-area" in refused.value.hint


def test_observations_of_no_site_are_an_error():
    stray = pa.Table.from_pylist([], OBSERVATIONS)
    rows = pa.Table.from_batches(SEEN).to_pylist()
    stray = pa.Table.from_pylist([{**rows[0], "site_id": "ZZ_R001_0099"}, *rows], OBSERVATIONS)
    with pytest.raises(DamagedError, match="ZZ_R001_0099 belong to no site"):
        list(site_models(SITES, Batches.of_table(stray), programme()))


def test_sites_without_a_place_on_the_globe_are_refused():
    sites, observations = made_tables(2, crs=None)
    with pytest.raises(ConfigError, match="no CRS"):
        next(site_models(sites, observations, programme()))
