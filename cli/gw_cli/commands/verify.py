"""``gw verify``: every file of a run against its record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from geowatch.errors import DamagedError
from gw_cli import options
from gw_cli.lazy import command as gw_command
from gw_cli.progress import in_bytes
from gw_cli.session import Session

if TYPE_CHECKING:
    from geowatch.stages.verify import Damage


@gw_command(
    "verify",
    config="geowatch.stages.verify:VerifyConfig",
    examples="""
    gw verify
    gw verify --repair && gw predict && gw track && gw consolidate
    """,
)
@options.run
@options.flag("--repair", help="Forget what is damaged, so that predict, track and consolidate make it again.")
@options.common
@click.pass_context
def command(ctx: click.Context, /, **given: object) -> None:
    """Check every file of a run against its record.

    Tiles of the heatmap by their markers, fragments by their seals, tables and files of sites by sites.json; sites that
    are not those of the last tracking are named too. Exits with 1 where something is wrong that was not repaired.
    """
    from geowatch.stages.verify import verify

    session: Session = ctx.obj
    config = session.configure(ctx, given)
    found = verify(config, session.events)
    session.made(_line(damage) for damage in found.damaged)
    looked = {"tiles": found.tiles, "fragments": found.fragments, "files of sites": found.files}
    counts = ", ".join(f"{count} {name}" for name, count in looked.items() if count or name == "tiles")
    session.made(f"{counts}, {in_bytes(found.bytes)}, {len(found.damaged)} damaged")
    if found.damaged and not config.repair:
        again = " && ".join(dict.fromkeys(damage.again for damage in found.damaged))
        raise DamagedError(
            f"{len(found.damaged)} of {sum(looked.values())} things looked at are damaged or out of date",
            hint=f"gw verify --repair forgets what is damaged, and this makes it again: {again}",
        )


def _line(damage: Damage) -> str:
    time = "" if damage.time is None else f" at time {damage.time}"
    return f"{damage.name}{time}: {damage.what}"
