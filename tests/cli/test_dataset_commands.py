"""The commands of ``gw dataset``, and a bundle as imagery of the others."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from support.shell import gw
from support.stac_server import serve_stac

from gw_cli.main import cli


def refused(*args):
    """Run a command line that fails: its exit code and what it says."""
    ran = CliRunner().invoke(cli, [str(arg) for arg in args])
    return ran.exit_code, ran.output


MASKED = ("--mask-band", "clm", "--mask-values", "1")


def test_a_series_is_listed_chosen_checked_split_and_drawn(eolearn_series, tmp_path):
    said = gw("dataset", "scan", eolearn_series.folder, *MASKED, "-o", tmp_path / "all.kwcoco.json")
    assert "image: 68 images on 67 days, 2015-07-11 to 2017-12-22, longest gap 70 days" in said
    assert json.loads(gw("dataset", "scan", eolearn_series.kwcoco, "--latest", "--json"))["sensors"][0]["scenes"] == 1
    said = gw(
        "dataset", "subset", tmp_path / "all.kwcoco.json", "--start", "2016-01-01", "-o", tmp_path / "s.kwcoco.zip"
    )
    count = sum(time.year >= 2016 for time in eolearn_series.times)
    assert said == f"{tmp_path}/s.kwcoco.zip: {count} images, 0 labels\n"
    said = gw("dataset", "stats", tmp_path / "s.kwcoco.zip", "-o", tmp_path / "stats.json")
    assert said.splitlines()[2].startswith("ndvi ")
    assert json.loads((tmp_path / "stats.json").read_text())["domains"]["image"]["channels"] == ["ndvi"]
    said = gw(
        "dataset", "split", tmp_path / "s.kwcoco.zip", "--by", "time", "--parts", "a=50%,b=50%", "-o", tmp_path / "p"
    )
    assert [line.split(":")[0].rsplit("/", 1)[1] for line in said.splitlines()] == ["a.kwcoco.json", "b.kwcoco.json"]
    gw("dataset", "union", tmp_path / "p/a.kwcoco.json", tmp_path / "p/b.kwcoco.json", "-o", tmp_path / "u.kwcoco.json")
    assert "0 problems" in gw("dataset", "validate", tmp_path / "u.kwcoco.json")
    gw("dataset", "show", tmp_path / "u.kwcoco.json", "--latest", "-o", tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")


def test_a_broken_bundle_fails_its_validation(eolearn_series, tmp_path):
    document = json.loads(eolearn_series.kwcoco.read_text())
    (tmp_path / "x.kwcoco.json").write_text(json.dumps(document))
    code, said = refused("dataset", "validate", tmp_path / "x.kwcoco.json")
    assert code == 1
    assert "is not there" in said
    assert "has 68 problems" in said


def test_bundles_are_imagery_of_tile_and_a_series_is_chosen_by_name(eolearn_series, tmp_path):
    said = gw("tile", "--images", eolearn_series.kwcoco, "--video", "eolearn", *MASKED, "--run", tmp_path / "run")
    assert "bounds of 101 x 100 px" in said
    code, said = refused("tile", "--images", eolearn_series.kwcoco, "--video", "other", "--run", tmp_path / "r2")
    assert (code, "it has eolearn" in said) == (2, True)
    code, said = refused("tile", "--images", eolearn_series.folder, "--video", "eolearn", "--run", tmp_path / "r3")
    assert (code, "none is given" in said) == (2, True)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"images": []}, "has no images"),
        ({"images": [{"id": 1, "file_name": "gone.tif"}]}, "is not there"),
        ({"images": [{"id": 1, "file_name": "gone.tif", "video_id": 4}]}, "has video_id 4"),
    ],
)
def test_a_bad_bundle_is_a_usage_error_with_a_hint(tmp_path, document, says):
    (tmp_path / "x.kwcoco.json").write_text(json.dumps(document))
    code, said = refused("tile", "--images", tmp_path / "x.kwcoco.json", "--run", tmp_path / "run")
    assert code == 2
    assert says in said
    assert "hint:" in said


def test_a_search_leaves_a_file_of_items(eolearn_series, tmp_path):
    ring = json.loads(eolearn_series.region.read_text())["geometry"]
    found = {"type": "Feature", "stac_version": "1.0.0", "id": "i", "collection": "s2", "geometry": ring,
             "properties": {"datetime": "2016-06-01T10:00:00Z"}, "links": [], "assets": {}}  # fmt: skip
    with serve_stac([found], failures=[503]) as server:
        said = gw("dataset", "search", eolearn_series.region, "--stac", server.url, "-o", tmp_path / "items.json")
        code, failed = refused("dataset", "search", eolearn_series.region, "--stac", server.url, "--end", "2015-01-01")
    assert said == f"{tmp_path}/items.json: 1 item of 1 day\n"
    assert (code, "hint:" in failed) == (2, True)


def test_a_missing_argument_is_asked_for_by_its_own_name(tmp_path):
    code, said = refused("dataset", "validate")
    assert (code, "no BUNDLE is given" in said, "--bundle" in said) == (2, True, False)
    code, said = refused("dataset", "search", "--stac", "https://host/stac")
    assert (code, "REGION is given" in said) == (2, True)
