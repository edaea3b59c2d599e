"""Small parts of drawings: tags, paths and colours. Colours of ink and paper come from the page's style."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np
import shapely

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

__all__ = ["PHASE_COLORS", "color_of", "outline_path", "polyline", "said", "tag", "words"]

PHASE_COLORS = {
    "No Activity": "#8d99a6",
    "Site Preparation": "#e3a72f",
    "Active Construction": "#d1495b",
    "Post Construction": "#2f86a6",
    "Unknown": "#b8a9c9",
}
"""Colours of the programme's phases: told apart by people who do not see red and green, and on any paper."""
_STATUS_COLORS = {"confirmed": "#5b6ee1", "proposed": "#c98a2b", "rejected": "#8d99a6"}
_MORE = ("#5b6ee1", "#c2673a", "#2a9d8f", "#9b5de5", "#bc4b6c", "#6a994e", "#33658a", "#b08968")


def color_of(name: str, colors: Mapping[str, str]) -> str:
    """Return the colour of a phase, class or status: the one that it was given, else one made from its name."""
    known = PHASE_COLORS.get(name) or _STATUS_COLORS.get(name) or colors.get(name, "")[:7]
    return known or _MORE[sum(name.encode()) % len(_MORE)]


def tag(name: str, content: str = "", **attributes: object) -> str:
    """Return an element; ``_`` in attribute names stands for ``-``, a trailing one is dropped, None leaves out.

    >>> tag("circle", cx=1.25, class_="dot", stroke_width=2)
    '<circle cx="1.25" class="dot" stroke-width="2"/>'
    """
    given = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items() if value is not None}
    inside = "".join(f' {key}="{_text(value)}"' for key, value in given.items())
    return f"<{name}{inside}>{content}</{name}>" if content else f"<{name}{inside}/>"


def words(x: float, y: float, text: str, **attributes: object) -> str:
    """Return a line of text."""
    return tag("text", escape(text), x=x, y=y, **attributes)


def said(text: str) -> str:
    """Return what a shape says when it is pointed at."""
    return tag("title", escape(text))


def polyline(points: NDArray[np.float64]) -> str:
    """Return points (n, 2) as the text of an SVG path."""
    steps = " ".join(f"{_text(x)},{_text(y)}" for x, y in points.tolist())
    return f"M{steps}"


def outline_path(shapes: Iterable[shapely.Geometry]) -> str:
    """Return polygons, holes included, as the text of one path (fill rule evenodd)."""
    rings = shapely.get_rings(shapely.get_parts(np.array(list(shapes), object)))
    return "".join(f"{polyline(shapely.get_coordinates(ring)[:-1])}Z" for ring in rings.tolist())


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".") if value % 1 else f"{value:.0f}"
    return escape(str(value), quote=True)
