"""Which sites a report shows, and what it needs of all the others, in two passes over the tables."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from geowatch.consolidate.output.batches import Batches, geometries, groups
from geowatch.consolidate.output.report.facts import Shown, Sighting
from geowatch.grid.antimeridian import unrolled
from geowatch.grid.crs import to_lonlat

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["DRAWN", "Picked", "pick"]

#: Sites whose outline is drawn; of the others a dot.
DRAWN = 1500


@dataclass(slots=True)
class Picked:
    """What of the tables goes into a report."""

    sites: tuple[Shown, ...] = ()
    """The largest sites, largest first."""
    others: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 2)))
    """Places (n, 2) of the rest."""
    observations: int = 0
    """Observations of all sites."""
    starts: Counter[date] = field(default_factory=Counter)
    """Starts of all sites by day."""
    ends: Counter[date] = field(default_factory=Counter)
    """Ends of all sites by day."""
    dates: set[date] = field(default_factory=set)
    """Days with an observation."""

    @property
    def days(self) -> tuple[date, date] | None:
        """First and last day of an observation."""
        return (min(self.dates), max(self.dates)) if self.dates else None


def pick(sites: Batches, observations: Batches, most: int = DRAWN, west: float | None = None) -> Picked:
    """Return the ``most`` largest sites with what was seen of them, and the places of the rest.

    Where sites in degrees lie on both sides of the antimeridian, longitudes count from ``west`` on, beyond 180.
    """
    picked = Picked()
    areas, numbers, places = [], [], []
    for batch in sites:
        areas.append(_numbers(batch, "area_m2"))
        numbers.append(_numbers(batch, "number"))
        places.append(shapely.get_coordinates(shapely.centroid(unrolled(geometries(batch), west))))
        picked.starts.update(day for day in _column(batch, "start") if day)
        picked.ends.update(day for day in _column(batch, "end") if day)
    if not areas:
        return picked
    chosen = _largest(np.concatenate(areas), np.concatenate(numbers), most)
    picked.others = np.concatenate(places)[~chosen]
    shown = list(_shown(sites, chosen, west))
    _see(picked, shown, observations)
    return picked


def _largest(areas: NDArray[np.float64], numbers: NDArray[np.float64], most: int) -> NDArray[np.bool_]:
    chosen = np.zeros(len(areas), bool)
    chosen[np.lexsort((numbers, -areas))[:most]] = True
    return chosen


def _shown(sites: Batches, chosen: NDArray[np.bool_], west: float | None) -> Iterator[Shown]:
    first = 0
    for batch in sites:
        at = np.flatnonzero(chosen[first : first + batch.num_rows])
        first += batch.num_rows
        if len(at):
            some = batch.take(at)
            shapes = geometries(some)
            rows = some.drop_columns(["geometry"]).to_pylist()
            inside = _inside(shapes, sites.crs)
            for row, shape, place in zip(rows, unrolled(shapes, west).tolist(), inside, strict=True):
                yield _of_row(row, shape, place)


def _inside(shapes: NDArray[np.object_], crs: str | None) -> list[tuple[float, float] | None]:
    if crs is None:
        return [None] * len(shapes)
    points = to_lonlat(shapely.get_coordinates(shapely.point_on_surface(shapes)), crs)
    return [(lon, lat) for lon, lat in points.tolist()]


def _of_row(row: dict[str, Any], shape: Any, place: tuple[float, float] | None) -> Shown:  # noqa: ANN401
    return Shown(
        id=row["site_id"], number=row["number"], grid=row["grid"], kind=row["class"] or "", status=row["status"],
        start=row["start"], end=row["end"], area_m2=row["area_m2"], score=row["score"], events=row["events"] or "",
        outline=shape,
        lonlat=place,
    )  # fmt: skip


def _see(picked: Picked, shown: list[Shown], observations: Batches) -> None:
    """Give each shown site what was seen of it, and count the rest."""
    place = {site.id: at for at, site in enumerate(shown)}
    for name, rows in groups(observations):
        picked.observations += rows.num_rows
        picked.dates.update(day for day in _column(rows, "date") if day)
        if name in place:
            shown[place[name]] = replace(shown[place[name]], sightings=tuple(_sightings(rows)))
    picked.sites = tuple(sorted(shown, key=lambda site: (-site.area_m2, site.number)))


def _sightings(rows: pa.RecordBatch) -> Iterator[Sighting]:
    names = ("date", "time", "phase", "score", "seen_share")
    for values in zip(*(_column(rows, name) for name in names), strict=True):
        yield Sighting(*values)


def _numbers(batch: pa.RecordBatch, name: str) -> NDArray[np.float64]:
    found: NDArray[np.float64] = batch.column(batch.schema.get_field_index(name)).to_numpy().astype(np.float64)
    return found


def _column(batch: pa.RecordBatch, name: str) -> list[Any]:
    values: list[Any] = batch.column(batch.schema.get_field_index(name)).to_pylist()
    return values
