"""Joined maps of a region in two zones: every place once, no hole at the seam, values as they stand on the grids."""

from __future__ import annotations

import json

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer
from rio_cogeo.cogeo import cog_validate
from support.made_sites import made_tables
from support.small_job import config_of, speckled, write_raster

from geowatch.errors import ConfigError
from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.grid.plan import Grid
from geowatch.stages.predict import predict
from geowatch.stages.sites import over_time
from geowatch.stages.sites.deliver_config import DeliverConfig
from geowatch.stages.sites.deliverables import deliver_sites
from geowatch.stages.stitch import StitchConfig, stitch
from geowatch.stages.tile import TileConfig, tile
from geowatch.stages.working.events import Silent
from geowatch.stitch.joined import owner_of
from geowatch.store import open_store
from geowatch.store.plans import read_plan

#: Zones 17 and 18 meet at 78 degrees west.
CORNERS = [(-78.003, 36.0033), (-77.997, 36.003), (-77.9972, 35.997), (-78.003, 35.9972), (-78.003, 36.0033)]


@pytest.fixture(scope="module")
def run(tiny_package, tmp_path_factory):
    folder = tmp_path_factory.mktemp("zones")
    lonlat = Affine(0.0001, 0, -78.004, 0, -0.0001, 36.004)
    image = write_raster(folder / "scene.tif", np.maximum(speckled(80, 80), 1), lonlat, "EPSG:4326")
    with rasterio.open(image, "r+") as tagged:
        tagged.update_tags(SIMULATION="yes", TITLE="simulation: made up for a test")
    region = folder / "region.geojson"
    region.write_text(json.dumps({"type": "Polygon", "coordinates": [CORNERS]}))
    tile(TileConfig(region=str(region), run=str(folder / "run"), resolution=10, tile_size=32))
    predict(config_of(folder / "run", image, tiny_package))
    stitch(StitchConfig(run=str(folder / "run")))
    return folder / "run"


def deliver(run, **wanted):
    sites, seen = made_tables(2, crs="EPSG:4326")
    store = open_store(run)
    return deliver_sites(store, read_plan(store), sites, seen, DeliverConfig(**wanted), Silent())


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32617", "EPSG:3857"])
def test_every_place_has_the_value_of_the_zone_that_owns_it(run, crs):
    deliver(run, outputs=("mosaic",), mosaic_crs=crs)
    for name, source in (("map", "map"), ("score", "probability")):
        check(run, crs, name, source)


def check(run, crs, name, source):
    with rasterio.open(run / f"sites/{name}.tif") as joined:
        values = joined.read(1)
        assert joined.crs.to_string() == crs
        rows, columns = np.mgrid[: joined.height, : joined.width]
        xy = joined.transform @ (columns.ravel() + 0.5, rows.ravel() + 0.5)
    lon, lat = Transformer.from_crs(crs, "OGC:CRS84", always_xy=True).transform(*xy)
    expected = np.full(values.size, 255, np.uint8)
    for zone, mine in (("17", lon < -78), ("18", lon >= -78)):
        with rasterio.open(run / f"{source}-utm{zone}n.tif") as grid:
            stored = grid.read()
            x, y = Transformer.from_crs("OGC:CRS84", grid.crs, always_xy=True).transform(lon, lat)
            column, row = (np.floor(v).astype(int) for v in ~grid.transform @ (np.asarray(x), np.asarray(y)))
            inside = mine & (column >= 0) & (row >= 0) & (column < grid.width) & (row < grid.height)
            one = stored[0] if source == "map" else added(stored[1:])
            expected[inside] = one[row[inside], column[inside]]
    expected = expected.reshape(values.shape)
    known = expected != 255
    assert known.sum() > 2000
    assert np.array_equal(values[known], expected[known])
    # Beyond those only a seam is filled: places whose pixel's centre lies in the other zone.
    extra = (values != 255) & ~known
    assert np.abs(lon.reshape(values.shape)[extra] + 78).max(initial=0) < 0.0003
    assert extra.sum() < 0.05 * known.sum()


def added(stored):
    return np.where(stored[0] == 255, 255, np.minimum(stored.astype(int).sum(axis=0), 254)).astype(np.uint8)


def test_no_hole_runs_along_the_meridian(run):
    deliver(run, outputs=("mosaic",))
    with rasterio.open(run / "sites/map.tif") as joined:
        values = joined.read(1)
        seam = round((~joined.transform @ (-78.0, 36.0))[0])
    middle = values[8:-8, seam - 6 : seam + 6]
    assert middle.shape[0] > 30
    assert (middle != 255).all()


