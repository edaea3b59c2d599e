"""CRS, resolution and pixel phase: from options, else from the imagery, else UTM."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from geowatch.errors import ConfigError, RegionError
from geowatch.grid.crs import canonical_crs, units_of
from geowatch.grid.lattice import Lattice

__all__ = ["LatticeChoice", "choose_lattice", "no_resolution"]

#: Pixels of a geographic CRS are never larger, in degrees.
_MAX_RESOLUTION_DEG = 2.0


@dataclass(frozen=True)
class LatticeChoice:
    """What is asked of the pixel grid, and what the imagery offers. None leaves it open."""

    crs: str | None = None
    """CRS, as ``EPSG:n`` or WKT."""
    resolution: float | None = None
    """Side of a pixel in units of the CRS."""
    origin: tuple[float, float] | None = None
    """A corner of some pixel, (y, x) in units of the CRS; it fixes the phase."""
    imagery: Lattice | None = None
    """The imagery's own lattice."""

    def __post_init__(self) -> None:
        if self.resolution is not None and not 0 < self.resolution < math.inf:
            raise ConfigError(f"a resolution of {self.resolution:g}", hint="give one above 0, such as --resolution 10")
        if self.origin is not None and not all(map(math.isfinite, self.origin)):
            raise ConfigError(f"an origin of {self.origin}", hint="give two numbers in units of the CRS")


def choose_lattice(choice: LatticeChoice) -> Lattice | None:
    """Return the one lattice of a plan, or None where the region goes to its UTM zones.

    Options come first, then the imagery: without options its lattice is taken as it is, another resolution
    keeps its phase, another CRS keeps its resolution where both count in the same unit.

    Raises:
        ConfigError: If the options do not fit each other or the imagery.
        RegionError: If there is a CRS, and neither options nor imagery give a resolution.

    >>> choose_lattice(LatticeChoice(crs="EPSG:32618", resolution=10)).step_x
    10
    """
    imagery = choice.imagery
    if imagery is not None and imagery.crs is None:
        return _of_pixels(choice, imagery)
    crs = None if choice.crs is None else canonical_crs(choice.crs)
    if imagery is not None and imagery.crs is not None:
        imagery = replace(imagery, crs=canonical_crs(imagery.crs))
        if crs in (None, imagery.crs):
            return _like(imagery, choice)
    if crs is None:
        return None
    resolution = choice.resolution or _resolution_in(crs, imagery)
    return _checked(Lattice.at(crs, resolution, choice.origin or (0.0, 0.0)))


def _of_pixels(choice: LatticeChoice, imagery: Lattice) -> Lattice:
    for name, value in (
        ("--crs", choice.crs),
        ("--resolution", choice.resolution),
        ("--origin", choice.origin),
    ):
        if value is not None:
            raise ConfigError(
                f"the images have no georeference, so {name} {value} means nothing",
                hint=f"leave {name} out, or georeference the images",
            )
    return imagery


def _like(imagery: Lattice, choice: LatticeChoice) -> Lattice:
    if choice.resolution is None and choice.origin is None:
        return imagery
    origin = choice.origin or (imagery.phase_y, imagery.phase_x)
    return _checked(Lattice.at(imagery.crs, choice.resolution or imagery.resolution, origin))


def no_resolution() -> RegionError:
    """Return the error of a plan without a size of pixels."""
    return RegionError(
        "neither options nor imagery say how large a pixel is",
        hint="give --resolution, such as --resolution 10 for metres, or --images",
    )


def _resolution_in(crs: str, imagery: Lattice | None) -> float:
    if imagery is None or imagery.crs is None:
        raise no_resolution()
    if units_of(crs) != units_of(imagery.crs):
        raise ConfigError(
            f"{crs:.40} counts in {units_of(crs)}, the imagery in {units_of(imagery.crs)}",
            hint=f"give --resolution in {units_of(crs)}",
        )
    return imagery.resolution


def _checked(lattice: Lattice) -> Lattice:
    degrees = lattice.crs is not None and units_of(lattice.crs) == "degree"
    if degrees and lattice.resolution > _MAX_RESOLUTION_DEG:
        raise ConfigError(
            f"a pixel of {lattice.resolution:g} degrees ({lattice.crs} counts in degrees)",
            hint="give --resolution in degrees, such as 0.0001 for about 10 m",
        )
    return lattice
