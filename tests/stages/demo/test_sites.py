"""What a user notices of `gw demo sites`: what is refused, and that an answer comes out that no cut changes."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from geowatch.errors import ConfigError
from geowatch.stages.demo.config import DemoSitesConfig
from geowatch.stages.demo.sites import demo_sites
from geowatch.stages.model.packages import PackageConfig, package_model

#: Small enough for every run of the tests: two and a half years, two sites, a detector of 24 dates.
SMALL = DemoSitesConfig(size_px=96, start="2018-01-01", end="2020-06-30", cloudy=0.3, seed=3, workers=1, tiles=1)
SITES = ("sites/sites.arrow", "sites/observations.arrow", "sites/sites.parquet", "sites/sites.geojson")


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> str:
    config = PackageConfig(
        net="change-detector", output=tmp_path_factory.mktemp("net") / "pkg", options={"dates": 24, "proof": 1.0}
    )
    return str(package_model(config).path)


@pytest.fixture(scope="module")
def small(tmp_path_factory, package) -> tuple[DemoSitesConfig, object]:
    config = replace(SMALL, out=str(tmp_path_factory.mktemp("demo")), model=package)
    return config, demo_sites(config)


def again(config: DemoSitesConfig, folder: Path, **other: object) -> Path:
    """Run the demo over the same series elsewhere; return its run folder."""
    folder.mkdir()
    (folder / "series").symlink_to(Path(config.out) / "series")
    demo_sites(replace(config, out=str(folder), **other))
    return folder / "run"


@pytest.mark.parametrize(("tiles", "size_px"), [(2, 96), (8, 96), (9, 100)])
def test_tiles_that_cannot_be_equal_are_refused(tmp_path, tiles, size_px):
    with pytest.raises(ConfigError, match="equal tiles"):
        demo_sites(replace(SMALL, out=str(tmp_path), tiles=tiles, size_px=size_px))
    assert list(tmp_path.iterdir()) == []


def test_a_series_becomes_scores_and_a_report_that_says_simulation(small):
    config, done = small
    run = Path(config.out) / "run"
    assert done.figures["truth sites"] >= 1
    assert 0 <= done.f1 <= 1
    assert Path(done.report) == run / "sites/report.html"
    assert re.search("simulation|ZZ_S003", Path(done.report).read_text())
    assert all(Path(name).stat().st_size > 0 for name in done.files)


def test_a_second_call_finds_everything_done(small):
    config, done = small
    heatmap = Path(config.out) / "run/heatmap.zarr"
    before = {p: p.stat().st_mtime_ns for p in heatmap.rglob("*") if p.is_file()}
    assert demo_sites(config) == done
    assert {p: p.stat().st_mtime_ns for p in heatmap.rglob("*") if p.is_file()} == before


def test_sites_are_the_same_bytes_for_nine_tiles(small, tmp_path):
    config, _ = small
    other = again(config, tmp_path / "nine", tiles=9)
    for name in SITES:
        assert (other / name).read_bytes() == (Path(config.out) / "run" / name).read_bytes(), name


@pytest.mark.slow
def test_sites_are_the_same_bytes_for_two_workers(small, tmp_path):
    config, _ = small
    other = again(config, tmp_path / "two", tiles=9, workers=2)
    for name in SITES:
        assert (other / name).read_bytes() == (Path(config.out) / "run" / name).read_bytes(), name


@pytest.mark.slow
def test_a_real_region_is_simulated_and_scored_against_its_own_truth(shared_data, package, tmp_path):
    smart = shared_data("smart")
    done = demo_sites(
        DemoSitesConfig(
            out=str(tmp_path), region=str(smart / "region_models/BR_R002.geojson"), truth=(str(smart / "site_models"),),
            resolution=60.0, revisit_days=30, start="2017-06-01", end="2019-12-31", cloudy=0.2, model=package, tiles=1,
            workers=1,
        )
    )  # fmt: skip
    assert done.figures["truth annotations"] == 12
    assert done.figures["truth sites"] >= 1
    assert "simulat" in Path(done.report).read_text().lower()
    for path in (tmp_path / "run/sites/site_models").glob("*"):
        assert path.name.startswith("BR_R002_")
        for feature in json.loads(path.read_text())["features"][1:]:
            assert "2017-06-01" <= feature["properties"]["observation_date"] <= "2019-12-31"


@pytest.mark.parametrize(
    ("change", "said", "hint"),
    [
        ({"region": None}, "without --region", "region model"),
        ({"region": "{}/region_models"}, "holds 24 regions", "one region model"),
        ({"region": "{}/region_models/AE_R001.geojson", "truth": ()}, "million pixels", "--resolution"),
        ({"region": "{}/region_models/PE_R001.geojson"}, "no site of PE_R001", "--truth"),
    ],
)
def test_a_region_that_cannot_be_simulated_is_refused_with_a_remedy(shared_data, tmp_path, change, said, hint):
    smart = shared_data("smart")
    given = {"truth": (str(smart / "site_models"),)} | change
    given["region"] = given["region"] and given["region"].format(smart)
    given |= {"resolution": 5.0} if "million" in said else {}
    with pytest.raises(ConfigError, match=said) as caught:
        demo_sites(DemoSitesConfig(out=str(tmp_path), **given))
    assert hint in caught.value.hint
    assert not (tmp_path / "run").exists()
