"""``gw dataset validate``: what is wrong with a bundle."""

from __future__ import annotations

import click

from geowatch.errors import DamagedError
from gw_cli import options
from gw_cli.lazy import command as gw_command
from gw_cli.session import Session
from gw_cli.words import counted


@gw_command(
    "validate",
    config="geowatch.stages.dataset.validate:ValidateConfig",
    examples="""
    gw dataset validate data.kwcoco.json
    gw dataset validate data.kwcoco.zip --no-files
    """,
)
@click.argument("bundle", required=False, metavar="BUNDLE")
@options.flag("--schema/--no-schema", help="Check it against kwcoco's own schema, too.  [default: true]")
@options.flag("--files/--no-files", help="Open the files that it names.  [default: true]")
@options.common
@click.pass_context
def command(ctx: click.Context, /, **given: object) -> None:
    """Find what is wrong with a kwcoco bundle.

    Looks at entries, ids, names, times, labels and transforms, and at the header of every file. Exits with 1
    where anything is wrong.
    """
    from geowatch.stages.dataset.validate import validate_dataset

    session: Session = ctx.obj
    config = session.configure(ctx, given)
    found = validate_dataset(config, session.events)
    session.made(f"{problem.where}: {problem.what}" for problem in found.problems)
    counts = {"image": found.images, "label": found.annotations, "problem": len(found.problems)}
    session.made(", ".join(counted(number, what) for what, number in counts.items()))
    if found.problems:
        fact = f"{config.bundle} has {counted(len(found.problems), 'problem')}"
        raise DamagedError(fact, hint="mend them, or leave those images out")
