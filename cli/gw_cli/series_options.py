"""How a network's dates are picked out of a series: asked of a run, and written into a package."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from gw_cli.options import combine, option
from gw_cli.values import COUNT, NAMES

__all__ = ["series", "time"]

F = TypeVar("F", bound=Callable[..., Any])

_SAMPLINGS = ("contiguous", "uniform", "hard-dilated", "soft-dilated", "multi-season")


def _picked(prefix: str, says: Mapping[str, str], step: click.ParamType[int] | type[int]) -> Callable[[F], F]:
    """Return the options of both, with what the help says of each."""
    return combine(
        option(f"--{prefix}-sampling", type=click.Choice(_SAMPLINGS), help=says["sampling"]),
        option(f"--{prefix}-span", type=COUNT, metavar="DAYS", help=says["span"]),
        option(f"--{prefix}-anchor", type=float, metavar="SHARE", help=says["anchor"]),
        option(f"--{prefix}-step", type=step, metavar="DAYS", help=says["step"]),
        option(f"--{prefix}-keep", type=click.Choice(["any", "all"]), help=says["keep"]),
        option(f"--{prefix}-sensors", type=NAMES, help=says["sensors"]),
        option(f"--{prefix}-quota", type=NAMES, metavar="SENSOR=COUNT,...", help="Most dates of a sensor."),
    )


time = combine(
    _picked(
        "time",
        {
            "sampling": "Which observations of a series the network sees. Left out: as its package says.",
            "span": "Days of the series that a plane looks at.",
            "anchor": "Where in that span the plane stands: 0 its first day, 1 its last.",
            "step": "Days from one plane to the next, counted from 1970; 0 for a plane at each frame.",
            "keep": "Score pixels that any of the dates saw, or that all did.",
            "sensors": "Sensors whose frames are looked at.",
        },
        step=int,
    ),
    option(
        "--time-block",
        type=COUNT,
        metavar="PLANES",
        help="Planes computed and stored as one; no value changes. Left out: 4 for a series, fewer in little memory.",
    ),
)
"""How planes stand in time, and what each sees of a series."""

series = _picked(
    "series",
    {
        "sampling": "Pick the network's dates out of a longer series in this way.",
        "span": "Days of the series that one prediction looks at.",
        "anchor": "Where in the span the prediction stands: 0 its first day, 1 its last.  [default: 1.0]",
        "step": "Days from one prediction to the next, counted from 1970. Left out: one at each frame.",
        "keep": "Score pixels that any of the dates saw, or that all did.  [default: any]",
        "sensors": "Sensors whose frames are picked. Left out: all.",
    },
    step=COUNT,
)
"""How a network's dates are picked out of a series."""
