"""Timing backends against each other: who is fastest here, in which batches, on which windows.

First every candidate runs some windows of the package's own size; who is far behind leaves early. Then the fastest
that passes the gate tries other batches and, where the network takes them, larger windows, which overlap less. What
counts is the time for the whole of the imagery: seconds for a window times the number of windows.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from geowatch.errors import BackendError
from geowatch.package.backends import is_slow, open_backend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from geowatch.package.backends import Backend, BackendSpec
    from geowatch.package.prove import Proving

    Windows = Mapping[str, NDArray[np.float32]]

__all__ = ["Cut", "Race", "Timed", "variants"]

#: A candidate this many times slower than the fastest is not run again, nor one whose very first run, which does
#: more than the others, is that many times slower.
FAR_BEHIND, HOPELESS = 1.5, 4.0
#: Seconds of a first run above which running again is worth avoiding.
WORTH_S = 0.5
#: Rounds of the candidates that are left.
ROUNDS = 3
#: Batches that are tried, and the pixels of a run that are tried at most, in windows of 256 px.
BATCHES, MOST_WINDOWS = (1, 4, 8), 16


@dataclass(frozen=True, slots=True)
class Cut:
    """One way to cut the imagery into windows."""

    size: tuple[int, int]
    """(height, width) of a window in pixels."""
    stride: tuple[int, int]
    """(rows, columns) from one window to the next."""
    windows: int
    """Windows that the imagery takes."""


@dataclass(frozen=True, slots=True)
class Timed:
    """How fast a backend is in one setting."""

    spec: BackendSpec
    """Backend and setting."""
    cut: Cut
    """How the imagery is cut."""
    seconds_per_window: float
    """Best time for one window."""

    @property
    def seconds(self) -> float:
        """Time for the whole imagery."""
        return self.seconds_per_window * self.cut.windows


class Race:
    """Times backends within a budget of seconds; opening and compiling does not count."""

    def __init__(
        self, proving: Proving, windows: Windows, budget_s: float, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        """``windows`` are some of the package's own size; other sizes are made of them by repetition."""
        self._proving = proving
        self._windows = windows
        self._clock = clock
        self._left_s = budget_s
        self.refused: dict[str, str] = {}
        """Settings that could not be opened or run, with the reason."""

    @property
    def over(self) -> bool:
        """Whether the budget is spent."""
        return self._left_s <= 0

    def run(self, settings: Iterable[tuple[BackendSpec, Cut]]) -> list[Timed]:
        """Return the settings that ran, the fastest for the whole imagery first."""
        with ExitStack() as stack:
            field = [self._opened(stack, spec, cut) for spec, cut in settings]
            runners = [runner for runner in field if runner is not None]
            hopeless = _hopeless(runners)
            best: dict[_Runner, Timed] = {}
            for turn in range(ROUNDS):
                ahead = min((t.seconds for t in best.values()), default=float("inf"))
                for runner in (r for r in runners if r not in hopeless):
                    behind = runner in best and best[runner].seconds > FAR_BEHIND * ahead
                    if not behind and not (turn > 0 and self.over):
                        best[runner] = _better(best.get(runner), runner.timed(self._time(runner.run)))
        return sorted((best | hopeless).values(), key=lambda t: t.seconds)

    def _opened(self, stack: ExitStack, spec: BackendSpec, cut: Cut) -> _Runner | None:
        """Open a backend and run it once, unless the budget is spent."""
        if self.over:
            return None
        try:
            # What is quick to compile is not kept: of all settings one will be used.
            cache = self._proving.cache if is_slow(spec.name) else None
            backend = open_backend(self._proving.form(spec), spec, cache=cache)
            stack.callback(backend.close)
            runner = _Runner(backend, spec, cut, _repeated(self._windows, cut.size, spec.batch))
            runner.first_s = self._time(runner.run)
        except BackendError as error:
            self.refused[title(spec)] = error.fact
            return None
        return runner

    def _time(self, run: Callable[[], None]) -> float:
        start = self._clock()
        run()
        seconds = self._clock() - start
        self._left_s -= seconds
        return seconds


def title(spec: BackendSpec) -> str:
    """Name a backend with its precision, for tables."""
    return f"{spec.name} {spec.precision}"


@dataclass(slots=True, eq=False)
class _Runner:
    backend: Backend
    spec: BackendSpec
    cut: Cut
    windows: Windows
    first_s: float = 0.0

    def run(self) -> None:
        self.backend.run(self.windows)

    def timed(self, seconds: float) -> Timed:
        return Timed(self.spec, self.cut, seconds / len(next(iter(self.windows.values()))))


def _hopeless(runners: Sequence[_Runner]) -> dict[_Runner, Timed]:
    """Return those whose first run, with its time, settles it. On other devices first runs say nothing of the next."""
    first = {runner: runner.timed(runner.first_s) for runner in runners if runner.spec.device == "cpu"}
    ahead = min((t.seconds for t in first.values()), default=0.0)
    return {runner: t for runner, t in first.items() if t.seconds > HOPELESS * ahead and runner.first_s > WORTH_S}


def _better(best: Timed | None, now: Timed) -> Timed:
    return now if best is None or now.seconds < best.seconds else best


def _repeated(windows: Windows, size: tuple[int, int], count: int) -> dict[str, NDArray[np.float32]]:
    """Return ``count`` windows of ``size`` that are made of the given ones, side by side and one after the other."""
    made = {}
    for name, x in windows.items():
        times = [1, 1, *(-(-side // old) for side, old in zip(size, x.shape[2:], strict=True))]
        large = np.tile(x, times)[..., : size[0], : size[1]]
        made[name] = np.ascontiguousarray(large[np.arange(count) % len(large)])
    return made


def variants(best: Timed, cuts: Sequence[Cut], fixed_batch: int | None) -> list[tuple[BackendSpec, Cut]]:
    """Return the other batches and cuts to try for the fastest backend."""
    settings = [
        (replace(best.spec, window_px=cut.size, batch=batch), cut)
        for cut in cuts
        for batch in ((fixed_batch,) if fixed_batch else _fitting(cut))
    ]
    return [(spec, cut) for spec, cut in settings if (cut, spec.batch) != (best.cut, best.spec.batch)]


def _fitting(cut: Cut) -> list[int]:
    """Return the batches that are worth a trial for windows of this size."""
    area = cut.size[0] * cut.size[1] / 256**2
    return [n for n in BATCHES if n == 1 or (n * area <= MOST_WINDOWS and n <= cut.windows)]
