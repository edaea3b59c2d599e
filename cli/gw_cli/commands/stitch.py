"""``gw stitch``: the finished heatmap as maps and pictures."""

from __future__ import annotations

import click

from gw_cli import options
from gw_cli.lazy import command as gw_command
from gw_cli.results import maps_made
from gw_cli.session import Session


@gw_command(
    "stitch",
    config="geowatch.stages.stitch:StitchConfig",
    examples="""
    gw stitch
    gw stitch --run joined here/gw-run there/gw-run
    gw stitch --require-coverage 95% --no-probability
    """,
)
@click.argument("parts", nargs=-1, metavar="[PART]...")
@options.run
@options.coverage
@options.pictures
@options.fsync
@options.common
@click.pass_context
def command(ctx: click.Context, /, **given: object) -> None:
    """Finish the heatmap: join, check, write maps and pictures.

    Leaves map.tif (a cloud-optimised GeoTIFF), quicklook.png and coverage.json in the run folder, and
    objects.parquet where the network gives boxes.
    Each PART is a run folder with tiles of the same plan, made elsewhere.
    """
    from geowatch.stages.stitch import stitch

    session: Session = ctx.obj
    session.made(maps_made(stitch(session.configure(ctx, given), session.events)))
