"""``gw clean``: what a run no longer needs."""

from __future__ import annotations

import click

from gw_cli import options
from gw_cli.lazy import command as gw_command
from gw_cli.progress import in_bytes
from gw_cli.results import folded
from gw_cli.session import Session


@gw_command(
    "clean",
    config="geowatch.stages.clean:CleanConfig",
    examples="""
    gw clean --dry-run
    gw clean --heatmap
    """,
)
@options.run
@options.flag("--heatmap", help="Remove the heatmap and its markers as well, once the maps are made.")
@options.flag("--dry-run", help="Name what would go; remove nothing.")
@options.common
@click.pass_context
def command(ctx: click.Context, /, **given: object) -> None:
    """Remove what a run no longer needs.

    That is what killed processes left behind (unfinished files, chunks that no marker lists), fragments of earlier
    trackings, and files of earlier sites. No command may be at work on the run.
    """
    from geowatch.stages.clean import clean

    session: Session = ctx.obj
    config = session.configure(ctx, given)
    done = clean(config)
    session.made(folded(done.paths))
    session.made(f"{len(done.paths)} objects, {in_bytes(done.bytes)}{' would go' if config.dry_run else ' removed'}")
