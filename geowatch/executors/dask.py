"""Dask: jobs as coarse tasks on a local cluster of processes, or on a running scheduler.

Each worker process has one thread for jobs, so that N workers use N cores however many threads the libraries would
like. Progress comes back as logged events; the wish to stop goes out as a `distributed.Event`.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from geowatch.errors import BackendError, ConfigError, GwError
from geowatch.executors.base import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from distributed import Client, Future

    from geowatch.executors.base import Watch

__all__ = ["DaskExecutor"]

Job = TypeVar("Job")
Result = TypeVar("Result")

_TOPIC = "gw-progress"
_STOP = "gw-stop"
#: Seconds between looks at whether to stop.
_PAUSE_S = 0.2


@dataclass(frozen=True, slots=True)
class DaskExecutor:
    """Runs jobs on Dask workers."""

    workers: int
    """Processes of the local cluster."""
    scheduler: str | None = None
    """Address of a running scheduler, such as tcp://host:8786, instead of a local cluster."""
    memory_bytes: int | None = None
    """Memory of one local worker; None leaves it unlimited, as the plan already bounds it."""
    connect_s: float = 10.0
    """Seconds to wait for a scheduler to answer."""

    def run(
        self, work: Callable[[Job, Watch], Result], jobs: Sequence[Job], watch: Watch
    ) -> Iterator[Outcome[Job, Result]]:
        """Run the jobs; see `Executor.run`."""
        with self._client() as client:
            from distributed import Event

            stop = Event(_STOP, client=client)
            stop.clear()
            client.subscribe_topic(_TOPIC, lambda event: watch.report(**event[1]["figures"]))
            futures = {client.submit(_remote, work, job, pure=False): job for job in jobs}
            yield from _gather(client, futures, watch, stop.set)
            client.unsubscribe_topic(_TOPIC)

    @contextmanager
    def _client(self) -> Iterator[Client]:
        from distributed import Client, LocalCluster

        if self.scheduler is not None:
            try:
                client = Client(self.scheduler, timeout=self.connect_s)
            except (OSError, ValueError) as error:
                raise ConfigError(
                    f"no Dask scheduler answers at '{self.scheduler}'", hint="start one with: dask scheduler"
                ) from error
            with client:
                yield client
            return
        cluster = LocalCluster(
            n_workers=self.workers,
            threads_per_worker=1,
            processes=True,
            memory_limit=self.memory_bytes or 0,
            dashboard_address=None,
            silence_logs=50,
        )
        with cluster, Client(cluster) as client:
            yield client


def _gather(
    client: Client, futures: dict[Future, Job], watch: Watch, stop: Callable[[], None]
) -> Iterator[Outcome[Job, Result]]:
    """Yield outcomes as futures end; on the wish to stop, drop what has not begun and wait for the rest."""
    from concurrent.futures import CancelledError

    from distributed import TimeoutError as NothingYet
    from distributed import wait

    stopped = False
    while futures:
        if not stopped and watch.stopping():
            stopped = True
            stop()
            client.cancel([f for f in futures if f.key not in _running(client)])
        try:
            done = wait(list(futures), timeout=_PAUSE_S, return_when="FIRST_COMPLETED").done
        except NothingYet:
            continue
        except CancelledError:
            done = {f for f in futures if f.status in {"cancelled", "lost"}}
        for future in done | {f for f in futures if f.cancelled()}:
            job = futures.pop(future)
            if not future.cancelled():
                yield _outcome(future, job)


def _running(client: Client) -> set[str]:
    return {key for keys in client.processing().values() for key in keys}


def _outcome(future: Future, job: Job) -> Outcome[Job, Result]:
    from distributed import KilledWorker

    error = future.exception()
    if error is None:
        return Outcome(job, result=future.result())
    if isinstance(error, GwError):
        return Outcome(job, error=error)
    if isinstance(error, KilledWorker):
        hint = "the machine may be out of memory: give --memory or fewer --workers"
        return Outcome(job, error=BackendError(f"a worker died again and again on one sweep: {error}", hint=hint))
    raise error


class _RemoteWatch:
    """A worker's side of the talk; it asks at most a few times a second."""

    def __init__(self) -> None:
        from distributed import Event, get_worker

        self._worker = get_worker()
        self._event = Event(_STOP)
        self._asked = 0.0
        self._stopping = False

    def report(self, **figures: float) -> None:
        self._worker.log_event(_TOPIC, {"figures": figures})

    def stopping(self) -> bool:
        now = time.monotonic()
        if not self._stopping and now - self._asked > _PAUSE_S:
            self._asked = now
            self._stopping = bool(self._event.is_set())
        return self._stopping


def _remote(work: Callable[[Job, Watch], Result], job: Job) -> Result:
    return work(job, _RemoteWatch())
