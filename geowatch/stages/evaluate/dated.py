"""Rasters of several days: which map is compared with which truth, told by the days in their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from geowatch.errors import InputError
from geowatch.read.names import time_in

__all__ = ["Pairing", "day_in", "left_over", "pairings"]

_RASTERS = frozenset([".tif", ".tiff", ".png", ".jp2", ".vrt", ".img"])


@dataclass(frozen=True, slots=True)
class Pairing:
    """A map and its truth."""

    map: Path
    """Raster of classes found."""
    truth: str
    """Raster of true ones."""
    day: str | None = None
    """Their day, where they are two of several."""


def day_in(name: str) -> str | None:
    """Return the first day that a name holds.

    >>> day_in("map-S2A-2020-06-01.tif"), day_in("labels_20200611.tif"), day_in("map-20201399.tif")
    ('2020-06-01', '2020-06-11', None)
    """
    found = time_in(name)
    return None if found is None else found.isoformat()[:10]


def pairings(maps: Sequence[Path], truth: str, days: Sequence[str]) -> list[Pairing]:
    """Return which map is compared with which truth.

    Args:
        maps: Maps of a run, or the one that was named.
        truth: A raster, which holds for each day that was asked for, or a folder with a raster for each day.
        days: Days that were asked for; none: all that have a truth.

    Raises:
        InputError: where nothing fits, or what fits cannot be told.
    """
    chosen = [path for path in maps if not days or day_in(path.name) in days]
    if not chosen:
        raise InputError(f"no map is of {', '.join(days)}", hint=f"maps are {_names(maps)}")
    if Path(truth).is_dir():
        return _by_day(chosen, Path(truth))
    if len(chosen) == 1:
        return [Pairing(chosen[0], truth)]
    if days:
        return _distinct([Pairing(path, truth, day_in(path.name)) for path in chosen])
    same = [path for path in chosen if day_in(path.name) and day_in(path.name) == day_in(Path(truth).name)]
    if len(same) == 1:
        return [Pairing(same[0], truth)]
    raise InputError(f"the run has several maps: {_names(chosen)}", hint="name one with --map, or its day with --date")


def left_over(truth: str, pairs: Sequence[Pairing], days: Sequence[str] = ()) -> list[str]:
    """Return the days of a folder of truth, of those that are asked for, that no map was compared with."""
    if not Path(truth).is_dir():
        return []
    compared = {pair.day for pair in pairs}
    return [day for day in _truths(Path(truth)) if day not in compared and (not days or day in days)]


def _truths(folder: Path) -> dict[str, Path]:
    """Return the rasters of a folder by the days in their names."""
    truths: dict[str, Path] = {}
    for path in sorted(each for each in folder.iterdir() if each.suffix.lower() in _RASTERS):
        day = day_in(path.name)
        if day in truths:
            raise InputError(f"{folder} has two rasters of {day}: {truths[day].name}, {path.name}", hint="leave one")
        if day is not None:
            truths[day] = path
    return dict(sorted(truths.items()))


def _by_day(maps: Sequence[Path], folder: Path) -> list[Pairing]:
    truths = _truths(folder)
    found = [Pairing(path, str(truths[day]), day) for path in maps if (day := day_in(path.name)) in truths and day]
    if not found:
        raise InputError(
            f"no map has the day of a truth in {folder}: maps are {_names(maps)}, truth is of {_listed(truths)}",
            hint="days stand in names, such as labels-2020-06-01.tif",
        )
    return _distinct(found)


def _distinct(found: list[Pairing]) -> list[Pairing]:
    """Return pairings in the order of their days, of which there must be one each."""
    ordered = sorted(found, key=lambda each: each.day or "")
    for one, other in pairwise(ordered):
        if one.day == other.day:
            raise InputError(f"two maps are of {one.day}: {one.map.name}, {other.map.name}", hint="name one with --map")
    return ordered


def _names(paths: Sequence[Path]) -> str:
    return ", ".join(path.name for path in paths)


def _listed(days: Sequence[str] | dict[str, Path]) -> str:
    return ", ".join(sorted(days)) or "no day"
