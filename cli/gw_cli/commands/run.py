"""``gw run``: from a region to maps in one command."""

from __future__ import annotations

from dataclasses import replace

import click

from gw_cli import options, series_options
from gw_cli.cache import with_cache
from gw_cli.lazy import command as gw_command
from gw_cli.results import maps_made
from gw_cli.session import Session


@gw_command(
    "run",
    config="geowatch.stages.run:RunConfig",
    examples="""
    gw run region.geojson --images scenes/ --model cloud-package/
    gw run --images photo.png --model pkg/
    gw run region.geojson --config run.yaml --dry-run
    """,
)
@options.region
@options.run
@options.grid
@options.network
@options.looks
@series_options.time
@options.norm
@options.imagery
@options.reading
@options.workers
@options.threads
@options.scheduler
@options.memory
@options.in_memory
@options.prices
@options.geojson
@options.coverage
@options.pictures
@options.fsync
@options.dry_run
@options.common
@click.pass_context
def command(ctx: click.Context, /, **given: object) -> None:
    """Do all of it: tile, predict and stitch.

    REGION is a GeoJSON file; without it all of the images is mapped, and images without a georeference give a
    map of their own size. What an earlier call has finished is not done again.
    """
    from geowatch.stages.binding.planned import summary
    from geowatch.stages.run import run
    from geowatch.stages.tile import tile

    session: Session = ctx.obj
    config = session.configure(ctx, given)
    config = replace(config, predict=with_cache(config.predict))
    if config.tile.dry_run:
        session.table(summary(tile(config.tile, session.events)))
        return
    done = run(config, session.events)
    if done.stitched is not None:
        session.made(maps_made(done.stitched))
