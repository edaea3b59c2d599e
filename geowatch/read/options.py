"""What a user may say about imagery that its files do not say."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from geowatch.errors import ConfigError
from geowatch.read.remote import Remote
from geowatch.read.sensors import MASK_CLASSES

__all__ = ["SceneOptions"]


@dataclass(frozen=True, slots=True)
class SceneOptions:
    """Options that hold for all scenes of a run; each overrides what metadata say."""

    sensor: str | None = None
    """A preset such as ``sentinel-2-l1c``, or a name of one's own."""
    bands: tuple[str, ...] = ()
    """Names for the bands of a multi-band file, in order."""
    stack: tuple[date, ...] = ()
    """Days of multi-band files that hold ``bands`` of one day after another, in order."""
    scale: float | None = None
    """Factor from stored numbers to values."""
    offset: float | None = None
    """What is added after the factor."""
    nodata: float | None = None
    """Stored number that means no data."""
    sun_elevation_deg: float | None = None
    """Sun above the horizon, for Landsat level 1 without metadata."""
    mask: tuple[str, ...] = ("fill",)
    """Classes that the product's own mask hides; clouds stay visible unless asked for."""
    mask_band: str | None = None
    """Name of a band that is a mask, for products that gw does not know."""
    mask_values: tuple[int, ...] = ()
    """Numbers of that band that hide a pixel."""
    mask_bits: int = 0
    """Bits of that band that hide a pixel."""
    domain_field: str | None = None
    """What tells domains apart; see `geowatch.read.domains`. None leaves them to be the sensors."""
    roots: tuple[Path, ...] = ()
    """Folders that VRTs and STAC items may lead to, beside their own."""
    remote: Remote = field(default_factory=Remote)
    """How remote imagery is reached."""

    def __post_init__(self) -> None:
        unknown = [c for c in self.mask if c not in MASK_CLASSES]
        if unknown:
            raise ConfigError(f"mask class '{unknown[0]}' is unknown", hint=f"choose from {', '.join(MASK_CLASSES)}")
        if len(set(self.bands)) != len(self.bands):
            raise ConfigError(f"band names {','.join(self.bands)} repeat", hint="give each band its own name")
        if self.stack and (not self.bands or len(set(self.stack)) != len(self.stack)):
            raise ConfigError(
                f"the days {', '.join(map(str, self.stack))} are no stack of the bands '{','.join(self.bands)}'",
                hint="give each day once with --stack, and the bands of one day with --bands",
            )
        if self.mask_band is not None and not (self.mask_values or self.mask_bits):
            raise ConfigError(
                f"mask band '{self.mask_band}' hides nothing",
                hint="give the values or the bits that hide a pixel",
            )
