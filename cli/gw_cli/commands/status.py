"""``gw status``: how far a run is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from gw_cli import options
from gw_cli.lazy import command as gw_command
from gw_cli.progress import in_bytes
from gw_cli.session import Session

if TYPE_CHECKING:
    from geowatch.stages.status import SitesStatus, Status, TrackStatus


@dataclass(frozen=True)
class StatusConfig:
    """What status is asked for."""

    run: str = "gw-run"
    """Run folder."""


@gw_command(
    "status",
    config="gw_cli.commands.status:StatusConfig",
    examples="""
    gw status
    gw status --run other-run --json
    """,
)
@options.run
@options.as_json
@options.common
@click.pass_context
def command(ctx: click.Context, /, as_json: bool, **given: object) -> None:
    """Show what of a run is done."""
    from geowatch.stages.status import status

    session: Session = ctx.obj
    found = status(session.configure(ctx, given).run)
    session.made(json.dumps(asdict(found), indent=1) if as_json else _lines(found))


def _lines(found: Status) -> Iterator[str]:
    yield f"run     {found.run}"
    yield f"plan    {found.plan}, {found.planned_tiles:,} tiles"
    yield f"recipe  {found.recipe[:16] if found.recipe else 'none yet: gw predict pins it'}"
    for part in found.parts:
        share = part.done / part.tiles if part.tiles else 1.0
        size = in_bytes(part.write_bytes)
        yield f"        {part.grid} {part.frame}: {part.done:,} of {part.tiles:,} tiles ({share:.0%}), {size}"
    yield f"maps    {'made' if found.stitched else 'none yet: gw stitch makes them'}"
    yield from _tracked(found.tracked)
    yield from _sites(found.sites)


def _tracked(found: TrackStatus | None) -> Iterator[str]:
    if found is None:
        yield "tracked nothing yet: gw track does it"
        return
    share = found.done / found.tiles if found.tiles else 1.0
    what = f"{found.mode}, {', '.join(found.salient)}"
    yield f"tracked {found.done:,} of {found.tiles:,} tiles ({share:.0%}): {what} ({found.digest[:12]})"
    if found.outdated is not None:
        yield f"        out of date: {found.outdated}; gw track does it again"


def _sites(found: SitesStatus | None) -> Iterator[str]:
    if found is None:
        yield "sites   none yet: gw consolidate makes them"
        return
    if found.sites is None:
        yield "sites   not finished: gw consolidate makes them"
        return
    gaps = (
        f", {found.missing_tiles:,} missing tile{'s' if found.missing_tiles > 1 else ''}" if found.missing_tiles else ""
    )
    yield f"sites   {found.sites:,} with {found.observations:,} observations{gaps}"
    if found.outdated is not None:
        yield f"        out of date: {found.outdated}; gw consolidate makes them again"
