"""``gw features``: vectors of a network's layer, one for each place."""

from __future__ import annotations

import click

from gw_cli import options
from gw_cli.lazy import command as gw_command
from gw_cli.session import Session
from gw_cli.values import COUNT, SHARE


@gw_command(
    "features",
    config="geowatch.stages.features:FeaturesConfig",
    examples="""
    gw features --cells 64
    gw features --polygons fields.geojson --pool mean
    """,
)
@options.run
@options.option("--cells", type=COUNT, metavar="PX", help="Side of the squares.  Left out: the stride of the windows.")
@options.option("--polygons", metavar="GEOJSON", help="Polygons that get a vector each, instead of squares.")
@options.option(
    "--pool",
    type=click.Choice(["mean", "mean+std"]),
    help="What becomes of a place's activations.  [default: mean+std]",
)
@options.option("--min-valid", type=SHARE, help="Least share of a square that has activations.  [default: 0.5]")
@options.common
@click.pass_context
def command(ctx: click.Context, /, **given: object) -> None:
    """Reduce stored activations to one vector a window or a polygon.

    Needs a run whose predict was given --features. Leaves features/vectors.npy, float32 (N, D), for any
    nearest-neighbour index, and features/places.parquet, whose rows say where and when each vector is from.
    """
    from geowatch.stages.features import PLACES, VECTORS, features

    session: Session = ctx.obj
    done = features(session.configure(ctx, given), session.events)
    session.events.note(f"{done.count:,} vectors of {done.size:,} numbers")
    session.made(f"{done.run}/{key}" for key in (VECTORS, PLACES))
