"""The entry point: the list of commands, and nothing that takes time to load.

The first line of each command's help stands here, so that ``gw --help`` and shell completion import no
command.
"""

from __future__ import annotations

import click

from geowatch import __version__
from gw_cli.lazy import LazyGroup
from gw_cli.leaving import Leaving

__all__ = ["cli", "main"]

COMMANDS = {
    "tile": "Cut a region into a plan of tiles.",
    "predict": "Run a model over the imagery of a plan.",
    "stitch": "Finish the heatmap: join, check, write maps and pictures.",
    "track": "Find what stands out in a heatmap, tile by tile.",
    "consolidate": "Join what was tracked in all tiles into the sites of the region.",
    "features": "Reduce stored activations to one vector a window or a polygon.",
    "evaluate": "Compare what was made with the truth.",
    "run": "Do all of it: tile, predict and stitch.",
    "status": "Show what of a run is done.",
    "verify": "Check every file of a run against its record.",
    "clean": "Remove what a run no longer needs.",
    "model": "Import, package, compile, show and verify models.",
    "dataset": "Look at imagery and labels, and make them ready.",
    "lineage": "Show what made an output.",
    "doctor": "Show what this machine has, and what is missing.",
    "demo": "See whole lines of work, on material that comes with gw.",
}


def _print_version(ctx: click.Context, _option: click.Parameter, asked: bool) -> None:
    if asked:
        click.echo(f"gw {__version__}")
        ctx.exit()


cli = LazyGroup(
    name="gw",
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_version,
            help="Print the version and exit.",
        )
    ],
    commands_help=COMMANDS,
    package="gw_cli.commands",
    help="Turn a region, imagery and a model into maps and dated sites.",
    epilog="Start with `gw demo`, or `gw run region.geojson --images scenes/ --model package/`.\n"
    "Each command has examples: `gw predict --help`.",
)


def main() -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 usage, 75 interrupted and resumable."""
    leaving = Leaving.registered()
    try:
        cli.main(prog_name="gw")
    except SystemExit as reason:
        leaving.note(reason)
        raise
