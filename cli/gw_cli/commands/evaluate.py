"""``gw evaluate``: what was made against the truth."""

from __future__ import annotations

from gw_cli.lazy import LazyGroup

command = LazyGroup(
    name="evaluate",
    commands_help={
        "pixels": "Compare a map with the truth, pixel by pixel.",
        "sites": "Compare proposed sites with true ones, as the SMART programme does.",
    },
    package="gw_cli.commands",
    help="Compare what was made with the truth.",
)
