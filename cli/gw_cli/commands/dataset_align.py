"""``gw dataset align``: the frames of a run, cropped and resampled to its grid, on disk."""

from __future__ import annotations

import click

from gw_cli import options
from gw_cli.lazy import command as gw_command
from gw_cli.session import Session
from gw_cli.values import COUNT, NAMES

#: Shorter work is silent.
_WORTH_TELLING_S = 2


@gw_command(
    "align",
    config="geowatch.stages.align:AlignConfig",
    examples="""
    gw dataset align --run gw-run
    gw dataset align --images series/ --channels red,nir --cube /data/cube --workers 4
    gw dataset align --shard 1/8 --dry-run
    """,
)
@options.run
@options.option("--cube", metavar="DIR", help="Cube folder; runs may share it. Left out: cube in the run folder.")
@options.option(
    "--channels",
    type=NAMES,
    help="Bands to align, such as red,nir. Left out: those of the run's model, else all that every image has.",
)
@options.option(
    "--margin",
    type=click.IntRange(min=0),
    metavar="PX",
    help="Pixels around the tiles that are aligned too. Left out: a window of the plan's network, else 256.",
)
@options.imagery
@options.reading
@options.option(
    "--workers",
    type=COUNT,
    help="Worker processes; 1 works in this process, without Dask. Left out: one a core where it takes long.",
)
@options.scheduler
@options.shard
@options.memory
@options.flag("--check", help="Digest what is there first, and make again what is damaged.")
@options.fsync
@options.dry_run
@options.common
@click.pass_context
def command(ctx: click.Context, /, **given: object) -> None:
    """Put a run's frames on disk as a cube, cropped and resampled to its grid.

    Each frame is a Zarr group with the arrays of its bands, named by what is in it: what any run has aligned in
    the folder is not made again. Later reads of the run, by predict and in training, take the cube: the same
    bytes, and many times faster where windows lie at random.
    """
    from geowatch.stages.align import align

    session: Session = ctx.obj
    config = session.configure(ctx, given)
    done = align(config, session.events)
    if config.dry_run:
        left = done.blocks - done.done_before
        session.made(f"{left} of {done.blocks} blocks left, {done.left_bytes / 1e6:,.1f} MB before compression")
        return
    if done.damaged:
        session.events.note(f"{done.damaged} blocks were damaged, and made again")
    if done.figures.get("seconds", 0) > _WORTH_TELLING_S:
        session.events.note(done.summary)
    session.made(done.cube)
