"""Sites counted: one line for each class and status, and one for each site, as CSV for spreadsheets."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import shapely

from geowatch.consolidate.output.batches import Batches, geometries, lonlat
from geowatch.consolidate.output.earlier import BECAME

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pyarrow as pa

    from geowatch.consolidate.output.earlier import EarlierRun

__all__ = ["Count", "counted", "summary_csv", "total", "write_sites_csv"]

_BECAME = tuple(name.replace(" ", "_") for name in BECAME)
_HEAD = ("class", "status", "sites", "ongoing", "area_km2", "mean_area_m2", "mean_score", "first_start", "last_start",
         "last_end", *_BECAME, "missing_tiles")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Count:
    """Sites of one class and status."""

    kind: str
    """The class; empty where classes were joined."""
    status: str
    """Such as ``system_confirmed``."""
    sites: int
    """How many."""
    ongoing: int
    """Of those, how many have no end."""
    area_m2: float
    """Their areas' sum."""
    score_sum: float
    """Their scores' sum."""
    first_start: date | None = None
    """Earliest start."""
    last_start: date | None = None
    """Latest start."""
    last_end: date | None = None
    """Latest end."""
    became: tuple[int, ...] = (0,) * len(BECAME)
    """Where there is an earlier run: how many go on, ended since, had ended before, and are new."""

    @property
    def mean_score(self) -> float:
        """Mean of the scores."""
        return self.score_sum / max(1, self.sites)

    def plus(self, other: Count) -> Count:
        """Return both together, under this one's name."""
        return Count(
            self.kind,
            self.status,
            self.sites + other.sites,
            self.ongoing + other.ongoing,
            self.area_m2 + other.area_m2,
            self.score_sum + other.score_sum,
            _known(min, self.first_start, other.first_start),
            _known(max, self.last_start, other.last_start),
            _known(max, self.last_end, other.last_end),
            tuple(one + more for one, more in zip(self.became, other.became, strict=True)),
        )


def counted(sites: Batches, earlier: EarlierRun | None = None) -> tuple[Count, ...]:
    """Return a count for each class and status, in their alphabetical order; ``earlier`` is what they go on with."""
    found: dict[tuple[str, str], Count] = {}
    for batch in sites:
        for count in _of_batch(batch, earlier):
            place = count.kind, count.status
            found[place] = found[place].plus(count) if place in found else count
    return tuple(found[place] for place in sorted(found))


def total(counts: Iterable[Count]) -> Count:
    """Return all of them as one line."""
    out = Count("all", "all", 0, 0, 0.0, 0.0)
    for count in counts:
        out = out.plus(count)
    return out


def summary_csv(counts: tuple[Count, ...], missing_tiles: int = 0, *, goes_on: bool = False) -> bytes:
    """Return the table of classes and statuses, with a last line for all.

    Each line says how many tiles of the region are missing: sites there are not counted. What became of an earlier
    run's sites is left empty where the run does not go on with one.
    """
    lines = (
        [*_line(count), *(count.became if goes_on else ("",) * len(BECAME)), missing_tiles]
        for count in (*counts, total(counts))
    )
    return _csv([_HEAD, *lines])


def write_sites_csv(sites: Batches, path: Path) -> None:
    """Write a line for each site: all columns but the outline, and a point inside it in degrees."""
    names = [name for name in sites.schema.names if name != "geometry"]
    with path.open("wb") as file:
        file.write(_csv([(*names, "lon", "lat")]))
        for batch in sites:
            places = _points(batch, sites.crs)
            rows = batch.select(names).to_pylist()
            file.write(_csv([*(_text(v) for v in row.values()), *at] for row, at in zip(rows, places, strict=True)))


def _of_batch(batch: pa.RecordBatch, earlier: EarlierRun | None) -> list[Count]:
    import pyarrow as pa

    table = pa.Table.from_batches([batch]).select(["class", "status", "start", "end", "area_m2", "score"])
    for name, place in zip(_BECAME, _became(batch, earlier), strict=True):
        table = table.append_column(name, place)
    grouped = table.group_by(["class", "status"], use_threads=False).aggregate(
        [([], "count_all"), ("end", "count"), ("area_m2", "sum"), ("score", "sum"), ("start", "min"), ("start", "max"),
         ("start", "count"), ("end", "max"), *((name, "sum") for name in _BECAME)]
    )  # fmt: skip
    return [_count(row) for row in grouped.to_pylist()]


def _became(batch: pa.RecordBatch, earlier: EarlierRun | None) -> list[pa.Array]:
    """Return for each of `BECAME` which sites became that, 1 or 0; without an earlier run none did."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if earlier is None:
        return [pa.array([0] * batch.num_rows, pa.int64())] * len(BECAME)
    end, new = batch.column("end"), pc.greater_equal(batch.column("number"), earlier.first_new)
    late = pc.greater_equal(end, pa.scalar(earlier.since, pa.date32()))
    old = [pc.is_null(end), pc.fill_null(late, False), pc.fill_null(pc.invert(late), False)]
    return [pc.cast(each, pa.int64()) for each in (*(pc.and_not(each, new) for each in old), new)]


def _count(row: dict[str, Any]) -> Count:
    return Count(
        kind=row["class"] or "",
        status=row["status"],
        sites=row["count_all"],
        ongoing=row["start_count"] - row["end_count"],  # what has no date at all is not said to go on
        area_m2=row["area_m2_sum"],
        score_sum=row["score_sum"],
        first_start=row["start_min"],
        last_start=row["start_max"],
        last_end=row["end_max"],
        became=tuple(row[f"{name}_sum"] for name in _BECAME),
    )


def _line(count: Count) -> list[object]:
    mean_m2 = count.area_m2 / max(1, count.sites)
    return [
        count.kind, count.status, count.sites, count.ongoing, f"{count.area_m2 / 1e6:.6f}", f"{mean_m2:.1f}",
        f"{count.mean_score:.4f}", *(_text(day) for day in (count.first_start, count.last_start, count.last_end)),
    ]  # fmt: skip


def _points(batch: pa.RecordBatch, crs: str | None) -> list[tuple[str, str]]:
    if crs is None:
        return [("", "")] * batch.num_rows
    inside = shapely.get_coordinates(lonlat(shapely.point_on_surface(geometries(batch)), crs))
    return [(f"{lon:.6f}", f"{lat:.6f}") for lon, lat in inside.tolist()]


def _text(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.4f}"
    return "" if value is None else value


def _known(choose: Any, one: date | None, other: date | None) -> date | None:  # noqa: ANN401  # min or max
    days = [day for day in (one, other) if day is not None]
    chosen: date | None = choose(days, default=None)
    return chosen


def _csv(rows: Iterable[Iterable[object]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode()
