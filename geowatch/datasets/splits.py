"""Splitting images into parts (train, validation, test) such that nothing leaks: pure, seeded, deterministic.

Images that belong together form a group: those of one video, region or block of land, those that share a file, and
those whose footprints overlap. Groups are shuffled by a digest of the seed and their name, and each goes to the part
that lacks most, so that neither the order of the images nor the machine matters. In time, parts follow each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geowatch.datasets.videos import groups_of
from geowatch.errors import ConfigError

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = ["Share", "Unit", "block_of", "grouped", "parse_shares", "split_groups", "split_time"]

_METRES_PER_DEGREE = 111_320.0


@dataclass(frozen=True, slots=True)
class Share:
    """One part."""

    name: str
    """Its name."""
    share: float
    """What it gets of all images, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One image, as far as a split needs it."""

    name: str
    """Tells it from all others, whatever their order."""
    keys: tuple[str, ...]
    """Images that have a key in common stay together."""
    outline: BaseGeometry | None = None
    """Where it is (lon/lat); images that overlap stay together."""
    day: date | None = None
    """When it was taken, by the sun."""


def parse_shares(texts: Sequence[str]) -> tuple[Share, ...]:
    """Read ``train=0.7`` or ``train=70%`` and so on; what is missing to 1 goes to nobody, beyond it is refused.

    Raises:
        ConfigError: it is no such list.
    """
    found = []
    for text in texts:
        name, equals, number = text.partition("=")
        try:
            share = float(number.removesuffix("%")) / (100 if number.endswith("%") else 1)
        except ValueError:
            share = math.nan
        if not (equals and name.strip() and 0 < share <= 1) or set(name) & set("/\\"):
            raise ConfigError(f"part '{text}' cannot be read", hint="write --parts train=0.7,validation=0.15,test=0.15")
        found.append(Share(name.strip(), share))
    total, names = sum(part.share for part in found), {part.name for part in found}
    if len(names) < len(found) or len(found) < 2 or abs(total - 1) > 1e-6:
        raise ConfigError(
            f"parts {', '.join(texts)} make {total:g} in {len(names)} names", hint="give two or more that make 1"
        )
    return tuple(found)


def block_of(outline: BaseGeometry, side_m: float) -> str:
    """Return the name of the block of land that the middle of an outline (lon/lat) lies in.

    Blocks are ``side_m`` high and about as wide: rows of latitude, cut by the length of their parallel.
    """
    middle = outline.centroid
    row = math.floor(middle.y * _METRES_PER_DEGREE / side_m)
    parallel = _METRES_PER_DEGREE * max(0.01, math.cos(math.radians((row + 0.5) * side_m / _METRES_PER_DEGREE)))
    return f"{row}/{math.floor(middle.x * parallel / side_m)}"


def grouped(units: Sequence[Unit]) -> dict[str, list[Unit]]:
    """Return the groups by the least name in each."""
    ordered = sorted(units, key=lambda unit: unit.name)
    holders: dict[str, int] = {}
    edges = [(holders.setdefault(key, i), i) for i, unit in enumerate(ordered) for key in unit.keys]
    edges += _overlapping([(i, unit.outline) for i, unit in enumerate(ordered) if unit.outline is not None])
    groups: dict[str, list[Unit]] = {}
    for unit, root in zip(ordered, groups_of(edges, len(ordered)), strict=True):
        groups.setdefault(ordered[root].name, []).append(unit)
    return groups


def _overlapping(outlines: Sequence[tuple[int, BaseGeometry]]) -> list[tuple[int, int]]:
    """Return pairs that hang together all that overlap; outlines that are equal are compared once."""
    if not outlines:
        return []
    first: dict[bytes, int] = {}
    edges = [(first.setdefault(shapely.to_wkb(shape), i), i) for i, shape in outlines]
    kept = {i: shape for i, shape in outlines if i in set(first.values())}
    ids, shapes = np.array(list(kept)), np.array(list(kept.values()), object)
    a, b = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    later = a < b
    meet = [
        (int(ids[i]), int(ids[j]))
        for i, j in zip(a[later], b[later], strict=True)
        if shapely.intersection(shapes[i], shapes[j]).area > 0  # a common border is no overlap
    ]
    return [*edges, *meet]


def split_groups(groups: Mapping[str, Sequence[Unit]], parts: Sequence[Share], seed: int) -> dict[str, list[Unit]]:
    """Return the images of each part.

    Raises:
        ConfigError: there are fewer groups than parts.
    """
    if len(groups) < len(parts):
        raise ConfigError(
            f"images that stay together make {len(groups)} of the {len(parts)} parts that are asked for",
            hint="ask for fewer parts, or split otherwise: --by time, or smaller blocks with --block-m",
        )
    total = sum(map(len, groups.values()))
    made: dict[str, list[Unit]] = {part.name: [] for part in parts}
    order = sorted(groups, key=lambda name: sha256(f"{seed}:{name}".encode()).digest())
    for left, name in zip(range(len(order), 0, -1), order, strict=True):
        bare = [part for part in parts if not made[part.name]]
        # No part stays empty: the last groups are kept for those that have none.
        open_parts = bare if len(bare) >= left else parts
        neediest = max(open_parts, key=lambda part: part.share * total - len(made[part.name]))
        made[neediest.name] += groups[name]
    return made


def split_time(units: Sequence[Unit], parts: Sequence[Share], gap_days: int) -> dict[str, list[Unit]]:
    """Return the images of each part: the first part has the earliest days.

    Days are never cut, and the first ``gap_days`` days of each part but the first are left out.

    Raises:
        ConfigError: an image has no date, or there are too few days.
    """
    bare = [unit.name for unit in units if unit.day is None]
    if bare:
        raise ConfigError(
            f"{len(bare)} of {len(units)} images have no date, such as '{bare[0]}'", hint="give them dates"
        )
    days = sorted({unit.day for unit in units if unit.day})
    counts = np.cumsum([sum(unit.day == day for unit in units) for day in days])
    ends = np.cumsum([part.share for part in parts])[:-1] * len(units)
    cuts = [0, *(int(np.argmin(np.abs(counts - end))) + 1 for end in ends), len(days)]
    made: dict[str, list[Unit]] = {}
    for part, start, stop in zip(parts, cuts[:-1], cuts[1:], strict=True):
        first = days[start] + timedelta(days=gap_days if start else 0) if start < len(days) else date.max
        taken = {day for day in days[start:stop] if day >= first}
        made[part.name] = [unit for unit in units if unit.day in taken]
        if not taken:
            raise ConfigError(
                f"{len(days)} days leave none for part '{part.name}'", hint="give fewer parts, or a shorter --gap-days"
            )
    return made
