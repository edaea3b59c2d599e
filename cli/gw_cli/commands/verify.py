"""``gw verify``: every file of a run against its record."""

from __future__ import annotations

import click

from geowatch.errors import DamagedError
from gw_cli import options
from gw_cli.lazy import command as gw_command
from gw_cli.progress import in_bytes
from gw_cli.session import Session


@gw_command(
    "verify",
    config="geowatch.stages.verify:VerifyConfig",
    examples="""
    gw verify
    gw verify --repair && gw predict
    """,
)
@options.run
@options.flag("--repair", help="Forget damaged tiles, so that the next predict makes them again.")
@options.common
@click.pass_context
def command(ctx: click.Context, /, **given: object) -> None:
    """Check every file of a run against its record.

    Names each damaged tile, and exits with 1 where there is one that was not repaired.
    """
    from geowatch.stages.verify import verify

    session: Session = ctx.obj
    config = session.configure(ctx, given)
    found = verify(config, session.events)
    session.made(f"{damage.tile} at time {damage.time}: {damage.what}" for damage in found.damaged)
    session.made(f"{found.tiles} tiles, {in_bytes(found.bytes)}, {len(found.damaged)} damaged")
    if found.damaged and not config.repair:
        raise DamagedError(
            f"{len(found.damaged)} of {found.tiles} tiles are damaged",
            hint="gw verify --repair forgets them, and gw predict makes them again",
        )
