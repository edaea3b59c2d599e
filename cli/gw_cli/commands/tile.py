"""``gw tile``: a region as a plan of tiles."""

from __future__ import annotations

import click

from gw_cli import options
from gw_cli.lazy import command as gw_command
from gw_cli.session import Session


@gw_command(
    "tile",
    config="geowatch.stages.tile:TileConfig",
    examples="""
    gw tile region.geojson --resolution 10 --tile-size 2048
    gw tile region.geojson --images scenes/ --model pkg/ --memory 2GB --dry-run
    gw tile --images scenes/
    """,
)
@options.region
@options.run
@options.grid
@options.imagery
@options.reading
@options.model
@options.window
@options.overlap
@options.batch
@options.memory
@options.prices
@options.geojson
@options.dry_run
@options.common
@click.pass_context
def command(ctx: click.Context, /, **given: object) -> None:
    """Cut a region into a plan of tiles.

    REGION is a GeoJSON file: a geometry, a feature, a collection or a SMART region model. Without it all of
    the images is planned. Leaves plan/ in the run folder; what needs imagery or a model is counted once they
    are given, here or to `gw predict`.
    """
    from geowatch.stages.binding.planned import summary
    from geowatch.stages.tile import tile

    session: Session = ctx.obj
    config = session.configure(ctx, given)
    plan = tile(config, session.events)
    session.table(summary(plan))
    if not config.dry_run:
        session.made(f"{config.run}/plan")
