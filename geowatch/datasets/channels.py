"""Channel specs of kwcoco: which channels a file holds, and which are meant of which sensor.

``red|green|blue`` are three channels in their order. ``x.0:4`` and ``x:4`` are four, ``x.0`` to ``x.3``. A sensor may
stand before them, ``S2:red|nir``, several with brackets, ``(S2,L8):(red,nir)``, and ``*`` is any. Source: the grammars
in the documentation of PyPI ``delayed-image`` (``channel_spec``, ``sensorchan_spec``); written anew, since parsing
with that package loads a parser generator.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from geowatch.errors import ConfigError

__all__ = ["SensorChannels", "channel_names", "sensor_channels"]

_CODES = {"rgb": ("r", "g", "b"), "rgba": ("r", "g", "b", "a"), "dxdy": ("dx", "dy"), "fxfy": ("fx", "fy")}
_SLICE = re.compile(r"^(?P<stem>[^:|,()]+?)(?:\.(?P<first>\d+))?:(?P<stop>\d+)$")
_BAD = re.compile(r"[,()|:]")
#: More channels than this in one file are a slip of the keyboard.
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class SensorChannels:
    """Channels of one sensor."""

    sensor: str
    """Its name as written; ``*`` for any."""
    channels: tuple[str, ...]
    """In their order; ``*`` alone for all."""

    def fits(self, sensor: str) -> bool:
        """Whether a scene of ``sensor`` is meant."""
        return self.sensor in {"*", sensor}


def channel_names(spec: str) -> tuple[str, ...]:
    """Return the channels that a fused spec names, in their order.

    >>> channel_names("red|x.1:3|B8A"), channel_names("rgb")
    (('red', 'x.1', 'x.2', 'B8A'), ('r', 'g', 'b'))

    Raises:
        ConfigError: it is no such spec, or names a channel twice.
    """
    names = tuple(name for code in spec.split("|") for name in _code(code.strip(), spec))
    repeated = next((name for name in names if names.count(name) > 1), None) if len(names) < _MOST else "too many"
    if repeated is not None:
        raise ConfigError(f"channels '{spec[:80]}' name '{repeated}' twice", hint="name each channel once")
    return names


def _code(code: str, spec: str) -> Iterator[str]:
    found = _SLICE.match(code)
    if found:
        first, stop = int(found["first"] or 0), int(found["stop"])
        yield from (f"{found['stem']}.{i}" for i in range(first, min(stop, first + _MOST)))
    elif not code or _BAD.search(code):
        raise ConfigError(f"channels '{spec[:80]}' cannot be read", hint="write them as red|green|blue or x.0:4")
    else:
        yield from _CODES.get(code, (code,))


def sensor_channels(spec: str) -> tuple[SensorChannels, ...]:
    """Return what a sensor-channel spec names, in its order.

    >>> [(s.sensor, s.channels) for s in sensor_channels("(S2,L8):(red|nir,pan),thermal")]
    [('S2', ('red', 'nir')), ('S2', ('pan',)), ('L8', ('red', 'nir')), ('L8', ('pan',)), ('*', ('thermal',))]

    Raises:
        ConfigError: it is no such spec.
    """
    return tuple(each for part in _parts(spec) for each in _stream(part))


def _stream(part: str) -> Iterator[SensorChannels]:
    sensors, colon, channels = part.partition(":")
    if not colon or channels.strip().isdigit() or "|" in sensors or re.fullmatch(r"[^()]+\.\d+", sensors):
        sensors, channels = "*", part
    for sensor in _parts(_bare(sensors)):
        for fused in _parts(_bare(channels)):
            yield SensorChannels(sensor, channel_names(fused))


def _bare(text: str) -> str:
    text = text.strip()
    return text[1:-1] if text.startswith("(") and text.endswith(")") else text


def _parts(spec: str) -> list[str]:
    """Split at commas that lie within no brackets."""
    parts, depth = [""], 0
    for sign in spec:
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    if depth or not all(p.strip() for p in parts):
        raise ConfigError(f"channels '{spec[:80]}' cannot be read", hint="write them as S2:red|nir,L8:(red,pan)")
    return [p.strip() for p in parts]
