"""``gw model verify``: every file of a package against its manifest."""

from __future__ import annotations

from pathlib import Path

import click

from gw_cli import options
from gw_cli.lazy import command as gw_command
from gw_cli.session import Session


@gw_command("verify", examples="gw model verify pkg/")
@click.argument("package", type=click.Path())
@options.option("--threads", type=options.COUNT, help="Threads of each network.  [default: 1]")
@options.log_json
@options.debug
@click.pass_obj
def command(session: Session, package: str, threads: int | None) -> None:
    """Check every file of a package against its manifest.

    Each backend of this machine that can run it is compared with the package's reference on noise.
    """
    from geowatch.stages.model.packages import verify_model

    found = verify_model(Path(package), threads=threads or 1)
    session.table(
        [
            ("package", f"{found.path} {found.digest}"),
            *[(identity.name, "agrees with the reference") for identity in found.gates],
            *[(name, f"refused: {reason}") for name, reason in found.refused.items()],
        ]
    )
