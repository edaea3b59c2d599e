"""Objects from tables of any kind become fragments of the run's tiles."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import geopandas
import numpy as np
import pyarrow as pa
import pytest
import shapely
from support.made_heatmap import Made, make_run

from geowatch.errors import ConfigError, DamagedError, InputError
from geowatch.sites.fragment import Fragment
from geowatch.stages.consolidate import ConsolidateConfig, consolidate
from geowatch.stages.track import TrackConfig, track
from geowatch.stages.tracking.session import opened
from geowatch.track.document import Tracking

LEFT, TOP = 500_005.0, 4_000_015.0


@pytest.fixture(scope="module")
def planned(tmp_path_factory) -> Path:
    empty = Made((150, 170), ("2020-01-05",), ("x",), lambda time, box: np.full((1, *box.shape), 255, np.uint8))
    return make_run(tmp_path_factory.mktemp("objects") / "run", empty)


@pytest.fixture
def run(planned, tmp_path) -> Path:
    return Path(shutil.copytree(planned, tmp_path / "run"))


def table() -> geopandas.GeoDataFrame:
    """Three boxes of a crane over two days, on the run's pixels, one of them across four tiles; and a truck."""
    boxes = [(40, 20, 80, 60), (42, 22, 82, 62), (100, 100, 110, 120), (5, 5, 9, 9)]
    geometry = [shapely.box(LEFT + 10 * x0, TOP - 10 * y1, LEFT + 10 * x1, TOP - 10 * y0) for y0, x0, y1, x1 in boxes]
    return geopandas.GeoDataFrame(
        {
            "date": ["2020-03-01", "2020-04-01T12:00:00", "2020-03-01", "2020-04-01T12:00:00"],
            "class": ["crane", "crane", "crane", "truck"],
            "score": [0.9, 0.8, 0.4, 0.7],
        },
        geometry=geometry,
        crs="EPSG:32618",
    )


def pieces(run: Path, digest: str) -> list[tuple[int, int]]:
    """Return (plane, pixels) of all pieces, tiles added up by plane."""
    parts = [Fragment.from_bytes(p.read_bytes()) for p in (run / "fragments" / digest[:12]).rglob("*.arrow")]
    planes = sorted({int(plane) for part in parts for plane in part.plane})
    return [(plane, sum(int(part.area_px[part.plane == plane].sum()) for part in parts)) for plane in planes]


@pytest.mark.parametrize("kind", ["boxes.parquet", "boxes.geojson", "boxes.gpkg"])
def test_tables_of_any_kind_give_the_same_fragments(run, tmp_path, kind):
    boxes = table()
    path = tmp_path / kind
    if kind.endswith("parquet"):
        boxes.to_parquet(path)
    else:
        (boxes.to_crs("EPSG:4326") if kind.endswith("geojson") else boxes).to_file(path)
    done = track(TrackConfig(run=str(run), workers=1, objects=str(path)))
    assert (done.mode, done.salient, done.planes) == ("linked", ("crane", "truck"), 2)
    assert pieces(run, done.digest) == [(0, 1800), (1, 1616)]
    tracking = Tracking.from_json((run / "track.json").read_bytes())
    assert [time.isoformat() for time in tracking.grids[0].times] == [
        "2020-03-01T00:00:00+00:00",
        "2020-04-01T12:00:00+00:00",
    ]
    again = track(TrackConfig(run=str(run), workers=1, objects=str(path)))
    assert again.done_before == again.tiles


def test_annotations_of_a_kwcoco_bundle_are_objects(run, tmp_path):
    boxes = table()
    world = [[10.0, 0.0, LEFT], [0.0, -10.0, TOP], [0.0, 0.0, 1.0]]
    images = [
        {"id": n, "file_name": f"{n}.tif", "width": 170, "height": 150, "warp_to_wld": world,
         "wld_crs_info": {"auth": ["EPSG", "32618"], "axis_mapping": "OAMS_TRADITIONAL_GIS_ORDER"},
         "date_captured": day}
        for n, day in ((1, "2020-03-01"), (2, "2020-04-01T12:00:00"))
    ]  # fmt: skip
    annotations = []
    for n, row in enumerate(boxes.itertuples(), 1):
        x0, y0, x1, y1 = row.geometry.bounds
        box = [(x0 - LEFT) / 10, (TOP - y1) / 10, (x1 - x0) / 10, (y1 - y0) / 10]
        kind, image = (1 if row[2] == "crane" else 2), (1 if row.date == "2020-03-01" else 2)
        annotations.append({"id": n, "image_id": image, "category_id": kind, "bbox": box, "score": row.score})
    path = tmp_path / "boxes.kwcoco.json"
    categories = [{"id": 1, "name": "crane"}, {"id": 2, "name": "truck"}]
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories, "videos": []}))
    done = track(TrackConfig(run=str(run), workers=1, objects=str(path)))
    assert pieces(run, done.digest) == [(0, 1800), (1, 1616)]


def test_thresholds_and_classes_choose_among_objects(run, tmp_path):
    table().to_parquet(tmp_path / "boxes.parquet")
    config = TrackConfig(run=str(run), workers=1, objects=str(tmp_path / "boxes.parquet"), classes=("crane",), low=0.5)
    assert pieces(run, track(config).digest) == [(0, 1600), (1, 1600)]


