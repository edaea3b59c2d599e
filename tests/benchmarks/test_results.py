"""Sessions of measurements: stopped, gone on with, and never mixed."""

import pytest

from benchmarks.results import Part, interleave

QUIET = str.strip


def counting(log, name, fails_at=None):
    def run():
        log.append(name)
        if len(log) == fails_at:
            raise RuntimeError("stopped")
        return {"wall_s": float(len(log))}

    return run


def test_cases_run_in_turns(tmp_path):
    log = []
    interleave(Part(tmp_path / "p.json", "s"), {n: counting(log, n) for n in "abc"}, 2, QUIET)
    assert log == list("abcabc")


def test_some_cases_leave_early(tmp_path):
    log = []
    cases = {n: counting(log, n) for n in "abc"}
    interleave(Part(tmp_path / "p.json", "s"), cases, 3, QUIET, fewer={"b": 1})
    assert log == list("abcacac")


def test_a_stopped_session_goes_on_where_it_was(tmp_path):
    log = []
    with pytest.raises(RuntimeError):
        interleave(Part(tmp_path / "p.json", "s"), {n: counting(log, n, fails_at=4) for n in "abc"}, 2, QUIET)
    again = Part.open(tmp_path / "p.json", "s")
    interleave(again, {n: counting(log, n) for n in "abc"}, 2, QUIET)
    assert log == list("abc") + list("a") + list("abc")
    assert [len(runs) for runs in Part.open(tmp_path / "p.json", "s").cases.values()] == [2, 2, 2]


def test_results_of_other_sources_are_forgotten(tmp_path):
    Part(tmp_path / "p.json", "old").note(side_px=1)
    assert Part.open(tmp_path / "p.json", "old").facts == {"side_px": 1}
    assert Part.open(tmp_path / "p.json", "new").facts == {}


def test_what_was_found_once_is_not_looked_for_again(tmp_path):
    part, log = Part(tmp_path / "p.json", "s"), []
    for _ in range(2):
        assert part.once("batch", lambda: log.append(1) or 4) == 4
    assert log == [1]
