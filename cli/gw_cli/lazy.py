"""Groups whose commands are imported when they are called, and commands whose help ends with examples."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from itertools import zip_longest
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from gw_cli import report
from gw_cli.options import BARE
from gw_cli.session import Session

__all__ = ["GwCommand", "LazyGroup", "command"]


class _Examples:
    """Writes an epilog as it stands, since examples must not be wrapped into a paragraph."""

    epilog: str | None

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the epilog line by line."""
        if self.epilog:
            formatter.write_paragraph()
            for line in self.epilog.splitlines():
                formatter.write(f"{line}\n")


class GwCommand(_Examples, click.Command):
    """A command that knows which configuration it fills."""

    config: str = ""
    """``module:Class`` of the configuration, imported only when it is needed."""

    def config_class(self) -> type[Any]:
        """Import the configuration's class."""
        module, _, name = self.config.partition(":")
        kind: type[Any] = getattr(importlib.import_module(module), name)
        return kind

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Let an option whose value may be left out stand before an argument of the command."""
        spelt = [
            f"{arg}={BARE[arg].value}" if arg in BARE and not BARE[arg].takes(after or "") else arg
            for arg, after in zip_longest(args, args[1:])
        ]
        return super().parse_args(ctx, spelt)


def command(name: str, *, config: str = "", examples: str) -> Callable[[Callable[..., object]], GwCommand]:
    """Make a function a command of gw, with examples of command lines, one a line.

    ``config`` is ``module:Class`` of the configuration whose keys the options have the names of.
    """

    def make(function: Callable[..., object]) -> GwCommand:
        lines = [f"  {line}" for line in inspect.cleandoc(examples).splitlines()]
        epilog = "\n".join(["Examples:", *lines]) if lines else None
        made: GwCommand = click.command(name, cls=GwCommand, epilog=epilog)(function)
        made.config = config
        return made

    return make


def _hush() -> None:
    """Keep warnings of libraries, which are for programmers, off the terminal, here and in worker processes."""
    if not sys.warnoptions and "PYTHONWARNINGS" not in os.environ:
        os.environ["PYTHONWARNINGS"] = "ignore"
        warnings.simplefilter("ignore")


class LazyGroup(_Examples, click.Group):
    """A group that lists its commands from a table and imports one only to run it.

    The command ``import`` of the group ``model`` stands in ``<package>.model_import`` as ``command``.
    """

    def __init__(self, *, commands_help: dict[str, str], package: str, **attrs: Any) -> None:  # noqa: ANN401
        super().__init__(**attrs)
        self.commands_help = commands_help
        self.package = package

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List in the order of the work, not of the alphabet."""
        return list(self.commands_help)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in self.commands_help:
            return None
        prefix = "" if self.name == "gw" else f"{self.name}_"
        module = importlib.import_module(f"{self.package}.{prefix}{cmd_name}")
        found: click.Command = module.command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.commands_help.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete names from the table."""
        names = [
            CompletionItem(name, help=text) for name, text in self.commands_help.items() if name.startswith(incomplete)
        ]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def invoke(self, ctx: click.Context) -> object:
        """Run a command, quietly to the end where the reader of a pipe leaves."""
        return report.until_unread(partial(super().invoke, ctx))

    def main(  # type: ignore[override]  # it always exits
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        **extra: Any,  # noqa: ANN401
    ) -> NoReturn:
        """Run, report any error in the one form, and exit."""
        _hush()
        given = list(sys.argv[1:] if args is None else args)
        session = Session()
        run = super().main
        extra |= {"standalone_mode": False, "obj": session}
        sys.exit(report.guard(session, given, lambda: run(given, prog_name, **extra)))
