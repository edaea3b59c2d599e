"""What a user notices of simulated series: same seed, same bytes; as cloudy as asked; truth that documents accept."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.datasets.simulation.bundle import write_bundle
from geowatch.datasets.simulation.noise import coherent, rng_of, to_shares
from geowatch.datasets.simulation.places import lonlat_of, pixels_of
from geowatch.datasets.simulation.scenario import MARGIN_PX, SimulationSpec, day_number
from geowatch.datasets.simulation.seasons import crop_seasons, green_share, wild_season
from geowatch.datasets.simulation.sensors import LANDSAT_LIKE, SENTINEL_LIKE
from geowatch.datasets.simulation.sky import cloud_shares, flawed_mask, make_sky
from geowatch.datasets.simulation.smart_world import smart_world
from geowatch.datasets.simulation.truth import true_region, true_sites
from geowatch.datasets.simulation.world import looks, made_up_world, pictures, render
from geowatch.errors import ConfigError
from geowatch.read.catalog import SceneOptions, find_scenes
from geowatch.sites.schema import problems
from geowatch.sites.smart import parse_region_model, parse_site, region_document, site_document

SPEC = SimulationSpec(seed=5, size_px=96, sites=2, start=date(2018, 1, 1), end=date(2020, 6, 30))


@pytest.fixture(scope="module")
def world():
    return made_up_world(SPEC)


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """A bundle of the fewest days that there may be."""
    spec = replace(SPEC, size_px=64, sites=1, end=date(2019, 2, 6))  # 400 days
    return write_bundle(made_up_world(spec), tmp_path_factory.mktemp("short") / "series"), spec


def test_the_same_seed_gives_the_same_picture_and_another_seed_another(world):
    look = looks(world.scenario)[20]
    again = render(made_up_world(SPEC), look)
    first = render(world, look)
    assert first.values.tobytes() == again.values.tobytes()
    assert first.mask.tobytes() == again.mask.tobytes()
    assert first.values.tobytes() != render(made_up_world(replace(SPEC, seed=6)), look).values.tobytes()


def test_a_picture_does_not_depend_on_those_before_it(world):
    stream = pictures(world)
    for _ in range(3):
        third = next(stream)
    assert third.values.tobytes() == render(world, looks(world.scenario)[2]).values.tobytes()


@pytest.mark.parametrize("cloudy", [0.0, 0.4])
def test_looks_are_as_cloudy_as_asked(cloudy):
    world = made_up_world(replace(SPEC, cloudy=cloudy))
    overpasses = looks(world.scenario)
    assert np.mean([look.cloudy for look in overpasses]) == pytest.approx(cloudy, abs=1e-6)
    some = overpasses[::9]
    seen = [render(world, look).cloudy.mean() for look in some]
    assert np.mean(seen) == pytest.approx(np.mean([look.cloudy for look in some]), abs=0.07)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.02, 0.98), st.integers(2, 400), st.integers(0, 99))
def test_shares_of_clouds_have_the_mean_that_was_asked_for(mean, count, seed):
    shares = cloud_shares(rng_of(seed), count, mean)
    assert shares.mean() == pytest.approx(mean, abs=0.01)
    assert ((shares >= 0) & (shares <= 1)).all()


def test_masks_miss_and_invent_about_as_much_as_they_are_told():
    rng = rng_of(1)
    sky = make_sky(rng, (200, 200), 0.5, 45.0, 17_700)
    mask = flawed_mask(rng, sky, np.full((200, 200), 0.1, np.float32), 0.1, 0.03)
    called = mask >= 2
    assert (~called & sky.cloudy).sum() / sky.cloudy.sum() == pytest.approx(0.1, abs=0.04)
    assert (called & ~sky.cloudy).sum() / (~sky.cloudy).sum() == pytest.approx(0.03, abs=0.02)


def test_fields_are_green_once_a_year_and_bare_after_harvest():
    season = crop_seasons(rng_of(2), range(2018, 2021), 48.0, winter=False)
    for year in (2018, 2019, 2020):
        days = range(day_number(date(year, 1, 1)), day_number(date(year, 12, 31)))
        shares = [green_share(season, day) for day in days]
        assert max(shares) > 0.7
        assert shares[0] < 0.15
        assert shares[-1] < 0.15


def test_seasons_of_the_south_are_half_a_year_off():
    north, south = (wild_season(rng_of(2), range(2018, 2021), lat, 0.3, 0.8) for lat in (48.0, -48.0))
    july, january = day_number(date(2019, 7, 10)), day_number(date(2019, 1, 10))
    assert green_share(north, july) > green_share(north, january) + 0.3
    assert green_share(south, january) > green_share(south, july) + 0.3


def test_a_site_loses_its_plants_and_a_field_beside_it_does_not(world):
    spec = replace(SPEC, cloudy=0.0, jitter_px=0.0)
    world = made_up_world(spec)
    work = next(w for w in world.scenario.works if w.kind == "building")
    summers = [look for look in looks(world.scenario) if look.sensor is SENTINEL_LIKE and look.day > work.days[1]]
    inside = world.overlay.site == world.scenario.works.index(work)
    best = np.full(inside.shape, -1.0)
    for look in summers[:37:4]:
        values = render(world, look).values.astype(float)
        whole = np.full(inside.shape, -1.0)
        whole[6:-6, 6:-6] = (values[3] - values[2]) / np.maximum(values[3] + values[2], 1)
        best = np.maximum(best, whole)
    fields = (world.land.cover == 0) & (world.overlay.site < 0)
    fields[:MARGIN_PX] = fields[-MARGIN_PX:] = False
    assert np.median(best[inside]) < 0.4
    assert np.median(best[fields]) > 0.6


def test_images_name_themselves_simulations_wherever_one_looks(short):
    bundle, _ = short
    tif = next(p for p in sorted((bundle.folder / "images").iterdir()) if "mask" not in p.name)
    with rasterio.open(tif) as image:
        assert "simulation" in image.tags()["TITLE"]
        assert image.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert image.descriptions == ("blue", "green", "red", "nir", "swir16", "swir22")
        assert image.scales == pytest.approx((1e-4,) * 6)
    assert tif.name.startswith("simulated_")
    assert "simulation" in json.loads(bundle.images.read_text())["title"]
    assert "simulation" in json.loads(bundle.region.read_text())["features"][0]["properties"]["comments"]
    for path in (bundle.truth / "site_models").iterdir():
        assert "simulation" in path.read_text()


def test_the_series_is_read_as_two_sensors_with_their_masks(short):
    bundle, _ = short
    scenes = find_scenes((str(bundle.images),), SceneOptions(mask=("fill", "cloud", "shadow"))).scenes
    assert len(scenes) == bundle.count
    assert {scene.sensor for scene in scenes} == {SENTINEL_LIKE.name, LANDSAT_LIKE.name}
    assert all(scene.masks and set(scene.masks[0].bad_values) == {0, 2, 3} for scene in scenes)
    assert {round(scene.bands[0].grid.steps[0]) for scene in scenes} == {10, 30}
    assert all(scene.bands[0].scale == pytest.approx(1e-4) for scene in scenes)


def test_a_second_call_changes_nothing_and_a_broken_off_one_goes_on(short, tmp_path):
    bundle, spec = short
    copy = tmp_path / "series"
    shutil.copytree(bundle.folder, copy)
    (copy / "series.json").unlink()
    lost = sorted((copy / "images").iterdir())[4:9]
    for path in lost:
        path.unlink()
    write_bundle(made_up_world(spec), copy)
    files = sorted(p.relative_to(bundle.folder) for p in bundle.folder.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(copy) for p in copy.rglob("*") if p.is_file())
    assert [p for p in files if (copy / p).read_bytes() != (bundle.folder / p).read_bytes()] == []
    kept = [p for p in files if p.parent.name == "images"][10:]
    assert [p for p in kept if (copy / p).stat().st_mtime_ns != (bundle.folder / p).stat().st_mtime_ns] == []


def test_another_simulation_does_not_land_in_the_same_folder(short):
    bundle, spec = short
    with pytest.raises(ConfigError, match="holds another simulation"):
        write_bundle(made_up_world(replace(spec, seed=9)), bundle.folder)


def test_truth_passes_the_schema_and_has_phases_in_their_order(world):
    sites = true_sites(world.scenario, looks(world.scenario))
    assert problems(region_document(true_region(world.scenario, sites))) == []
    for site in sites:
        assert problems(site_document(site)) == []
        if site.status == "positive_annotated":
            order = [("No Activity", "Site Preparation", "Active Construction", "Post Construction").index(o.phase)
                for o in site.observations]  # fmt: skip
            assert order == sorted(order)
            assert len(set(order)) >= 3


def test_outlines_go_to_the_globe_and_back(world):
    for work in world.scenario.works:
        there = lonlat_of(work.outline, world.scenario.geobox)
        back = pixels_of(there, world.scenario.geobox)
        assert back.symmetric_difference(work.outline).area < 0.02 * work.outline.area


def test_real_sites_are_simulated_where_and_when_they_were(shared_data):
    folder: Path = shared_data("smart")
    region = parse_region_model((folder / "region_models/BR_R002.geojson").read_bytes())
    paths = sorted((folder / "site_models").glob("BR_R002*"))
    spec = SimulationSpec(start=date(2014, 1, 1), end=date(2021, 8, 31))
    world = smart_world(region, [parse_site(path.read_bytes()) for path in paths], spec)
    assert len(world.scenario.works) == len(paths) == 12
    work = world.scenario.works[0]
    assert work.days == tuple(day_number(date(*d)) for d in ((2016, 10, 16), (2017, 2, 18), (2021, 1, 18)))
    assert (world.overlay.site == 0).sum() * 100 == pytest.approx(work.outline.area * 100, rel=0.02)


def test_a_random_field_has_hills_of_the_size_asked_for():
    field = coherent(rng_of(3), (256, 256), 20)
    near = np.corrcoef(field[:, :-2].ravel(), field[:, 2:].ravel())[0, 1]
    far = np.corrcoef(field[:, :-60].ravel(), field[:, 60:].ravel())[0, 1]
    assert near > 0.95
    assert abs(far) < 0.4
    shares = to_shares(field)
    assert (shares < 0.3).mean() == pytest.approx(0.3, abs=1e-3)


@pytest.mark.parametrize(
    "wrong", [{"cloudy": 1.2}, {"size_px": 10}, {"lat": 88.0}, {"end": date(2018, 6, 1)}, {"omission": -0.1}]
)
def test_what_cannot_be_simulated_is_refused(wrong):
    with pytest.raises(ConfigError):
        replace(SPEC, **wrong)
