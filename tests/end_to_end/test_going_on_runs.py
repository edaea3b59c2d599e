"""Runs that go on with each other, tracked as people track them: by two processes, and from tables of boxes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import geopandas
import numpy as np
import pyarrow as pa
import pytest
import shapely
from support.made_heatmap import Made, lattice_box, make_run, of_array

from geowatch.errors import InputError
from geowatch.grid.lattice import PixelBox
from geowatch.stages.consolidate import ConsolidateConfig, consolidate
from geowatch.stages.sites.tables import FOOTPRINTS, HISTORY, OBSERVATIONS, SITES
from geowatch.stages.track import TrackConfig, track
from geowatch.store import LocalStore

LEFT, TOP = 500_005.0, 4_000_015.0
DAYS = ("2020-03-01", "2020-04-01", "2020-05-01", "2020-06-01")
#: (day, class, first row, first column, rows, columns): one stays, one moves, one ends, one begins, two touch.
BOXES = [
    *((day, "crane", 10, 10, 8, 9) for day in (0, 1, 2, 3)),
    *((day, "truck", 40 + 3 * day, 55, 10, 12) for day in (0, 1, 2, 3)),
    *((day, "truck", 5, 70, 4, 4) for day in (0, 1)),
    *((day, "crane", 70, 30, 6, 6) for day in (2, 3)),
    *((day, "truck", 70, 36, 6, 6) for day in (1, 2)),
]


def rows(run: Path) -> list[list[dict]]:
    store = LocalStore(run)
    tables = [pa.ipc.open_file(store.get(key)).read_all() for key in (SITES, OBSERVATIONS, FOOTPRINTS)]
    return [table.drop_columns(["time"] if "time" in table.column_names else []).to_pylist() for table in tables]


def sites_of(run: Path, previous: Path | None = None) -> None:
    before = None if previous is None else str(previous)
    consolidate(ConsolidateConfig(run=str(run), previous=before, deliver=False, region_id="ZZ_R001"))


def test_a_series_that_two_processes_tracked_goes_on_as_one_run(tmp_path):
    values = np.zeros((4, 1, 40, 40), np.uint8)
    for y, x, days in ((2, 3, (0, 1, 2, 3)), (14, 10, (1, 2)), (13, 27, (2, 3)), (30, 4, (0, 1)), (29, 29, (0, 3))):
        for day in days:
            values[day, 0, y : y + 5, x + day : x + day + 6] = 200 + 10 * day

    def run(name: str, first: int, after: int, workers: int) -> Path:
        empty = Made((40, 40), DAYS[first:after], ("thing",), lambda time, box: values, 16, activation="sigmoid")
        made = replace(empty, scores=of_array(values[first:after], lattice_box(empty)))
        folder = make_run(tmp_path / name, made)
        track(TrackConfig(run=str(folder), mode="linked", low=0.5, high=0.6, workers=workers))
        return folder

    whole, early, late = run("whole", 0, 4, 1), run("early", 0, 2, 2), run("late", 2, 4, 2)
    sites_of(whole)
    sites_of(early)
    sites_of(late, early)
    assert len(rows(whole)[0]) == 6
    assert rows(late) == rows(whole)


def test_scores_of_another_package_do_not_go_on(tmp_path):
    made = Made((40, 40), DAYS[:1], ("thing",), lambda _, box: np.full((1, *box.shape), 200, np.uint8), 64)
    runs = [make_run(tmp_path / name, replace(made, days=(day,))) for name, day in zip("ab", DAYS[:2], strict=True)]
    for run in runs:
        track(TrackConfig(run=str(run), mode="linked", workers=1))
    sites_of(runs[0])
    history = runs[0] / HISTORY
    history.write_text(history.read_text().replace("0" * 64, "1" * 64))
    with pytest.raises(InputError, match="package 111111111111 predicted, these of package 000000000000") as error:
        sites_of(runs[1], runs[0])
    assert "--model" in error.value.hint


def boxes_of(folder: Path, first: int, after: int, classes: tuple[str, ...] = ("crane", "truck")) -> Path:
    mine = [box for box in BOXES if first <= box[0] < after and box[1] in classes]
    shapes = [
        shapely.box(LEFT + 10 * x, TOP - 10 * (y + h), LEFT + 10 * (x + w), TOP - 10 * y) for *_, y, x, h, w in mine
    ]
    columns = {"date": [DAYS[box[0]] for box in mine], "class": [box[1] for box in mine], "score": [0.9] * len(mine)}
    path = folder / "boxes.parquet"
    geopandas.GeoDataFrame(columns, geometry=shapes, crs="EPSG:32618").to_parquet(path)
    return path


def objects_run(folder: Path, first: int, after: int, classes: tuple[str, ...] = ("crane", "truck")) -> Path:
    def nothing(_: int, box: PixelBox) -> np.ndarray:
        return np.full((1, *box.shape), 255, np.uint8)

    run = make_run(folder / "run", Made((100, 100), ("2020-01-05",), ("x",), nothing))
    track(TrackConfig(run=str(run), workers=1, objects=str(boxes_of(folder, first, after, classes))))
    return run


def test_objects_of_two_tables_go_on_as_those_of_one(tmp_path):
    for name in ("whole", "early", "late", "other"):
        (tmp_path / name).mkdir()
    whole, early, late = (
        objects_run(tmp_path / n, a, b) for n, a, b in (("whole", 0, 4), ("early", 0, 2), ("late", 2, 4))
    )
    sites_of(whole)
    sites_of(early)
    sites_of(late, early)
    assert len(rows(whole)[0]) == 5
    assert rows(late) == rows(whole)
    other = objects_run(tmp_path / "other", 2, 4, ("truck",))
    with pytest.raises(InputError, match="of classes") as error:
        sites_of(other, early)
    assert "table" in error.value.hint
