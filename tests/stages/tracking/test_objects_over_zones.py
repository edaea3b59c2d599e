"""Objects at the edge of two zones are those that a plain table in metres has: none is two, and no two are one."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path

import geopandas
import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from geowatch.stages.consolidate import ConsolidateConfig, consolidate
from geowatch.stages.tile import TileConfig, tile
from geowatch.stages.track import TrackConfig, track

#: Zones 17 and 18 meet at 78 degrees west.
EDGE_M = Transformer.from_crs("EPSG:4326", "EPSG:32617", always_xy=True).transform(-78.0, 36.0)
PIXEL_M = 10.0


@pytest.fixture(scope="module")
def planned(tmp_path_factory) -> dict[int, Path]:
    """Return runs without imagery over the edge, by the side of their tiles."""
    folder = tmp_path_factory.mktemp("edge")
    region = folder / "region.geojson"
    region.write_text(json.dumps(shapely.geometry.mapping(shapely.box(-78.006, 35.995, -77.994, 36.005))))
    for side in (32, 128):
        tile(TileConfig(region=str(region), run=str(folder / f"run-{side}"), resolution=PIXEL_M, tile_size=side))
    return {side: folder / f"run-{side}" for side in (32, 128)}


def berths(seed: int) -> list[shapely.Geometry]:
    """Return boxes side by side in rows over the edge, in metres of zone 17; some berths are empty."""
    rng = np.random.default_rng(seed)
    y = np.cumsum(rng.integers(4, 9, 6)) * PIXEL_M - 180
    out = []
    for low, high in pairwise(y):
        x = np.cumsum(rng.integers(4, 9, 7)) * PIXEL_M - 220 + rng.uniform(-20, 20)
        boxes = [shapely.box(a, low, b, high) for a, b in pairwise(x) if rng.random() < 0.8]
        out += boxes
    return [shapely.affinity.translate(each, *EDGE_M) for each in out]


def sites_of(run: Path, table: Path) -> geopandas.GeoDataFrame:
    track(TrackConfig(run=str(run), workers=1, objects=str(table)))
    consolidate(ConsolidateConfig(run=str(run), deliver=False))
    with pa.ipc.open_file(run / "sites/sites.arrow") as reader:
        found = reader.read_all()
    outlines = geopandas.GeoSeries.from_wkb(found["geometry"].to_pylist(), crs="EPSG:4326")
    return geopandas.GeoDataFrame({"key": found["key"].to_pylist()}, geometry=outlines.to_crs("EPSG:32617"))


#: A smaller example tells no more and takes minutes to find.
PHASES = (Phase.explicit, Phase.generate)


@settings(deadline=None, max_examples=4, phases=PHASES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), dates=st.sampled_from([1, 2]))
def test_boxes_side_by_side_over_the_edge_are_a_site_each_as_within_a_zone(planned, tmp_path, seed, dates):
    boxes = berths(seed)
    days = ("2020-03-01", "2020-04-01")[:dates]
    columns = {"date": np.repeat(days, len(boxes)), "class": "ship", "score": 0.9}
    table = tmp_path / f"ships-{seed}-{dates}.parquet"
    geopandas.GeoDataFrame(columns, geometry=boxes * dates, crs="EPSG:32617").to_parquet(table)
    found = []
    for side, plan in planned.items():
        run = Path(shutil.copytree(plan, tmp_path / f"{seed}-{dates}-{side}", dirs_exist_ok=True))
        found.append(sites_of(run, table))
    assert found[0].equals(found[1])
    sites = found[0]
    assert len(sites) == len(boxes)
    shared = np.array([[site.intersection(box).area for box in boxes] for site in sites.geometry])
    assert sorted(shared.argmax(axis=1).tolist()) == list(range(len(boxes)))
    whole = np.array([sites.geometry.iloc[n].union(boxes[k]).area for n, k in enumerate(shared.argmax(axis=1))])
    assert (shared.max(axis=1) > 0.5 * whole).all()
