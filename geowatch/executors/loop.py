"""The plain loop: one job after the other in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from geowatch.errors import GwError
from geowatch.executors.base import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from geowatch.executors.base import Watch

__all__ = ["LoopExecutor"]

Job = TypeVar("Job")
Result = TypeVar("Result")


class LoopExecutor:
    """Runs jobs here, in order."""

    def run(
        self, work: Callable[[Job, Watch], Result], jobs: Sequence[Job], watch: Watch
    ) -> Iterator[Outcome[Job, Result]]:
        """Run the jobs; see `Executor.run`."""
        for job in jobs:
            if watch.stopping():
                return
            try:
                yield Outcome(job, result=work(job, watch))
            except GwError as error:
                yield Outcome(job, error=error)