def test_joined_maps_are_valid_cogs_with_the_maps_colours(run):
    deliver(run, outputs=("mosaic",))
    for name in ("map", "score"):
        valid, errors, warnings = cog_validate(run / f"sites/{name}.tif", strict=True)
        assert valid, (errors, warnings)
    with rasterio.open(run / "sites/map.tif") as joined, rasterio.open(run / "map-utm17n.tif") as grid:
        assert joined.colormap(1) == grid.colormap(1)
        assert joined.tags(1)["CLASSES"] == grid.tags(1)["CLASSES"]
    with rasterio.open(run / "sites/score.tif") as score:
        assert (score.nodata, score.descriptions) == (255, ("salient score",))
        assert score.scales[0] == pytest.approx(1 / 254)


def test_the_same_run_makes_the_same_maps_and_they_are_in_the_collection(run):
    first = deliver(run, outputs=("mosaic", "stac"))
    again = deliver(run, outputs=("mosaic", "stac"))
    assert first.digests == again.digests
    item = json.loads((run / "sites/stac/region-joined.json").read_text())
    assert item["assets"]["map"]["href"] == "../map.tif"
    assert item["properties"]["proj:code"] == "EPSG:4326"
    names = {path.name for path in (run / "sites/stac").iterdir()}
    assert {"collection.json", "region-sites.json", "region-joined.json"} < names
    assert len(names) == 5


def test_imagery_of_both_zones_lies_behind_the_report(run):
    deliver(run, outputs=("report", "picture"))
    page = (run / "sites/report.html").read_text()
    assert 'class="behind"' in page


def test_images_that_say_that_they_are_a_simulation_are_believed(run):
    deliver(run, outputs=("report", "stac"))
    assert '<p class="banner">Simulated: made up for a test</p>' in (run / "sites/report.html").read_text()
    assert "simulated region" in json.loads((run / "sites/stac/collection.json").read_text())["description"]


class Named:
    """A stand-in for a plane or a frame: attributes and nothing else."""

    def __init__(self, **given):
        self.__dict__.update(given)


def test_the_clearest_date_lies_behind_and_the_next_ones_fill_its_gaps(monkeypatch):
    from geowatch.stages.sites import backdrop as site_backdrop

    def plane(day, value, columns, sensor="a"):
        frame = Named(day=day, frame_id=day, sensor=sensor)
        return Named(frame=frame, grid=grids()[0], value=value, columns=columns)

    def thinned(plane, shape, step):
        valid = np.zeros(shape, bool)
        valid[:, plane.columns] = True
        return np.full((3, *shape), plane.value, np.float32), valid

    monkeypatch.setattr(site_backdrop, "thinned", thinned)
    monkeypatch.setattr(site_backdrop, "stretch", lambda values, valid: np.where(valid, values[0], -1))
    planes = [plane("d1", 1, slice(0, 5)), plane("d2", 2, slice(3, 8)), plane("d3", 3, slice(0, 10), "b"),
              plane("d4", 4, slice(0, 4)), plane("d5", 5, slice(0, 9))]  # fmt: skip
    picture = site_backdrop._composed(planes)
    assert picture.pixels[0].tolist() == [1, 1, 1, 1, 1, 2, 2, 2, 5, -1]
    assert picture.shows == "the imagery of d1, gaps filled from 2 other dates"


def test_a_crs_that_does_not_fit_is_refused(run):
    with pytest.raises(ConfigError, match="no CRS"):
        deliver(run, outputs=("mosaic",), mosaic_crs="EPSG:99999999")


def grids():
    box = PixelBox(0, 0, 10, 10)
    zones = [("utm01n", 32601), ("utm31n", 32631), ("utm60s", 32760), ("ups_n", 32661), ("ups_s", 32761)]
    return [Grid(name, Lattice(f"EPSG:{code}", -10.0, 10.0), 32, box) for name, code in zones]


DEGREE = 10**7


@given(
    st.integers(-180 * DEGREE, 180 * DEGREE).map(lambda v: v / DEGREE),
    st.integers(-90 * DEGREE, 90 * DEGREE).map(lambda v: v / DEGREE),
)
def test_a_place_has_one_owner_at_most_and_meridians_belong_to_the_east(lon, lat):
    owner = int(owner_of(grids(), np.array([[lon, lat]]))[0])
    if lat > 84 or lat < -80:
        assert owner == (3 if lat > 84 else 4)
    elif owner >= 0:
        west = (-180, 0, 174)[owner]
        assert west <= lon < west + 6 or (owner == 2 and lon == 180)
    else:
        assert not any(west <= lon < west + 6 for west in (-180, 0, 174))


