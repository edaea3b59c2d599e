"""``gw lineage``: what made an output."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gw_cli import options
from gw_cli.lazy import command as gw_command
from gw_cli.session import Session

if TYPE_CHECKING:
    from geowatch.lineage import Made


@gw_command(
    "lineage",
    examples="""
    gw lineage
    gw lineage map.tif --run /data/weekly
    gw lineage heatmap.zarr --json
    """,
)
@click.argument("artifact", required=False)
@options.run
@options.as_json
@options.log_json
@options.debug
@click.pass_context
def command(ctx: click.Context, /, artifact: str | None, run: str | None, as_json: bool) -> None:
    """Show what made an output.

    That is the stage, the code, the recipe, and each file that it was made from. ARTIFACT is a name in the run
    folder, such as map.tif; without it every record is shown.
    """
    from geowatch.stages.lineage import lineage

    session: Session = ctx.obj
    records = lineage(run or "gw-run", artifact)
    if as_json:
        click.echo(json.dumps([asdict(record) for record in records], indent=1, default=str))
        return
    for record in records:
        session.table(_rows(record))


def _rows(record: Made) -> list[tuple[str, str]]:
    rows = [("artifact", record.artifact), ("made by", f"{record.stage}, {record.code}, {record.made_at}")]
    if record.recipe:
        rows.append(("recipe", record.recipe[:12]))
    if record.sha256:
        rows.append(("sha256", record.sha256))
    rows += [
        (source.role, f"{source.uri} ({source.bytes or '?'} bytes, {source.version})") for source in record.sources
    ]
    rows += [(name, str(value)) for name, value in record.figures.items()]
    return rows
