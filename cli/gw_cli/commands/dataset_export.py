"""``gw dataset export``: what a run found, as a kwcoco bundle."""

from __future__ import annotations

import click

from gw_cli import options
from gw_cli.lazy import command as gw_command
from gw_cli.session import Session
from gw_cli.words import counted


@gw_command(
    "export",
    config="geowatch.stages.dataset.export:ExportConfig",
    examples="""
    gw dataset export --run gw-run
    gw dataset export --run gw-run -o shared/predictions.kwcoco.zip
    """,
)
@options.run
@options.option(
    "-o", "--output", metavar="FILE", help="Bundle to write. Left out: predictions.kwcoco.json in the run folder."
)
@options.common
@click.pass_context
def command(ctx: click.Context, /, **given: object) -> None:
    """Write what a run found as a kwcoco bundle.

    One image a time, with its map and the scores of each class; classes with their colours; and where the run has
    sites, a track for each and its outline in every image it was seen in. Objects of networks that give boxes are
    labels with a box, a class and a score. Rasters are named, not copied.
    """
    from geowatch.stages.dataset.export import export_dataset

    session: Session = ctx.obj
    done = export_dataset(session.configure(ctx, given), session.events)
    sites = f", {counted(done.sites, 'site')} in {counted(done.outlines, 'outline')}" if done.sites else ""
    objects = f", {counted(done.objects, 'object')}" if done.objects else ""
    session.made(f"{done.file}: {counted(done.images, 'image')}{sites}{objects}")
