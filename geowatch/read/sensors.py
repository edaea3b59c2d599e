"""Sensor presets: what the stored numbers of a product mean when its files do not say so.

A preset gives scale and offset from digital numbers to physical values, the number for no data, and the
meaning of the product's mask band. Sources: Sentinel-2 Products Specification Document (quantification value
10,000; from baseline 04.00 an offset of -1,000 numbers); Landsat 8-9 Collection 2 Level 2 Science Product
Guide (0.0000275 and -0.2; surface temperature 0.00341802 and 149.0); Landsat 8 Data Users Handbook, section 5
(reflectance ``(0.00002 * DN - 0.1) / sin(sun elevation)``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from geowatch.errors import ConfigError, ImageryError

__all__ = ["MASK_CLASSES", "MASK_KINDS", "PRESETS", "Preset", "mask_rule", "preset_named"]

#: What a user may ask to be hidden.
MASK_CLASSES = ("fill", "saturated", "cloud", "cirrus", "shadow", "snow", "water", "dark")

# Scene classification of Sentinel-2 level 2A: which values each class stands for.
_SCL: dict[str, tuple[int, ...]] = {
    "fill": (0,), "saturated": (1,), "dark": (2,), "shadow": (3,), "water": (6,), "cloud": (8, 9),
    "cirrus": (10,), "snow": (11,),
}  # fmt: skip
# Landsat Collection 2 QA_PIXEL: bits. "cloud" takes in the dilated rim.
_QA_PIXEL: dict[str, int] = {
    "fill": 1 << 0, "cloud": (1 << 1) | (1 << 3), "cirrus": 1 << 2, "shadow": 1 << 4, "snow": 1 << 5,
    "water": 1 << 7,
}  # fmt: skip
# Landsat Collection 1 BQA: bits. Confidences take two bits; "high" sets both, and only the upper is asked
# for.
_BQA: dict[str, int] = {
    "fill": 1 << 0, "saturated": 1 << 3, "cloud": 1 << 4, "shadow": 1 << 8, "snow": 1 << 10,
    "cirrus": 1 << 12,
}  # fmt: skip
#: Native names of mask bands and the kind of mask that they are.
MASK_KINDS = {"SCL": "scl", "QA_PIXEL": "qa_pixel", "BQA": "bqa"}


@dataclass(frozen=True, slots=True)
class Preset:
    """What the numbers of one product mean."""

    name: str
    """What the user asks for, and the sensor of the scenes."""
    family: str
    """Whose band names it uses: ``sentinel-2`` or ``landsat``."""
    scale: float
    """Factor from digital numbers to reflectance."""
    offset: float
    """What is added after the factor."""
    thermal: tuple[float, float] | None = None
    """The same for thermal bands (kelvin), None where they are not calibrated without metadata."""
    needs_sun: bool = False
    """Whether values are to be divided by the sine of the sun's elevation."""
    nodata: float = 0.0
    """Number for no data."""

    def numbers(self, common: str, sun_elevation_deg: float | None) -> tuple[float, float]:
        """Return (scale, offset) of a band.

        Raises:
            ImageryError: the sun's elevation is needed and was not given, or is no elevation.
        """
        if common.startswith("lwir"):
            return self.thermal or (1.0, 0.0)
        if not self.needs_sun:
            return self.scale, self.offset
        sine = _sine(self.name, sun_elevation_deg)
        return self.scale / sine, self.offset / sine


def _sine(name: str, sun_elevation_deg: float | None) -> float:
    if sun_elevation_deg is None:
        raise ImageryError(
            f"sensor '{name}' needs the sun's elevation to give reflectance, and these files do not say it",
            hint="give --sun-elevation DEGREES (SUN_ELEVATION in the scene's MTL file)",
        )
    if not 0 < sun_elevation_deg <= 90:
        raise ConfigError(
            f"a sun elevation of {sun_elevation_deg:g} degrees gives no reflectance",
            hint="give degrees above the horizon, above 0 and up to 90",
        )
    return math.sin(math.radians(sun_elevation_deg))


def _landsat(platform: str) -> tuple[Preset, ...]:
    level_2 = Preset(f"{platform}-l2", "landsat", 0.0000275, -0.2, thermal=(0.00341802, 149.0))
    if platform in {"landsat-8", "landsat-9"}:
        return level_2, Preset(f"{platform}-l1", "landsat", 2e-5, -0.1, needs_sun=True)
    return (level_2,)


_ALL = (
    Preset("sentinel-2-l1c", "sentinel-2", 1e-4, 0.0),
    Preset("sentinel-2-l2a", "sentinel-2", 1e-4, 0.0),
    *(p for n in (4, 5, 7, 8, 9) for p in _landsat(f"landsat-{n}")),
)
#: Presets by name.
PRESETS: dict[str, Preset] = {p.name: p for p in _ALL}


def preset_named(name: str) -> Preset | None:
    """Return the preset of that name; None for a sensor of the user's own naming."""
    return PRESETS.get(name.lower())


def mask_rule(kind: str, classes: tuple[str, ...]) -> tuple[tuple[int, ...], int]:
    """Return (bad values, bad bits) for a mask of ``kind`` and the classes to be hidden.

    >>> mask_rule("scl", ("fill", "cloud")), mask_rule("qa_pixel", ("fill", "shadow"))
    (((0, 8, 9), 0), ((), 17))

    Raises:
        ConfigError: there is no such class.
    """
    unknown = [c for c in classes if c not in MASK_CLASSES]
    if unknown:
        raise ConfigError(f"mask class '{unknown[0]}' is unknown", hint=f"choose from {', '.join(MASK_CLASSES)}")
    if kind == "scl":
        return tuple(sorted(v for c in classes for v in _SCL.get(c, ()))), 0
    bits = {"qa_pixel": _QA_PIXEL, "bqa": _BQA}.get(kind, {})
    total = 0
    for name in classes:
        total |= bits.get(name, 0)
    return (), total
