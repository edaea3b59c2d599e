"""Channel specs of kwcoco: which channels a file holds.

``red|green|blue`` are three channels in their order. ``x.0:4`` and ``x:4`` are four, ``x.0`` to ``x.3``. A sensor may
stand before them, ``S2:red|nir``. Source: the grammars in the documentation of PyPI ``delayed-image``
(``channel_spec``, ``sensorchan_spec``); written anew, since parsing with that package loads a parser generator.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from geowatch.errors import ConfigError

__all__ = ["channel_names"]

_CODES = {"rgb": ("r", "g", "b"), "rgba": ("r", "g", "b", "a"), "dxdy": ("dx", "dy"), "fxfy": ("fx", "fy")}
_SLICE = re.compile(r"^(?P<stem>[^:|,()]+?)(?:\.(?P<first>\d+))?:(?P<stop>\d+)$")
_BAD = re.compile(r"[,()|:]")
#: More channels than this in one file are a slip of the keyboard.
_MOST = 10_000


def channel_names(spec: str) -> tuple[str, ...]:
    """Return the channels that a fused spec names, in their order, whatever sensor stands before them.

    >>> channel_names("red|x.1:3|B8A"), channel_names("rgb"), channel_names("S2:nir")
    (('red', 'x.1', 'x.2', 'B8A'), ('r', 'g', 'b'), ('nir',))

    Raises:
        ConfigError: it is no such spec, or names a channel twice.
    """
    fused = spec.partition(":")[2] if _has_sensor(spec) else spec
    names = tuple(name for code in fused.split("|") for name in _code(code.strip(), spec))
    repeated = next((name for name in names if names.count(name) > 1), None) if len(names) < _MOST else "too many"
    if repeated is not None:
        raise ConfigError(f"channels '{spec[:80]}' name '{repeated}' twice", hint="name each channel once")
    return names


def _has_sensor(spec: str) -> bool:
    """Whether a sensor stands before the channels: ``S2:red``; ``x:4`` is four channels."""
    before, colon, after = spec.partition(":")
    return bool(colon) and not any(sign in before for sign in "|.") and not after[:1].isdigit()


def _code(code: str, spec: str) -> Iterator[str]:
    found = _SLICE.match(code)
    if found:
        first, stop = int(found["first"] or 0), int(found["stop"])
        yield from (f"{found['stem']}.{i}" for i in range(first, min(stop, first + _MOST)))
    elif not code or _BAD.search(code):
        raise ConfigError(f"channels '{spec[:80]}' cannot be read", hint="write them as red|green|blue or x.0:4")
    else:
        yield from _CODES.get(code, (code,))
