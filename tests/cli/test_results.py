"""What commands say of what they made: counts, a few files, and the folder, however much there is."""

from __future__ import annotations

import pytest

from geowatch.stages.consolidate import Consolidated
from geowatch.stages.stitch import Stitched
from gw_cli.results import folded, maps_made, sites_made


def stitched(files: tuple[str, ...], maps: int, **more: object) -> Stitched:
    return Stitched(
        **{"run": "gw-run", "files": files, "coverage": 1.0, "missing": 0, "maps": maps, "classes": {}, **more}
    )


def test_a_map_is_named_with_its_picture():
    files = ("map.tif", "probability.tif", "quicklook.png", "item.json", "coverage.json")
    assert list(maps_made(stitched(files, 1, coverage=0.98321))) == [
        "1 map, 98.3% of the region has scores", "gw-run/map.tif", "gw-run/quicklook.png", "gw-run/coverage.json",
    ]  # fmt: skip


def test_many_maps_are_a_folder():
    files = (*(f"{kind}-{day}.tif" for day in range(68) for kind in ("map", "probability")), "coverage.json")
    assert list(maps_made(stitched(files, 68, coverage=0.0, missing=1))) == [
        "68 maps, 0% of the region has scores, over all of them; 1 tile missing", "gw-run/coverage.json", "gw-run/",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sites", "left_out", "headline"),
    [
        (1, {}, "1 site with 3 observations"),
        (9000, {"area": 2, "score": 1}, "9,000 sites with 27,000 observations; 3 places left out"),
    ],
)
def test_any_number_of_sites_is_a_handful_of_lines(sites, left_out, headline):
    shown = ("sites/sites.parquet", "sites/sites.gpkg", "sites/region_models/KR_R001.geojson", "sites/report.html")
    models = (f"sites/site_models/KR_R001_{number:04}.geojson" for number in range(sites))
    files = ("sites/sites.arrow", *shown, "sites/gaps.json", *models)
    said = list(sites_made(Consolidated("r", files, sites, 3 * sites, left_out, 0)))
    assert said == [
        headline, "r/sites/sites.parquet", "r/sites/sites.gpkg", "r/sites/region_models/", "r/sites/report.html",
        "r/sites/",
    ]  # fmt: skip


def test_what_was_not_asked_for_is_not_named():
    assert list(sites_made(Consolidated("r", ("sites/sites.arrow",), 0, 0, {}, 2))) == [
        "0 sites with 0 observations; 2 tiles missing", "r/sites/",
    ]  # fmt: skip


def test_long_lists_are_counted_by_folder():
    paths = [f"fragments/ab/{n}.arrow" for n in range(500)] + ["sites/report.html", "/run/.unfinished-1"]
    assert list(folded(paths)) == ["fragments/ab/: 500 objects", "sites/report.html", "/run/.unfinished-1"]


def test_a_network_of_boxes_alone_has_pictures():
    files = ("quicklook-a.png", "quicklook-b.png", "objects.parquet", "coverage.json")
    assert list(maps_made(stitched(files, 2))) == [
        "2 pictures, 100% of the region has scores, over all of them", "gw-run/objects.parquet", "gw-run/coverage.json",
        "gw-run/",
    ]  # fmt: skip
