"""``gw predict``: a model over the imagery of a plan."""

from __future__ import annotations

import click

from gw_cli import options, series_options
from gw_cli.cache import with_cache
from gw_cli.lazy import command as gw_command
from gw_cli.progress import in_bytes
from gw_cli.session import Session

#: Shorter work is silent.
_WORTH_TELLING_S = 2


@gw_command(
    "predict",
    config="geowatch.stages.predict:PredictConfig",
    examples="""
    gw predict --jit --images scenes/ --model cloud-package/
    gw predict --images 'scenes/*.tif' --model pkg/ --workers 4 --memory 2GB
    gw predict --shard 1/8
    gw predict --images series/ --model change/ --time-step 30 --time-span 730
    """,
)
@options.run
@options.network
@options.looks
@series_options.time
@options.norm
@options.imagery
@options.reading
@options.work
@options.fsync
@options.dry_run
@options.common
@click.pass_context
def command(ctx: click.Context, /, **given: object) -> None:
    """Run a model over the imagery of a plan.

    Leaves heatmap.zarr in the run folder, and goes on where it was stopped. The first call pins the imagery
    and the recipe of the run; later calls, and workers on other machines, obey them.
    """
    from geowatch.stages.predict import predict

    session: Session = ctx.obj
    config = with_cache(session.configure(ctx, given))
    done = predict(config, session.events)
    if config.jit is not None:
        session.events.note(f"backend {done.backend}: {done.reason}")
    if config.dry_run:
        memory = f", {in_bytes(done.memory_bytes)} of memory a worker" if done.memory_bytes else ""
        session.made(f"{done.tiles - done.done_before} of {done.tiles} tiles left{memory}")
        return
    if done.summary and done.figures["seconds"] > _WORTH_TELLING_S:
        session.events.note(done.summary)
    session.made(done.heatmap)