@pytest.fixture(scope="module")
def series(tiny_package, tmp_path_factory):
    """Return runs of three dates, each with its own gap, in tiles of 32 and of 64 pixels."""
    folder = tmp_path_factory.mktemp("series")
    lonlat = Affine(0.0001, 0, -78.004, 0, -0.0001, 36.004)
    for number in range(3):
        values = np.maximum(speckled(80, 80, seed=number), 1)
        values[:, 20 * number : 20 * number + 30, 10:50] = 0
        write_raster(folder / f"images/scene_2020-0{number + 1}-01.tif", values, lonlat, "EPSG:4326")
    region = folder / "region.geojson"
    region.write_text(json.dumps({"type": "Polygon", "coordinates": [CORNERS]}))
    for side in (32, 64):
        run = folder / f"run-{side}"
        tile(TileConfig(region=str(region), run=str(run), resolution=10, tile_size=side))
        predict(config_of(run, folder / "images", tiny_package))
        stitch(StitchConfig(run=str(run), quicklook=False))
    return folder


def joined_maps(folder, side: int, how: str) -> dict[str, np.ndarray]:
    run = folder / f"run-{side}"
    deliver(run, outputs=("mosaic",), mosaic_aggregate=how, mosaic_crs="EPSG:32617")
    out = {}
    for name in ("map", "score"):
        with rasterio.open(run / f"sites/{name}.tif") as joined:
            out[name] = joined.read(1)
            assert joined.tags().get("GW_AGGREGATE") == (None if how == "latest" else how)
            assert len(joined.tags()["GW_FRAMES"].split(",")) == (2 if how == "latest" else 6)
    return out


def plainly(stack: np.ndarray, how: str) -> tuple[np.ndarray, np.ndarray]:
    """Return class and score of pixels from bytes of all dates (T, K, H, W), 255 for none, one pixel at a time."""
    best, score = np.full(stack.shape[2:], 255, int), np.full(stack.shape[2:], np.nan)
    for y, x in np.ndindex(best.shape):
        seen = [each for each in stack[:, :, y, x].astype(float) if each[0] != 255]
        if seen and how.startswith("latest"):
            best[y, x], score[y, x] = np.argmax(seen[-1]), min(sum(seen[-1][1:]), 254) / 254
        elif seen:
            rule = {"mean": np.mean, "max": np.max, "median": np.median}[how]
            every = np.rint(np.array(seen) / 254 * 32768)
            best[y, x] = np.argmax(np.floor(rule(every, axis=0) + 0.5))
            salient = np.rint(np.minimum(np.array(seen)[:, 1:].sum(axis=1), 254) / 254 * 32768)
            score[y, x] = np.floor(rule(salient) + 0.5) / 32768
    return best, score


@pytest.mark.parametrize("how", ["latest", "latest-valid", "mean", "max", "median"])
def test_a_series_becomes_one_map_by_the_rule_that_is_asked_for_in_any_tiling(series, how, monkeypatch):
    maps = joined_maps(series, 64, how)
    monkeypatch.setattr(over_time, "_STACK_BYTES", 2000)
    again = joined_maps(series, 32, how)
    assert all(np.array_equal(maps[name], again[name]) for name in maps)
    dates = [rasterio.open(path) for path in sorted((series / "run-64").glob("probability-utm17n-*.tif"))]
    stack = np.stack([date.read() for date in (dates if how != "latest" else dates[-1:])])
    best, score = plainly(stack, how)
    with rasterio.open(series / "run-64/sites/map.tif") as joined:
        across, down = ~joined.transform @ (dates[0].transform @ (0, 0))
    rows, columns = (slice(round(at) + 4, round(at) + end) for at, end in ((down, 44), (across, 24)))
    of = {"map": best, "score": score}
    scale = 254 if how.startswith("latest") else 32768
    for name, values in maps.items():
        mine, plain = values[rows, columns], of[name][4:44, 4:24]
        assert mine.shape == plain.shape == (40, 20)
        none = np.isnan(plain) if name == "score" else plain == 255
        assert np.array_equal(mine[~none], np.rint(plain[~none] * (scale if name == "score" else 1)))
        assert (mine[none] == np.iinfo(mine.dtype).max).all()


def test_what_is_no_rule_for_a_series_is_refused_with_the_words_that_are():
    with pytest.raises(ConfigError, match="no map of a series is made by 'newest'") as refused:
        over_time.check_words("newest")
    assert "latest-valid, mean, max, median, or norm:P" in str(refused.value.hint)
