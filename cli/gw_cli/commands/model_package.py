"""``gw model package``: a torch network as a package."""

from __future__ import annotations

import click

from gw_cli import options, package_options
from gw_cli.lazy import command as gw_command
from gw_cli.session import Session
from gw_cli.values import SETTING


@gw_command(
    "package",
    config="geowatch.stages.model.packages:PackageConfig",
    examples="""
    gw model package --net unet --weights w.safetensors --bands red,green,blue --classes ground,cloud -o pkg/
    gw model package --net blobs --option radii_px=4,8,16 --option polarity=both -o blobs/
    gw model package --net net.py:Net --weights w.pth --bands red,nir --classes other,water -o pkg/
    """,
)
@options.option("--net", metavar="NAME", help="Network: a name of the registry, module:Class or file.py:Class.")
@options.option("--weights", metavar="FILE", help="Weights: safetensors, or a .pth that holds tensors alone.")
@options.option("--seed", type=int, help="Seed of the weights where no file gives them.  [default: 0]")
@options.option(
    "--option", "options", multiple=True, type=SETTING, callback=lambda _ctx, _param, given: dict(given) or None,
    metavar="KEY=VALUE", help="Option of the network, such as width=16; may be repeated.",
)  # fmt: skip
@package_options.output
@package_options.described
@options.common
@click.pass_context
def command(ctx: click.Context, /, **given: object) -> None:
    """Make a package of a torch network and its weights.

    The network is tried before the package is written. Naming module:Class runs that code here and now, on
    your own word; the package holds a graph and weights, and runs no code.
    """
    from geowatch.stages.model.packages import package_model

    session: Session = ctx.obj
    session.made(str(package_model(session.configure(ctx, given)).path))
