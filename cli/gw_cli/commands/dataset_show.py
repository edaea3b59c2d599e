"""``gw dataset show``: a contact sheet of a series."""

from __future__ import annotations

import click

from gw_cli import dataset_options, options
from gw_cli.lazy import command as gw_command
from gw_cli.session import Session
from gw_cli.values import COUNT


@gw_command(
    "show",
    config="geowatch.stages.dataset.show:ShowConfig",
    examples="""
    gw dataset show data.kwcoco.json -o series.png
    gw dataset show scenes/ --channels nir,red,green --region region.geojson --outlines sites.geojson
    """,
)
@dataset_options.sources
@dataset_options.choice
@options.option("--outlines", metavar="GEOJSON", help="Regions or sites to draw; dated ones only while they last.")
@options.option("--thumb-px", type=COUNT, metavar="PX", help="Longer side of a thumbnail.  [default: 150]")
@options.option("--columns", type=COUNT, help="Thumbnails in a row.  [default: 10]")
@options.option("--most", type=COUNT, metavar="IMAGES", help="Most images to show, evenly spread.  [default: 240]")
@options.option("--title", metavar="TEXT", help="First line. Left out: the name of the source.")
@options.option("-o", "--output", metavar="FILE", help="Picture to write.  [default: series.png]")
@options.common
@click.pass_context
def command(ctx: click.Context, /, **given: object) -> None:
    """Draw a contact sheet: a thumbnail for each day of a series.

    Year by year, with date, sensor, and the border of what the mask hides. Images of one sensor share one
    stretch, so that their colours can be compared.
    """
    from geowatch.stages.dataset.show import show_dataset

    session: Session = ctx.obj
    session.made(show_dataset(session.configure(ctx, given), session.events).file)
