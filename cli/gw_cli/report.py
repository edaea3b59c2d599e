"""The one place where errors become words and exit codes.

An error that is meant for users is a `GwError` or one of click's: ``error:`` with the fact, ``hint:``
with the remedy, and no traceback unless ``--debug``. Any other exception is a bug, and keeps its traceback.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from geowatch.errors import GwError
from gw_cli.signals import INTERRUPTED, StopRequest

if TYPE_CHECKING:
    from gw_cli.session import Session

__all__ = ["guard", "until_unread"]


def guard(session: Session, args: list[str], call: Callable[[], object]) -> int:
    """Run the command line and return its exit code, having said what went wrong."""
    try:
        call()
    except (GwError, click.ClickException, click.exceptions.Exit, click.Abort, StopRequest) as error:
        return _explain(session, args, error)
    return 0


def _explain(session: Session, args: list[str], error: BaseException) -> int:
    """Say what went wrong, and give the exit code."""
    code = 0
    match error:
        case click.exceptions.Exit():
            code = error.exit_code
        case GwError():
            _say(session, error.fact, error.hint, stopped=error.exit_code == INTERRUPTED)
            code = error.exit_code
        case click.ClickException():
            session.log_json |= "--log-json" in args
            _say(session, _sentence(error.format_message()), _help_hint(error))
            code = error.exit_code
        case _:
            _say(session, "interrupted", "the same command goes on where it stopped", stopped=True)
            code = INTERRUPTED
    return code


def _say(session: Session, fact: str, hint: str | None, *, stopped: bool = False) -> None:
    """Write an error, below whatever bar stands on the terminal; to be stopped on request is none."""
    if session.debug:
        traceback.print_exc()
    session.close()
    if session.log_json:
        click.echo(json.dumps({"event": "stopped" if stopped else "error", "fact": fact, "hint": hint}), err=True)
        return
    word = click.style("stopped:", fg="yellow", bold=True) if stopped else click.style("error:", fg="red", bold=True)
    click.echo(f"{word} {fact}", err=True)
    if hint is not None:
        click.echo(f"{click.style('hint:', fg='cyan', bold=True)} {hint}", err=True)


def _sentence(text: str) -> str:
    """Write click's sentences as ours: lower case, no full stop."""
    return (text[:1].lower() + text[1:]).rstrip(".")


def _help_hint(error: click.ClickException) -> str | None:
    """Name the help of the command that was called."""
    if not isinstance(error, click.UsageError):
        return None
    return f"see `{error.ctx.command_path if error.ctx else 'gw'} --help`"


def until_unread(call: Callable[[], object]) -> object:
    """Call, until whoever reads the output has seen enough: ``gw status | head`` is no failure."""
    try:
        result = call()
        sys.stdout.flush()
    except BrokenPipeError:
        _close_pipe()
        return None
    return result


def _close_pipe() -> None:
    """Let what is still buffered go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
