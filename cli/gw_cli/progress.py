"""How a stage's events look: a bar on a terminal, plain lines in a log, JSON lines for machines.

Work that ends within two seconds shows nothing. Results are lines on standard output; all else is on standard
error.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TextIO

from gw_cli.signals import Interrupts

__all__ = ["JsonReporter", "LineReporter", "Reporter", "TerminalReporter", "reporter"]

QUIET_S = 2.0
"""Work shorter than this is not worth a word."""

_BAR_EVERY_S = 0.1
_LINE_EVERY_S = 30.0
_JSON_EVERY_S = 1.0
_BAR_PX = 24


class Reporter(Protocol):
    """The shell's half of `geowatch.stages.working.events.Events`, and result lines."""

    def note(self, text: str) -> None:
        """Tell the user one sentence."""

    def progress(self, stage: str, done: float, total: float, **figures: float) -> None:
        """Show that ``done`` of ``total`` units are done."""

    def stopping(self) -> bool:
        """Whether a stop was asked for."""

    def result(self, text: str) -> None:
        """Name something that was made."""

    def close(self) -> None:
        """Leave the terminal clean."""


def reporter(interrupts: Interrupts, *, as_json: bool) -> Reporter:
    """Choose how to speak from where standard error leads."""
    if as_json:
        return JsonReporter(interrupts)
    return TerminalReporter(interrupts) if sys.stderr.isatty() else LineReporter(interrupts)


def in_bytes(size: float) -> str:
    """Write a size with three digits.

    >>> in_bytes(999), in_bytes(1536000), in_bytes(2.5e9)
    ('999 B', '1.54 MB', '2.50 GB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:
            digits = 0 if unit == "B" or size >= 99.95 else 1 if size >= 9.995 else 2
            return f"{size:.{digits}f} {unit}"
        size /= 1000
    return f"{size:,.2f} TB"


def in_time(seconds: float) -> str:
    """Write a duration in its two largest units.

    >>> in_time(7.2), in_time(75), in_time(7290), in_time(200000)
    ('7s', '1m15s', '2h01m', '2d07h')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


@dataclass
class Pace:
    """Speed of one stage, counted from its first event, so that resumed work does not flatter it."""

    stage: str
    began_s: float
    first: float
    shown_s: float = 0.0
    ended: bool = False
    done: float = 0.0
    total: float = 0.0
    now_s: float = 0.0
    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the first event."""
        return self.now_s - self.began_s

    @property
    def rate(self) -> float:
        """Units a second."""
        return (self.done - self.first) / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def eta_s(self) -> float | None:
        """Seconds to go, once there is a rate."""
        return (self.total - self.done) / self.rate if self.rate > 0 and self.bounded else None

    @property
    def bounded(self) -> bool:
        """Whether the total is known."""
        return math.isfinite(self.total)

    @property
    def finished(self) -> bool:
        """Whether all is done."""
        return self.done >= self.total

    def describe(self) -> str:
        """Say counts, rate, figures and time to go."""
        of = f"/{self.total:,.0f}" if self.bounded else ""
        parts = [f"{self.done:,.0f}{of}", f"{self.rate:.3g}/s"]
        parts += [_figure(name, value) for name, value in self.figures.items() if value]
        if self.finished:
            parts.append(f"in {in_time(self.elapsed_s)}")
        elif self.eta_s is not None:
            parts.append(f"{in_time(self.eta_s)} to go")
        return ", ".join(parts)


def _figure(name: str, value: float) -> str:
    stem, _, unit = name.rpartition("_")
    if unit == "bytes":
        return f"{in_bytes(value)} {stem}".strip()
    return f"{value:,.4g} {name.replace('_', ' ')}"


class _Paced:
    """What all reporters share: one pace a stage, and silence for short work."""

    every_s: float

    def __init__(self, interrupts: Interrupts, clock: Callable[[], float] = time.monotonic) -> None:
        self.interrupts = interrupts
        self.clock = clock
        self.pace: Pace | None = None
        self.said: set[str] = set()

    def stopping(self) -> bool:
        """Ask the signals."""
        return self.interrupts.stopping()

    def progress(self, stage: str, done: float, total: float, **figures: float) -> None:
        """Show progress, not more often than is of use."""
        now_s = self.clock()
        if self.pace is None or self.pace.stage != stage:
            self.pace = Pace(stage, now_s, done)
        pace = self.pace
        pace.done, pace.total, pace.now_s, pace.figures = done, total, now_s, figures
        due = now_s - pace.shown_s >= self.every_s
        if pace.elapsed_s >= QUIET_S and not pace.ended and (due or pace.finished):
            pace.shown_s, pace.ended = now_s, pace.finished
            self.show(pace)

    def show(self, pace: Pace) -> None:
        """Write the state of a stage."""
        raise NotImplementedError

    def result(self, text: str) -> None:
        """Write a line for the user, or the next program of a pipe."""
        self.close()
        _write(sys.stdout, text)

    def note(self, text: str) -> None:
        """Write a sentence, once: several stages of a call may look at the same imagery."""
        if text not in self.said:
            self.said.add(text)
            self.tell(text)

    def tell(self, text: str) -> None:
        """Write a sentence."""
        self.close()
        _write(sys.stderr, f"note: {text}")

    def close(self) -> None:
        """Nothing stands on the screen."""


class LineReporter(_Paced):
    """Plain lines, some time apart, as a log wants them."""

    every_s = _LINE_EVERY_S

    def show(self, pace: Pace) -> None:
        """Write a line."""
        _write(sys.stderr, f"{pace.stage}: {pace.describe()}")


class JsonReporter(_Paced):
    """One JSON object a line."""

    every_s = _JSON_EVERY_S

    def show(self, pace: Pace) -> None:
        """Write counts, rate and time to go."""
        state = {"stage": pace.stage, "done": pace.done, "total": pace.total if pace.bounded else None, **pace.figures}
        self._event("progress", **state, rate_per_s=pace.rate, elapsed_s=pace.elapsed_s, eta_s=pace.eta_s)

    def tell(self, text: str) -> None:
        """Write a sentence."""
        self._event("note", text=text)

    def result(self, text: str) -> None:
        """Write the line, and the event."""
        super().result(text)
        self._event("result", text=text)

    def _event(self, event: str, **content: object) -> None:
        _write(sys.stderr, json.dumps({"event": event, "time": round(time.time(), 3), **content}))


class TerminalReporter(_Paced):
    """A bar that is redrawn in place."""

    every_s = _BAR_EVERY_S
    drawn = False

    def show(self, pace: Pace) -> None:
        """Draw the bar; a finished one stays."""
        width = shutil.get_terminal_size().columns
        share = pace.done / pace.total if pace.total else 1.0
        bar = f"{'█' * round(share * _BAR_PX):░<{_BAR_PX}} {share:4.0%}  " if pace.bounded else ""
        text = f"{pace.stage} {bar}{pace.describe()}"
        sys.stderr.write(f"\r\x1b[2K{text[: width - 1]}")
        self.drawn = True
        if pace.finished:
            self._end_line()
        sys.stderr.flush()

    def close(self) -> None:
        """Take an unfinished bar away."""
        if self.drawn:
            sys.stderr.write("\r\x1b[2K")
            self.drawn = False

    def _end_line(self) -> None:
        sys.stderr.write("\n")
        self.drawn = False


def _write(stream: TextIO, text: str) -> None:
    stream.write(f"{text}\n")
    stream.flush()
