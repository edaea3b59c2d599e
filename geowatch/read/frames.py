"""Frames: the scenes of one sensor and solar day, seen as one image."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

from geowatch.errors import ConfigError, ImageryError
from geowatch.read.scene import Scene

__all__ = ["COMPOSITES", "Composite", "Frame", "make_frames"]

Composite = Literal["first", "median", "least-cloudy"]
COMPOSITES: tuple[Composite, ...] = ("first", "median", "least-cloudy")
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Frame:
    """Scenes of one sensor and solar day, the one on top first."""

    id: str
    """``2020-06-01_sentinel-2-l2a``, or ``undated_sentinel-2`` without a date."""
    sensor: str
    """Sensor of all its scenes."""
    day: date | None
    """Their solar day."""
    scenes: tuple[Scene, ...]
    """In the order in which they cover each other."""
    composite: Composite
    """How overlaps combine: ``first`` valid pixel, ``median``, or first valid by ``least-cloudy`` scene."""


def _by_priority(scene: Scene) -> tuple[object, ...]:
    return scene.priority, scene.time or _NEVER, scene.id


def _by_cloud(scene: Scene) -> tuple[object, ...]:
    return 100.0 if scene.cloud_cover is None else scene.cloud_cover, *_by_priority(scene)


_ORDERS: dict[str, Callable[[Scene], tuple[object, ...]]] = {
    "first": _by_priority,
    "median": _by_priority,
    "least-cloudy": _by_cloud,
}


def make_frames(scenes: Iterable[Scene], order: Composite = "first") -> tuple[Frame, ...]:
    """Return the frames that scenes make, oldest first, those without a date last.

    The order of the scenes given does not matter.

    Raises:
        ConfigError: there is no such order.
        ImageryError: two images without georeference would lie on each other, two scenes have one name, or those of
            one frame are of several domains.
    """
    if order not in _ORDERS:
        raise ConfigError(f"'{order}' is no way to combine scenes", hint=f"choose from {', '.join(COMPOSITES)}")
    groups: dict[tuple[date, str], list[Scene]] = {}
    for scene in scenes:
        groups.setdefault((scene.solar_day or date.max, scene.sensor), []).append(scene)
    return tuple(_frame(day, sensor, group, order) for (day, sensor), group in sorted(groups.items()))


def _frame(day: date, sensor: str, scenes: list[Scene], order: Composite) -> Frame:
    _check(scenes)
    _check_domains(scenes)
    known = None if day == date.max else day
    name = f"{known.isoformat() if known else 'undated'}_{sensor}"
    return Frame(name, sensor, known, tuple(sorted(scenes, key=_ORDERS[order])), order)


def _check_domains(scenes: list[Scene]) -> None:
    names = sorted({s.domain for s in scenes if s.domain is not None})
    if len(names) > 1:
        raise ImageryError(
            f"images of {scenes[0].sensor} of one day ({scenes[0].solar_day}) are of the domains {', '.join(names)}",
            hint="they are seen as one image, which has one normalisation: tell domains apart otherwise",
        )


def _check(scenes: list[Scene]) -> None:
    names = [s.id for s in scenes]
    repeated = sorted({n for n in names if names.count(n) > 1})
    if repeated:
        raise ImageryError(
            f"{names.count(repeated[0])} scenes of one day have the name '{repeated[0]}'",
            hint="give each image once, or rename one of the files",
        )
    plain = [s.id for s in scenes if s.bands and s.bands[0].grid.crs is None]
    if plain and len(scenes) > 1:
        raise ImageryError(
            f"{len(plain)} images have no georeference and would lie on each other: {', '.join(plain[:3])}",
            hint="run them one at a time",
        )
