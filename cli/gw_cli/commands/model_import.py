"""``gw model import``: an ONNX network as a package."""

from __future__ import annotations

import click

from gw_cli import options, package_options
from gw_cli.lazy import command as gw_command
from gw_cli.session import Session


@gw_command(
    "import",
    config="geowatch.stages.model.packages:ImportConfig",
    examples="""
    gw model import cloud.onnx --bands blue,green,red,nir --classes background,cloud -o pkg/
    gw model import rgb.onnx --bands red,green,blue --mean 0.4,0.4,0.4 --std 0.2,0.2,0.2 --window 512 -o pkg/
    gw model import change.onnx --dates 2 --spec inputs.yaml --window 256 -o pkg/
    gw model import ships.onnx --bands red,green,blue --boxes-tensor boxes --scores-tensor scores --classes ship -o pkg/
    """,
)
@click.argument("source", type=click.Path(), metavar="FILE")
@package_options.output
@package_options.described
@options.common
@click.pass_context
def command(ctx: click.Context, /, **given: object) -> None:
    """Make a package of an ONNX network.

    What the file does not say of itself is given here. The network is tried before the package is written,
    and nothing in a package can execute.
    """
    from geowatch.stages.model.packages import import_model

    session: Session = ctx.obj
    session.made(str(import_model(session.configure(ctx, given)).path))
