"""Domains: what tells imagery apart that is normalised by statistics of its own.

A scene's domain is its sensor where nobody says otherwise; else what `domain_of` finds under a name: one of `NAMED`,
which every scene has, or a field of the document that describes it (an image of a kwcoco bundle, a STAC item's
properties).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from geowatch.errors import ConfigError
from geowatch.read.scene import Scene

__all__ = ["NAMED", "domain_of"]


def _sensor(scene: Scene) -> str | None:
    return scene.sensor


def _channels(scene: Scene) -> str | None:
    return f"{scene.sensor}:{'|'.join(b.name for b in scene.bands)}"


def _month(scene: Scene) -> str | None:
    day = scene.solar_day
    return None if day is None else f"{scene.sensor}/{day.month:02d}"


def _year(scene: Scene) -> str | None:
    day = scene.solar_day
    return None if day is None else f"{scene.sensor}/{day.year}"


NAMED: dict[str, Callable[[Scene], str | None]] = {
    "sensor": _sensor, "channels": _channels, "month": _month, "year": _year,
}  # fmt: skip
"""What every scene can be told apart by: its sensor alone, or with its bands, or the month or year of its solar day."""


def domain_of(scene: Scene, name: str, fields: Mapping[str, object]) -> str:
    """Return the domain of a scene by ``name``: one of `NAMED`, else of ``fields``, what its document says.

    Raises:
        ConfigError: it has no such field, or one that is no text and no number.
    """
    value = NAMED[name](scene) if name in NAMED else fields.get(name)
    if not isinstance(value, str | int | float) or value == "":
        raise ConfigError(
            f"image '{scene.id}' has no {name}, which domains are told apart by",
            hint=f"choose from {', '.join(NAMED)}, or a field that every image of the bundle has",
        )
    return str(value)
