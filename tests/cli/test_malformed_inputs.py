"""Files that are not what they should be: every command says what is wrong and what to do, and exits with 2."""

from __future__ import annotations

import json
import shutil

import pytest
from click.testing import CliRunner
from support.bright import write_scene

from gw_cli.main import cli

SQUARE = {"type": "Polygon", "coordinates": [[[-77.27, 37.88], [-77.22, 37.88], [-77.22, 37.92], [-77.27, 37.88]]]}


def feature(**changed):
    return {"type": "Feature", "properties": {"kind": "a"}, "geometry": SQUARE} | changed


def collection(**changed):
    return json.dumps({"type": "FeatureCollection", "features": [feature(**changed)]}).encode()


WRONG = {
    "empty": b"",
    "cut off": collection()[:90],
    "not UTF-8": b'{"type": "\xe9"}',
    "a list": b"[1, 2]",
    "a number of 5000 digits": b"9" * 5000,
    "too deep": b"[" * 100_000,
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(50),
    "half a zip": b"PK\x03\x04" + bytes(40),
    "words": b"<html>404</html>",
    "a folder": None,
    "features that are no list": b'{"type": "FeatureCollection", "features": 3}',
    "no feature": b'{"type": "FeatureCollection", "features": []}',
    "a geometry of no kind": collection(geometry={"type": "x", "coordinates": [[3]]}),
    "a geometry of a list's kind": collection(geometry={"type": [], "coordinates": 3}),
    "a type that is a list": b'{"type": [], "features": []}',
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A scene and the plan of a run."""
    made = tmp_path_factory.mktemp("malformed")
    (made / "scenes").mkdir()
    write_scene(made / "scenes", "2020-06-01", 1)
    words = ["tile", "--images", str(made / "scenes"), "--run", str(made / "run")]
    assert CliRunner().invoke(cli, words).exit_code == 0
    (made / "region.geojson").write_text(json.dumps(feature(properties={"start_date": "2020-01-01",
                                                                        "end_date": "2020-12-31"})))  # fmt: skip
    return made


SOURCE = ("bad.json", "bad.kwcoco.json", "bad.kwcoco.zip", "bad.tif")
SCORED = ("evaluate", "sites", "-o", "out")
COMMANDS = {
    "dataset scan": (("dataset", "scan", "{}"), SOURCE),
    "dataset stats": (("dataset", "stats", "{}"), SOURCE),
    "dataset subset": (("dataset", "subset", "{}", "-o", "out.kwcoco.json"), SOURCE[:1]),
    "dataset union": (("dataset", "union", "scenes", "{}", "-o", "out.kwcoco.json"), SOURCE[:1]),
    "dataset show": (("dataset", "show", "{}", "-o", "out.png"), SOURCE[:1]),
    "dataset scan --region": (("dataset", "scan", "scenes", "--region", "{}"), ("bad.geojson",)),
    "dataset split": (("dataset", "split", "scenes", "--by", "region", "--regions", "{}", "-o", "o"), ("bad.geojson",)),
    "dataset convert": (("dataset", "convert", "scenes", "--labels", "{}", "-o", "o.kwcoco.json"), ("bad.geojson",)),
    "dataset show --outlines": (("dataset", "show", "scenes", "--outlines", "{}", "-o", "out.png"), ("bad.geojson",)),
    "dataset search": (("dataset", "search", "{}", "--stac", "http://127.0.0.1:9"), ("bad.geojson",)),
    "track": (
        ("track", "--run", "run", "--objects", "{}"),
        ("bad.geojson", "bad.parquet", "bad.csv", "bad.kwcoco.json"),
    ),
    "evaluate pixels": (("evaluate", "pixels", "--truth", "{}", "--map", "{}", "--run", "run"), ("bad.tif",)),
    "evaluate sites": ((*SCORED, "--truth", "scenes", "--region", "{}"), ("bad.geojson",)),
    "evaluate sites --truth": (
        (*SCORED, "--truth", "{}", "--region", "region.geojson", "--proposals", "{}"),
        ("region.json",),
    ),
    "--config": (("dataset", "scan", "scenes", "--config", "{}"), ("bad.yaml",)),
}
EACH = [
    pytest.param(words, name, content, id=f"{command}-{name}-{kind}")
    for command, (words, names) in COMMANDS.items()
    for name in names
    for kind, content in WRONG.items()
    if (command, kind) != ("--config", "empty")
]


@pytest.mark.parametrize(("words", "name", "content"), EACH)
def test_a_file_that_is_not_what_it_should_be_is_refused_with_a_remedy(folder, monkeypatch, words, name, content):
    monkeypatch.chdir(folder)
    bad = folder / "given" / name
    bad.parent.mkdir(exist_ok=True)
    if content is None:
        bad.mkdir()
    else:
        bad.write_bytes(content)
    try:
        ran = CliRunner().invoke(cli, [word.replace("{}", str(bad)) for word in words])
    finally:
        shutil.rmtree(bad.parent)
    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
    lines = ran.stderr.splitlines()
    assert (ran.exit_code, [line[:5] for line in lines if line[:5] in {"error", "hint:"}]) == (2, ["error", "hint:"])
