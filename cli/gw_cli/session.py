"""One call of the command line: how it speaks, when it stops, and how options become a configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import click

from gw_cli.progress import Reporter, reporter
from gw_cli.signals import Interrupts

__all__ = ["Session"]


class _Configured(Protocol):
    """A command that knows which configuration it fills."""

    params: list[click.Parameter]

    def config_class(self) -> type[Any]:
        """Import the configuration's class."""


@dataclass
class Session:
    """The state of one call; click carries it as ``ctx.obj``."""

    debug: bool = False
    """Show tracebacks of errors that are meant for users."""
    log_json: bool = False
    """Write events as JSON lines."""
    _reporter: Reporter | None = None

    @property
    def events(self) -> Reporter:
        """What a stage talks to."""
        if self._reporter is None:
            interrupts = Interrupts(self._say)
            self._reporter = reporter(interrupts, as_json=self.log_json)
            interrupts.listen()
        return self._reporter

    def _say(self, text: str) -> None:
        self.events.note(text)

    def configure(self, ctx: click.Context, given: Mapping[str, Any]) -> Any:  # noqa: ANN401
        """Build the command's configuration from defaults < ``--config`` < ``--set`` < options."""
        from gw_cli import configuration

        command: _Configured = ctx.command  # type: ignore[assignment]
        explicit = {name: value for name, value in given.items() if value is not None and value != ()}
        file, settings = explicit.pop("config", None), explicit.pop("set", ())
        layers = [
            *([configuration.from_file(Path(file))] if file else []),
            configuration.from_settings(settings),
            configuration.Layer("options", explicit),
        ]
        arguments = {p.name or "": p.human_readable_name for p in command.params if isinstance(p, click.Argument)}
        return configuration.build(command.config_class(), layers, arguments)

    def made(self, what: str | Path | Iterable[str | Path]) -> None:
        """Name what was made, one line each, on standard output."""
        for path in [what] if isinstance(what, str | Path) else what:
            self.events.result(str(path))

    def table(self, rows: Iterable[tuple[str, str]]) -> None:
        """Print labels and values in two columns."""
        pairs = list(rows)
        width = max(len(label) for label, _ in pairs)
        self.made(f"{label:<{width}}  {value}" for label, value in pairs)

    def close(self) -> None:
        """Take the bar off the terminal."""
        if self._reporter is not None:
            self._reporter.close()
