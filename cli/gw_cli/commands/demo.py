"""``gw demo``: whole lines of work on material that comes with gw; alone it maps clouds."""

from __future__ import annotations

import click

from gw_cli.lazy import LazyGroup


class _Demos(LazyGroup):
    """Without a name the demonstration is the first one."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the name of the first demonstration before its options."""
        named = args and (not args[0].startswith("-") or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if named else ["scene", *args])


command = _Demos(
    name="demo",
    commands_help={
        "scene": "Map the clouds of a real scene, from nothing.",
        "sites": "Find building sites in a simulated series of images, and score them against the truth.",
    },
    package="gw_cli.commands",
    help="See whole lines of work, on material that comes with gw.",
)
