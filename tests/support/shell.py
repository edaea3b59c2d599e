"""Command lines of gw in this process."""

from __future__ import annotations

from click.testing import CliRunner

from gw_cli.main import cli


def gw(*args: object) -> str:
    """Run a command line in this process."""
    ran = CliRunner().invoke(cli, [str(arg) for arg in args], catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    return ran.output
