"""``gw dataset subset``: a part of a dataset."""

from __future__ import annotations

import click

from gw_cli import dataset_options, options
from gw_cli.lazy import command as gw_command
from gw_cli.session import Session
from gw_cli.words import counted


@gw_command(
    "subset",
    config="geowatch.stages.dataset.parts:SubsetConfig",
    examples="""
    gw dataset subset data.kwcoco.json --start 2016-01-01 --max-cloud 40 -o clear.kwcoco.json
    gw dataset subset scenes/ --region region.geojson --channels red,nir -o here.kwcoco.zip
    """,
)
@dataset_options.sources
@dataset_options.choice
@options.option("-o", "--output", metavar="FILE", help="kwcoco bundle to write.")
@options.common
@click.pass_context
def command(ctx: click.Context, /, **given: object) -> None:
    """Take a part of a dataset: days, sensors, place, bands, cloud.

    Labels, masks and all other fields stay with their images; no file is copied.
    """
    from geowatch.stages.dataset.parts import subset_dataset

    session: Session = ctx.obj
    made = subset_dataset(session.configure(ctx, given), session.events)
    session.made(f"{made.file}: {counted(made.images, 'image')}, {counted(made.annotations, 'label')}")
