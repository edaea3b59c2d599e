"""Colours of classes: well-known names get the colour that people expect, others one of a palette.

Colours are ``#rrggbb`` or ``#rrggbbaa``; the palette is Paul Tol's "bright", which colour-blind readers can
tell apart (https://personal.sron.nl/~pault/, 2021).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["TRANSPARENT", "default_colors"]

#: Shows what lies below.
TRANSPARENT = "#00000000"

#: Words in class names and the colour that they ask for; the first that fits wins.
KNOWN: Mapping[str, str] = MappingProxyType(
    {
        "background": TRANSPARENT,
        "nothing": TRANSPARENT,
        "clear": TRANSPARENT,
        "shadow": "#5b4a8c",
        "cirrus": "#c9e3f5",
        "cloud": "#f2f2f2",
        "snow": "#7fe7f2",
        "ice": "#a6f0f7",
        "water": "#2066c8",
        "flood": "#3f8cff",
        "tree": "#1b6e2e",
        "forest": "#1b6e2e",
        "vegetation": "#3f9b3a",
        "grass": "#8fce5c",
        "crop": "#e3c44a",
        "field": "#e3c44a",
        "wetland": "#5fb39a",
        "built": "#c4281b",
        "building": "#c4281b",
        "urban": "#c4281b",
        "road": "#6e6e6e",
        "bare": "#b08a5b",
        "soil": "#b08a5b",
        "sand": "#e6d3a3",
        "burn": "#7a2f13",
        "fire": "#ff6a00",
        "construction": "#ff7f0e",
        "land": "#9a8a63",
    }
)

PALETTE = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb")


def default_colors(classes: Sequence[str]) -> tuple[str, ...]:
    """Return a colour for each class.

    >>> default_colors(("background", "cloud", "cloud shadow", "alpha"))
    ('#00000000', '#f2f2f2', '#5b4a8c', '#4477aa')
    """
    known = [_known(name) for name in classes]
    spare = iter(PALETTE * (len(known) // len(PALETTE) + 1))
    return tuple(color if color is not None else next(spare) for color in known)


def _known(name: str) -> str | None:
    words = name.lower()
    return next((color for word, color in KNOWN.items() if word in words), None)
