"""Surfaces, patches of them, and how a patch goes from one surface to the next.

Everything that the simulation draws is a patch: a field, a wood, a roof, a corner of a building site. A patch has one
surface at a time and a list of days on which the surface changes. A day's picture is a table of one colour a patch,
looked up for each pixel.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from geowatch.datasets.simulation.seasons import Season, green_share
from geowatch.datasets.simulation.spectra import BANDS, GROUNDS, PLANTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["ALWAYS", "Patches", "Surface", "SurfaceBook"]

#: The day from which a patch's first surface lies there.
ALWAYS = -(10**6)
_NEVER = 10**6


@dataclass(frozen=True, slots=True)
class Surface:
    """Ground and the plants on it."""

    ground: str
    """Name of the ground, of `spectra.GROUNDS`."""
    plant: str = "grass"
    """Name of the plants, of `spectra.PLANTS`."""
    cover: float = 0.0
    """Share of the ground that the plants cover at most."""
    season: Season | None = None
    """When they are green; None is always as green as ``cover`` says."""
    bright: float = 1.0
    """Factor of the ground's reflectance."""


@dataclass
class SurfaceBook:
    """Collects patches while a world is made."""

    surfaces: list[Surface] = field(default_factory=list)
    """All surfaces so far."""
    steps: list[tuple[tuple[int, int], ...]] = field(default_factory=list)
    """For each patch (first day, number of the surface), in order of days."""

    def patch(self, *states: tuple[int, Surface]) -> int:
        """Add a patch that has each surface from a day on; return its number."""
        first = len(self.surfaces)
        ordered = sorted(states, key=lambda state: state[0])
        self.surfaces += [surface for _, surface in ordered]
        self.steps.append(tuple((day, first + k) for k, (day, _) in enumerate(ordered)))
        return len(self.steps) - 1

    def close(self) -> Patches:
        """Return all patches as columns."""
        most = max(map(len, self.steps))
        days = np.full((len(self.steps), most), _NEVER, np.int32)
        which = np.zeros((len(self.steps), most), np.int32)
        for row, steps in enumerate(self.steps):
            days[row, : len(steps)] = [day for day, _ in steps]
            which[row, : len(steps)] = [surface for _, surface in steps]
        return Patches(tuple(self.surfaces), days, which)


@dataclass(frozen=True)
class Patches:
    """Patches as columns; P of them, with at most K surfaces one after the other."""

    surfaces: tuple[Surface, ...]
    """All surfaces."""
    days: NDArray[np.int32]
    """(P, K), first day of each step."""
    which: NDArray[np.int32]
    """(P, K), number of the surface of each step."""

    def colors(self, day: int, wetness: float) -> NDArray[np.float32]:
        """Return the reflectance (C, P) of every patch on a day; ``wetness`` of the ground is 0 (dry) to 1."""
        step = (self.days <= day).sum(axis=1) - 1
        now = self.which[np.arange(len(step)), np.maximum(step, 0)]
        return _reflect([self.surfaces[k] for k in now.tolist()], day, wetness)

    def begun(self, day: int) -> NDArray[np.bool_]:
        """Return which patches (P,) have begun: overlays show what lies below them until then."""
        found: NDArray[np.bool_] = self.days[:, 0] <= day
        return found


def _reflect(surfaces: Sequence[Surface], day: int, wetness: float) -> NDArray[np.float32]:
    seasons = {id(s.season): s.season for s in surfaces if s.season is not None}
    shares = {key: green_share(season, day) for key, season in seasons.items()}
    green = np.array([s.cover * shares.get(id(s.season), 1.0) for s in surfaces], np.float32)
    dark = np.array([s.bright * (1 - wetness * GROUNDS[s.ground][1]) for s in surfaces], np.float32)
    bare = np.array([GROUNDS[s.ground][0] for s in surfaces], np.float32).reshape(-1, len(BANDS)).T
    full = np.array([PLANTS[s.plant] for s in surfaces], np.float32).reshape(-1, len(BANDS)).T
    return green * full + (1 - green) * dark * bare
