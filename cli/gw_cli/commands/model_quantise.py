"""``gw model quantise``: a package with a form in 8 bits."""

from __future__ import annotations

import click

from gw_cli import options, package_options
from gw_cli.lazy import command as gw_command
from gw_cli.session import Session


@gw_command(
    "quantise",
    config="geowatch.stages.model.quantising:QuantiseConfig",
    examples="gw model quantise pkg/ --images scenes/ -o pkg-int8/",
)
@click.argument("package", type=click.Path())
@package_options.output
@options.imagery
@options.reading
@options.option("--windows", type=options.COUNT, help="Windows of the imagery to look at.  [default: 24]")
@options.common
@click.pass_context
def command(ctx: click.Context, /, **given: object) -> None:
    """Add a form of the network in whole numbers of 8 bits.

    Every other window of the imagery calibrates it, the rest tell how far it is from the package's reference.
    Predict uses it with --precision int8, or with --jit alone where it is the fastest that passes the gate.
    """
    from geowatch.stages.model.quantising import quantise_model

    session: Session = ctx.obj
    found = quantise_model(session.configure(ctx, given), session.events)
    session.table(
        [
            *[(name, str(report)) for name, report in found.gates.items()],
            *[(name, f"refused: {reason}") for name, reason in found.refused.items()],
            ("package", f"{found.package.path} {found.package.digest}"),
        ]
    )