def test_damaged_boxes_are_told(run, tmp_path):
    table().to_parquet(tmp_path / "boxes.parquet")
    config = TrackConfig(run=str(run), workers=1, objects=str(tmp_path / "boxes.parquet"))
    track(config)
    opened.cache_clear()
    (stored,) = (run / "objects").iterdir()
    stored.write_bytes(stored.read_bytes()[:-9])
    shutil.rmtree(run / "fragments")
    with pytest.raises(DamagedError, match=r"objects/.*is damaged"):
        track(config)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (lambda t: t.drop(columns="date"), InputError, "have no time"),
        (lambda t: t.assign(date=["x"] * 4), InputError, "holds no times"),
        (lambda t: t.assign(date=["2020-01-01", None, "2020-01-01", None]), InputError, "2 objects in .* have no time"),
    ],
)
def test_objects_without_times_are_refused(run, tmp_path, change, error, said):
    change(table()).to_parquet(tmp_path / "boxes.parquet")
    with pytest.raises(error, match=said):
        track(TrackConfig(run=str(run), objects=str(tmp_path / "boxes.parquet")))


def test_what_is_no_table_is_refused(run, tmp_path):
    (tmp_path / "boxes.geojson").write_text("nothing")
    with pytest.raises(InputError, match="no table of objects can be read"):
        track(TrackConfig(run=str(run), objects=str(tmp_path / "boxes.geojson")))
    table().to_parquet(tmp_path / "boxes.parquet")
    with pytest.raises(ConfigError, match="objects have no heads"):
        track(TrackConfig(run=str(run), objects=str(tmp_path / "boxes.parquet"), head="scores"))


def placed_boxes(rows: list[tuple[int, int, int, int, str, float]]) -> geopandas.GeoDataFrame:
    """Return boxes (y0, x0, y1, x1, day, score) of ships on the pixels of the images."""
    geometry = [
        shapely.box(LEFT + 10 * x0, TOP - 10 * y1, LEFT + 10 * x1, TOP - 10 * y0) for y0, x0, y1, x1, *_ in rows
    ]
    days, scores = zip(*(row[4:] for row in rows), strict=True)
    columns = {"date": days, "class": ["ship"] * len(rows), "score": scores}
    return geopandas.GeoDataFrame(columns, geometry=geometry, crs="EPSG:32618")


def sites_of(run: Path, **rules: object) -> pa.Table:
    consolidate(ConsolidateConfig(run=str(run), deliver=False, **rules))
    with pa.ipc.open_file(run / "sites/sites.arrow") as reader:
        return reader.read_all()


def test_ships_side_by_side_are_a_site_each_whatever_the_tiles(tmp_path):
    berths = [(50, 50, 80, 58), (50, 58, 80, 66), (50, 65, 80, 73), (55, 67, 60, 71)]
    days = ("2020-03-01", "2020-04-01")
    boxes = placed_boxes([(*box, day, 0.9 - n / 10) for day in days for n, box in enumerate(berths)])
    boxes.to_parquet(tmp_path / "ships.parquet")
    tables = []
    for tile_px in (64, 48, 512):
        empty = Made((150, 170), days, ("x",), lambda _, box: np.full((1, *box.shape), 255, np.uint8), tile_px=tile_px)
        run = make_run(tmp_path / f"run{tile_px}", empty)
        track(TrackConfig(run=str(run), workers=1, objects=str(tmp_path / "ships.parquet")))
        tables.append(sites_of(run))
    assert tables[0].equals(tables[1])
    assert tables[0].equals(tables[2])
    # The boat within the last ship takes its pixels, and of those that two share the better box has its own.
    assert sorted(tables[0]["area_px"].to_pylist()) == sorted([240, 240, 240 - 30 - 20, 20])
    assert all(start.isoformat() == days[0] for start in tables[0]["start"].to_pylist())
    merged = track(TrackConfig(run=str(run), workers=1, objects=str(tmp_path / "ships.parquet"), close_px=1))
    assert merged.digest != ""
    assert len(sites_of(run)) == 1


def test_a_ship_that_one_date_missed_is_one_site_where_links_lead_over_days(tmp_path):
    days = ("2020-03-01", "2020-03-16", "2020-04-01")
    rows = [(40, 40, 80, 60, day, 0.9) for day in days[::2]] + [(100, 100, 120, 110, day, 0.8) for day in days]
    placed_boxes(rows).to_parquet(tmp_path / "ships.parquet")
    found = []
    for tile_px in (64, 512):
        empty = Made((150, 170), days, ("x",), lambda _, box: np.full((1, *box.shape), 255, np.uint8), tile_px=tile_px)
        run = make_run(tmp_path / f"run{tile_px}", empty)
        for link_days in (None, 30, 31):
            track(TrackConfig(run=str(run), workers=1, objects=str(tmp_path / "ships.parquet"), link_days=link_days))
            found.append(sites_of(run))
    assert [len(sites) for sites in found] == [3, 3, 2] * 2
    assert all(one.equals(other) for one, other in zip(found[:3], found[3:], strict=True))


def test_neighbours_that_are_placed_two_pixels_off_stay_two_sites(run, tmp_path):
    days = ("2020-03-01", "2020-04-01")
    rows = [(50, x + 2 * t, 80, x + 10 + 2 * t, day, 0.9) for t, day in enumerate(days) for x in (50, 60)]
    placed_boxes(rows).to_parquet(tmp_path / "ships.parquet")
    track(TrackConfig(run=str(run), workers=1, objects=str(tmp_path / "ships.parquet")))
    assert len(sites_of(run)) == 2
    assert len(sites_of(run, link_overlap=0.0)) == 1
