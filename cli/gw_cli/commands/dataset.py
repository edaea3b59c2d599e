"""``gw dataset``: what imagery there is, and how it is made ready."""

from __future__ import annotations

from gw_cli.lazy import LazyGroup

command = LazyGroup(
    name="dataset",
    commands_help={
        "align": "Put a run's frames on disk as a cube, cropped and resampled.",
    },
    package="gw_cli.commands",
    help="Look at imagery and labels, and make them ready.",
)
