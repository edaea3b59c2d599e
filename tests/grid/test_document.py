"""The plan as a document."""

import json

import pytest
import shapely

from geowatch.errors import DamagedError, PlanError
from geowatch.grid.choice import LatticeChoice
from geowatch.grid.document import PlanDocument
from geowatch.grid.estimate import Workload
from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.grid.plan import PlanRequest, make_plan
from geowatch.grid.region import Region
from geowatch.grid.windows import WindowLattice


@pytest.fixture
def plan():
    load = Workload(windows=WindowLattice.of((256, 256), 1 / 3), bands=4, classes=2, gflop_per_window=0.1)
    region = Region("r ü", shapely.box(-72.1, 40, -71.9, 40.1), notes=("said",))
    return make_plan(PlanRequest(region, LatticeChoice(resolution=1 / 0.3), tile_px=256, load=load))[0]


def test_a_plan_comes_back_from_its_document_and_its_bytes_are_canonical(plan):
    content = PlanDocument.of(plan).to_json()
    assert PlanDocument.from_json(content).to_plan() == plan
    assert PlanDocument.of(PlanDocument.from_json(content).to_plan()).to_json() == content
    assert all(keys == sorted(keys) for keys in all_keys(json.loads(content)))


def all_keys(content):
    """Keys of every object in a document, as they stand."""
    if isinstance(content, dict):
        yield list(content)
    members = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    for member in members:
        yield from all_keys(member)


def test_a_plan_of_images_comes_back_as_well():
    images = PlanRequest(None, LatticeChoice(imagery=Lattice.of_pixels()), PixelBox(0, 0, 70, 30), tile_px=16)
    plan, _ = make_plan(images)
    assert PlanDocument.from_json(PlanDocument.of(plan).to_json()).to_plan() == plan


def changed(plan, **content):
    return json.dumps({**json.loads(PlanDocument.of(plan).to_json()), **content}).encode()


def test_another_version_is_refused_by_name(plan):
    with pytest.raises(PlanError, match="version '2'") as caught:
        PlanDocument.from_json(changed(plan, schema_version="2"))
    assert caught.value.hint


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"schema_version": "1"}'])
def test_what_is_no_plan_is_refused(content):
    with pytest.raises((PlanError, DamagedError)) as caught:
        PlanDocument.from_json(content)
    assert caught.value.hint


def test_damage_is_found(plan):
    other = json.loads(PlanDocument.of(plan).to_json())["grids"]
    other[0]["bounds"][0] += 1
    for content in (
        changed(plan, id="0" * 16),
        changed(plan, grids=other),
        changed(plan, region={"id": "r"}),
        changed(plan, grids=[{**other[0], "cover_wkb": "AAAA"}]),
    ):
        with pytest.raises(DamagedError):
            PlanDocument.from_json(content).to_plan()
    with pytest.raises(DamagedError, match="sweep_tiles"):
        PlanDocument.from_json(changed(plan, sweep_tiles=[1]))
    with pytest.raises(DamagedError, match="surplus"):
        PlanDocument.from_json(changed(plan, surplus=1))
