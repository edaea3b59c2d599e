"""``gw dataset convert``: labels of other forms to kwcoco, and back."""

from __future__ import annotations

import click

from gw_cli import dataset_options, options
from gw_cli.lazy import command as gw_command
from gw_cli.session import Session
from gw_cli.values import NAMES
from gw_cli.words import counted


@gw_command(
    "convert",
    config="geowatch.stages.dataset.convert:ConvertConfig",
    examples="""
    gw dataset convert instances.json -o data.kwcoco.json
    gw dataset convert images/ --labels masks/ --classes 1=field,2=water -o data.kwcoco.json
    gw dataset convert scenes/ --labels sites.geojson --class-field kind -o data.kwcoco.json
    gw dataset convert data.kwcoco.json --to masks -o masks/
    """,
)
@dataset_options.sources
@options.option(
    "--labels",
    metavar="PATH",
    help="Labels to add: GeoJSON or SMART models, or a folder of rasters named as the images.",
)
@options.option("--classes", type=NAMES, help="Classes of the rasters: value=name, or names from 1 on.")
@options.option("--class-field", metavar="NAME", help="Property of the GeoJSON that holds the class.")
@options.option(
    "--to", type=click.Choice(["kwcoco", "coco", "masks", "geojson"]), help="Form to write.  [default: kwcoco]"
)
@options.option("-o", "--output", metavar="PATH", help="File to write; a folder for masks.")
@options.common
@click.pass_context
def command(ctx: click.Context, /, **given: object) -> None:
    """Bring labels from COCO, masks or GeoJSON into kwcoco, or back.

    Rasters of classes become an outline for each connected part, along the sides of its pixels; shapes in lon/lat
    are put onto every image of their place and time. Back, the later label lies on top.
    """
    from geowatch.stages.dataset.convert import convert_dataset

    session: Session = ctx.obj
    done = convert_dataset(session.configure(ctx, given), session.events)
    session.made(f"{done.file}: {counted(done.images, 'image')}, {counted(done.labels, 'label')}")
