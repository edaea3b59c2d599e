"""``gw dataset split``: parts for training, validation and test."""

from __future__ import annotations

import click

from gw_cli import dataset_options, options
from gw_cli.lazy import command as gw_command
from gw_cli.session import Session
from gw_cli.values import NAMES
from gw_cli.words import counted


@gw_command(
    "split",
    config="geowatch.stages.dataset.parts:SplitConfig",
    examples="""
    gw dataset split data.kwcoco.json -o parts/
    gw dataset split data.kwcoco.json --by space --block-m 5000 --parts train=80%,test=20% -o parts/
    gw dataset split data.kwcoco.json --by time --gap-days 30 -o parts/
    """,
)
@dataset_options.sources
@options.option(
    "--parts",
    type=NAMES,
    metavar="NAME=SHARE,...",
    help="Parts and their shares of the images.  [default: train=0.7,validation=0.15,test=0.15]",
)
@options.option(
    "--by",
    type=click.Choice(["video", "region", "space", "time"]),
    help="What is never cut: a series, a region, a block of land, or a day.  [default: video]",
)
@options.option("--regions", metavar="GEOJSON", help="Polygons for --by region; images in none are left out.")
@options.option("--block-m", type=float, metavar="METRES", help="Side of the blocks of land.  [default: 10000.0]")
@options.option("--gap-days", type=int, metavar="DAYS", help="Days between parts that are left out.  [default: 0]")
@options.option("--seed", type=int, help="What groups are shuffled by.  [default: 0]")
@options.option("-o", "--output", metavar="DIR", help="Folder for the bundles.")
@options.common
@click.pass_context
def command(ctx: click.Context, /, **given: object) -> None:
    """Split a dataset into parts such that nothing leaks.

    Images that share a file or overlap on the ground stay in one part, unless the cut is in time; then parts
    follow each other. The same seed gives the same parts, in whatever order the images come.
    """
    from geowatch.stages.dataset.parts import split_dataset

    session: Session = ctx.obj
    for made in split_dataset(session.configure(ctx, given), session.events):
        session.made(f"{made.file}: {counted(made.images, 'image')}, {counted(made.annotations, 'label')}")
