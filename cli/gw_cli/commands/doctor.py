"""``gw doctor``: what this machine has."""

from __future__ import annotations

import click

from gw_cli.cache import default_cache
from gw_cli.lazy import command as gw_command
from gw_cli.options import cache, debug


@gw_command(
    "doctor",
    examples="""
    gw doctor
    gw doctor --json
    """,
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@cache
@debug
def command(as_json: bool, cache: str | None) -> None:
    """Show what this machine has, and what is missing.

    Devices, backends, the cache of compiled networks, GDAL with its drivers, and for each missing extra the
    line that installs it.
    """
    from geowatch.stages.doctor import doctor

    report = doctor(cache or default_cache())
    click.echo(report.to_json() if as_json else report.to_text())
