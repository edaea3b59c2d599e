"""What an executor is.

Jobs are independent and idempotent: running one twice, on two machines or after a crash gives the same bytes. An
executor may therefore run them in any order and anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from geowatch.errors import GwError

__all__ = ["Executor", "Outcome", "Watch"]

Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Job, Result]):
    """How a job ended: with a result or with an error, never with neither."""

    job: Job
    """The job."""
    result: Result | None = None
    """What it returned."""
    error: GwError | None = None
    """What stopped it."""


class Watch(Protocol):
    """How a running job talks to whoever started it."""

    def report(self, **figures: float) -> None:
        """Tell what was done since the last report, by name."""

    def stopping(self) -> bool:
        """Whether to stop at the next safe place."""


class Executor(Protocol):
    """Runs jobs."""

    def run(
        self, work: Callable[[Job, Watch], Result], jobs: Sequence[Job], watch: Watch
    ) -> Iterator[Outcome[Job, Result]]:
        """Run ``work(job, watch)`` for each job; yield outcomes as jobs end.

        A job that raises GwError does not keep the others from running. Once ``watch.stopping()``, no job is begun
        and running ones end soon with InterruptedRunError; those that never began yield no outcome.
        """
