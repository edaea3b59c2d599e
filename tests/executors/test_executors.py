"""What every executor keeps; an executor proves itself by subclassing the contract."""

import os
import time

import pytest
from distributed import LocalCluster

from geowatch.errors import BackendError, ConfigError, InterruptedRunError
from geowatch.executors.dask import DaskExecutor
from geowatch.executors.loop import LoopExecutor


class Recorder:
    def __init__(self, stop_after=None):
        self.sums = {}
        self.stop_after = stop_after

    def report(self, **figures):
        for name, value in figures.items():
            self.sums[name] = self.sums.get(name, 0) + value

    def stopping(self):
        return self.stop_after is not None and self.sums.get("jobs", 0) >= self.stop_after


def double(job, watch):
    watch.report(jobs=1)
    return job * 2, os.getpid()


def fails_on_three(job, watch):
    watch.report(jobs=1)
    if job == 3:
        raise BackendError("three is too many", hint="take two")
    return job


def breaks(job, watch):
    raise ZeroDivisionError(job)


def until_stopped(job, watch):
    watch.report(jobs=1)
    for _ in range(6000):
        if watch.stopping():
            raise InterruptedRunError("stopped")
        time.sleep(0.01)
    return job  # nobody said so for a minute


class ExecutorContract:
    def test_every_job_has_one_outcome(self, executor):
        watch = Recorder()
        outcomes = list(executor.run(double, range(7), watch))
        assert sorted(o.job for o in outcomes) == list(range(7))
        assert all(o.result[0] == 2 * o.job for o in outcomes)

    def test_an_error_of_ours_does_not_keep_others_from_running(self, executor):
        outcomes = {o.job: o for o in executor.run(fails_on_three, range(6), Recorder())}
        assert len(outcomes) == 6
        assert isinstance(outcomes[3].error, BackendError)
        assert outcomes[3].error.hint == "take two"
        assert all(o.error is None for job, o in outcomes.items() if job != 3)

    def test_a_bug_is_not_hidden(self, executor):
        with pytest.raises(ZeroDivisionError):
            list(executor.run(breaks, [1], Recorder()))

    def test_once_asked_to_stop_no_further_job_begins_and_running_ones_end(self, executor):
        outcomes = list(executor.run(until_stopped, range(50), Recorder(stop_after=1)))
        assert 0 < len(outcomes) < 50
        assert all(isinstance(o.error, InterruptedRunError) for o in outcomes)


class TestLoop(ExecutorContract):
    @pytest.fixture
    def executor(self):
        return LoopExecutor()

    def test_it_runs_here(self, executor):
        assert {o.result[1] for o in executor.run(double, range(3), Recorder())} == {os.getpid()}


class TestDask(ExecutorContract):
    @pytest.fixture
    def executor(self):
        return DaskExecutor(workers=2)

    def test_it_runs_elsewhere_and_hears_what_jobs_report(self, executor):
        watch = Recorder()
        pids = {o.result[1] for o in executor.run(double, range(20), watch)}
        assert os.getpid() not in pids
        assert watch.sums["jobs"] == 20


class TestDaskOnARunningScheduler(ExecutorContract):
    @pytest.fixture(scope="class")
    def address(self):
        with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster:
            yield cluster.scheduler_address

    @pytest.fixture
    def executor(self, address):
        return DaskExecutor(1, address)


def test_a_scheduler_that_does_not_answer_is_named():
    with pytest.raises(ConfigError, match=r"tcp://127\.0\.0\.1:1"):
        list(DaskExecutor(1, "tcp://127.0.0.1:1", connect_s=1).run(double, [1], Recorder()))
