"""``gw dataset union``: several datasets as one."""

from __future__ import annotations

import click

from gw_cli import dataset_options, options
from gw_cli.lazy import command as gw_command
from gw_cli.session import Session
from gw_cli.words import counted


@gw_command(
    "union",
    config="geowatch.stages.dataset.parts:UnionConfig",
    examples="""
    gw dataset union one.kwcoco.json two.kwcoco.zip scenes/ -o all.kwcoco.json
    """,
)
@dataset_options.sources
@options.option("-o", "--output", metavar="FILE", help="kwcoco bundle to write.")
@options.common
@click.pass_context
def command(ctx: click.Context, /, **given: object) -> None:
    """Put several datasets into one.

    Classes and tracks of one name become one, and so do series of one name, size and place; what is in two of the
    datasets is there once, with the labels of both.
    """
    from geowatch.stages.dataset.parts import union_datasets

    session: Session = ctx.obj
    made = union_datasets(session.configure(ctx, given), session.events)
    session.made(f"{made.file}: {counted(made.images, 'image')}, {counted(made.annotations, 'label')}")
