"""The folder in which the docs' examples run: two scenes, a region and networks, all made here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import onnx
import pytest
from support.bright import write_both_dates, write_change_network, write_network, write_scene
from support.detectors import detector


@pytest.fixture(scope="session")
def docs_fixtures(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    (folder / "scenes").mkdir()
    write_scene(folder / "scenes", "2020-06-01", 1)
    write_scene(folder / "scenes", "2020-06-11", 2)
    write_network(folder / "cloud.onnx")
    write_change_network(folder / "change.onnx")
    write_both_dates(folder / "both.tif", sorted((folder / "scenes").iterdir()))
    onnx.save(detector(), folder / "detector.onnx")
    corners = [(-77.26, 37.905), (-77.22, 37.905), (-77.22, 37.925), (-77.26, 37.925), (-77.26, 37.905)]
    region = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [corners]}}
    (folder / "region.geojson").write_text(json.dumps(region))
    return folder


@pytest.fixture
def docs_folder(docs_fixtures, tmp_path) -> Path:
    """A fresh copy for each page."""
    return shutil.copytree(docs_fixtures, tmp_path / "work")
