"""Vegetation of a real series becomes the same sites in any tiling, and they go on when dates are added."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pytest
import shapely
from onnx import TensorProto, helper, numpy_helper
from support.eolearn_series import MASKED, write_eolearn

from geowatch.package.importing import import_onnx
from geowatch.package.spec import ImportSpec
from geowatch.stages.binding.imagery import ImageryConfig
from geowatch.stages.consolidate import ConsolidateConfig, consolidate
from geowatch.stages.predict import PredictConfig, predict
from geowatch.stages.sites.tables import FOOTPRINTS, OBSERVATIONS, SITES
from geowatch.stages.tile import TileConfig, tile
from geowatch.stages.track import TrackConfig, track
from geowatch.store import LocalStore
from geowatch.track.document import TRACKING, Tracking

#: Dates of the first of two runs: sites are open then.
CUT = 3
WAYS = {
    "footprint": {"aggregate": "median", "low": 0.62, "high": 0.66, "close_px": 1, "subpixel": True},
    "linked": {"mode": "linked", "smooth_time": "3", "low": 0.65, "high": 0.7},
    "polygons": {"mode": "polygons", "low": 0.5, "high": 0.6, "connectivity": 8},
}


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    """Return a package whose one class is vegetation, scored by NDVI itself."""
    folder = tmp_path_factory.mktemp("ndvi")
    nodes = [helper.make_node("Clip", ["image", "least", "most"], ["scores"])]
    limits = [numpy_helper.from_array(np.float32(value), name) for name, value in (("least", 0), ("most", 1))]
    tensors = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", 1, "h", "w"]) for n in ("image", "scores")]
    graph = helper.make_graph(nodes, "ndvi", tensors[:1], tensors[1:], limits)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "ndvi.onnx")
    spec = ImportSpec(bands=("ndvi",), classes=("vegetation",), window=(64, 64), overlap=0, activation="none")
    import_onnx(folder / "ndvi.onnx", spec, folder / "package")
    return folder / "package"


@pytest.fixture(scope="module")
def runs(shared_data, package, tmp_path_factory) -> dict[tuple[int, int], Path]:
    """Return runs by (dates, side of a tile)."""
    made = {}
    for dates, tile_px in ((12, 30), (12, 512), (8, 40)):
        folder = tmp_path_factory.mktemp("seasons")
        series = write_eolearn(shared_data("eolearn"), folder, dates)
        imagery = ImageryConfig(images=(str(series.folder),), **MASKED)
        run = made[dates, tile_px] = folder / "run"
        tile(TileConfig(run=str(run), tile_size=tile_px, imagery=imagery))
        predict(PredictConfig(run=str(run), model=str(package), imagery=imagery, workers=1, jit="onnxruntime"))
    return made


def tables(run: Path, way: str, **asked: object) -> list[bytes]:
    track(TrackConfig(run=str(run), workers=1, **WAYS[way]))
    consolidate(ConsolidateConfig(run=str(run), deliver=False, **asked))
    return [LocalStore(run).get(key) for key in (SITES, OBSERVATIONS, FOOTPRINTS)]


def rows(content: bytes) -> list[dict]:
    return pa.ipc.open_file(content).read_all().to_pylist()


@pytest.mark.parametrize("way", WAYS)
def test_sites_of_many_tiles_and_of_one_are_the_same_bytes(runs, way):
    many, one = (tables(runs[12, tile_px], way, min_area=500, fill_holes=300) for tile_px in (30, 512))
    assert many == one
    sites = rows(many[0])
    assert len(sites) > 3
    assert all(shapely.is_valid(shapely.from_wkb(site["geometry"])) for site in sites)
    assert len({site["key"] for site in sites}) == len(sites)
    assert [site["number"] for site in sites] == list(range(len(sites)))
    assert sum(site["n_observations"] for site in sites) == len(rows(many[1]))


def test_sites_of_a_real_series_in_two_runs_are_those_of_one(runs):
    way, rules = {"mode": "linked", "low": 0.8, "high": 0.83, "subpixel": True}, {"min_area": 500, "min_days": 15}

    def sites(run: Path, **asked: object) -> dict[str, dict]:
        consolidate(ConsolidateConfig(run=str(run), deliver=False, **rules, **asked))
        tables = [rows(LocalStore(run).get(key)) for key in (SITES, OBSERVATIONS)]
        seen = {site["site_id"]: [] for site in tables[0]}
        for row in tables[1]:
            seen[row.pop("site_id")].append(row | {"time": None})
        return {
            site["key"]: site | {"seen": seen[site["site_id"]], "site_id": None, "number": None} for site in tables[0]
        }

    one, before, after = runs[12, 512], runs[8, 40], runs[12, 30]
    track(TrackConfig(run=str(one), workers=1, **way))
    days = [f"{time:%Y-%m-%d}" for time in Tracking.from_json(LocalStore(one).get(TRACKING)).grids[0].times]
    track(TrackConfig(run=str(before), workers=1, end=days[CUT - 1], **way))
    track(TrackConfig(run=str(after), workers=1, start=days[CUT], **way))
    whole, early = sites(one), sites(before)
    last = sites(after, previous=str(before))
    merged = {key for key in last if key not in whole}
    assert len(whole) > 3
    assert merged <= {key for key in early if "merge" in (last[key]["events"] or "")}
    same = [key for key in whole if last.get(key) == whole[key]]
    assert len(same) >= len(whole) - len(merged)
    cut = date.fromisoformat(days[CUT])
    assert any({row["date"] < cut for row in whole[key]["seen"]} == {True, False} for key in same)


def test_sites_go_on_when_dates_are_added(runs):
    early = rows(tables(runs[8, 40], "linked", min_area=500)[0])
    late = rows(tables(runs[12, 30], "linked", min_area=500, previous=str(runs[8, 40]))[0])
    by_id = {site["site_id"]: site for site in late}
    assert {site["site_id"] for site in early} <= set(by_id)
    grown = [site for site in early if by_id[site["site_id"]]["n_observations"] > site["n_observations"]]
    assert grown
    assert all(by_id[site["site_id"]]["key"] == site["key"] for site in early)
    # What ended within the smoothing's reach of the new dates may be told to have merged; nothing else of it changes.
    kept = [site for site in early if site["end"] and site not in grown]
    assert all(by_id[site["site_id"]] | {"events": None} == site | {"events": None} for site in kept)
