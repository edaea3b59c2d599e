"""``gw model compile``: compiled networks, ahead of their use."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from gw_cli import options
from gw_cli.cache import default_cache
from gw_cli.lazy import command as gw_command
from gw_cli.session import Session

if TYPE_CHECKING:
    from geowatch.stages.model.compiling import Compiled


@gw_command(
    "compile",
    config="geowatch.stages.model.compiling:CompileConfig",
    examples="""
    gw model compile pkg/
    gw model compile pkg/ --jit openvino --precision fp32 --precision bf16 --images scenes/
    gw model compile pkg/ --jit inductor --window 512 --batch 8 --cache /var/cache/gw
    """,
)
@click.argument("package", type=click.Path())
@options.option(
    "--jit",
    multiple=True,
    type=click.Choice(options.BACKENDS),
    help="Backend; may be repeated. Left out: those that are quick to compile; all: every one.",
)
@options.option(
    "--precision",
    multiple=True,
    type=click.Choice(options.PRECISIONS),
    help="Number type; may be repeated.  [default: fp32]",
)
@options.device
@options.cache
@options.window
@options.option("--batch", type=options.COUNT, metavar="WINDOWS", help="Windows in one call.  [default: 4]")
@options.option("--threads", type=options.COUNT, help="Threads of each network, as predict will have.  [default: 1]")
@options.imagery
@options.reading
@options.common
@click.pass_context
def command(ctx: click.Context, /, **given: object) -> None:
    """Compile a package ahead, so that an image or a pod starts warm.

    Fills the cache with what each backend makes of the package. With --images the gate compares each with the
    package's reference on real windows and keeps its verdict; without, it looks at noise.
    """
    from geowatch.stages.model.compiling import compile_model

    session: Session = ctx.obj
    config = session.configure(ctx, given)
    config = replace(config, cache=config.cache or default_cache())
    found = compile_model(config, session.events)
    session.table(
        [*((f"{each.spec.name} {each.spec.precision}", _said(each)) for each in found), ("cache", config.cache)]
    )


def _said(each: Compiled) -> str:
    if each.refused is not None:
        return f"refused: {each.refused}"
    speed = f"opened in {each.open_s:.1f} s, {each.seconds_per_window * 1e3:.1f} ms a window"
    return f"{speed}, {each.gate}"
