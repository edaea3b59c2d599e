"""What a user sees while a stage works, and what a log and a machine get."""

from __future__ import annotations

import json
import math

import pytest

from gw_cli.progress import JsonReporter, LineReporter, TerminalReporter, in_bytes, in_time, reporter
from gw_cli.signals import Interrupts


class Clock:
    """Time that passes only when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def interrupts() -> Interrupts:
    return Interrupts(lambda text: None)


def play(heard, clock, *, seconds: float, steps: int = 10, start: int = 0, stage: str = "predict") -> None:
    """Do ``steps`` of work in equal times."""
    heard.progress(stage, start, steps, read_bytes=0)
    for step in range(start + 1, steps + 1):
        clock.now += seconds / (steps - start)
        heard.progress(stage, step, steps, read_bytes=1e6 * step)


@pytest.mark.parametrize("kind", [LineReporter, JsonReporter, TerminalReporter])
def test_short_work_is_silent(kind, clock, capsys):
    play(kind(interrupts(), clock), clock, seconds=1.9)
    assert capsys.readouterr() == ("", "")


def test_a_log_gets_a_few_whole_lines(clock, capsys):
    play(LineReporter(interrupts(), clock), clock, seconds=100, steps=100)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "predict: 2/100, 1/s, 2.00 MB read, 1m38s to go"
    assert lines[-1] == "predict: 100/100, 1/s, 100 MB read, in 1m40s"
    assert len(lines) == 5


def test_a_terminal_gets_one_line_that_is_redrawn(clock, capsys, monkeypatch):
    monkeypatch.setattr("shutil.get_terminal_size", lambda: __import__("os").terminal_size((200, 24)))
    play(TerminalReporter(interrupts(), clock), clock, seconds=10)
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    assert text.endswith("\n")
    assert "█░" in text
    assert "50%  5/10, 1/s, 5.00 MB read, 5s to go" in text


def test_the_end_of_a_stage_is_said_once(clock, capsys):
    heard = LineReporter(interrupts(), clock)
    play(heard, clock, seconds=10)
    heard.progress("predict", 10, 10)
    assert capsys.readouterr().err.count("10/10") == 1


def test_a_narrow_terminal_never_wraps(clock, capsys, monkeypatch):
    monkeypatch.setattr("shutil.get_terminal_size", lambda: __import__("os").terminal_size((30, 24)))
    play(TerminalReporter(interrupts(), clock), clock, seconds=10)
    for drawn in capsys.readouterr().err.split("\r\x1b[2K"):
        assert len(drawn.strip("\n")) < 30


def test_what_several_stages_of_a_call_note_is_said_once(capsys):
    heard = LineReporter(Interrupts(lambda text: None))
    for _ in range(3):
        heard.note("the file has no dates")
    heard.note("another thing")
    assert capsys.readouterr().err == "note: the file has no dates\nnote: another thing\n"


def test_a_note_takes_the_bar_away_first(clock, capsys):
    heard = TerminalReporter(interrupts(), clock)
    heard.progress("read", 0, 9)
    clock.now += 5
    heard.progress("read", 1, 9)
    heard.note("the region was repaired")
    assert capsys.readouterr().err.endswith("\r\x1b[2Knote: the region was repaired\n")


def test_resumed_work_does_not_flatter_the_rate(clock, capsys):
    play(LineReporter(interrupts(), clock), clock, seconds=10, steps=100, start=90)
    assert "92/100, 1/s" in capsys.readouterr().err


def test_each_stage_has_its_own_pace(clock, capsys):
    heard = LineReporter(interrupts(), clock)
    play(heard, clock, seconds=10, stage="predict")
    play(heard, clock, seconds=1, stage="stitch")
    assert "stitch" not in capsys.readouterr().err


def test_work_of_unknown_total_or_none_divides_by_nothing(clock, capsys):
    heard = TerminalReporter(interrupts(), clock)
    heard.progress("read", 0, 0)
    clock.now += 5
    heard.progress("read", 0, 0)
    assert "100%" in capsys.readouterr().err


@pytest.mark.parametrize("kind", [LineReporter, JsonReporter, TerminalReporter])
def test_work_of_which_nobody_knows_the_end_is_shown_while_it_goes_on(kind, clock, capsys, monkeypatch):
    monkeypatch.setattr("shutil.get_terminal_size", lambda: __import__("os").terminal_size((200, 24)))
    heard = kind(interrupts(), clock)
    for number in range(1, 101):
        heard.progress("search", number, math.inf)
        clock.now += 1
    heard.progress("search", 100, 100)
    text = capsys.readouterr().err
    if kind is JsonReporter:
        events = [json.loads(line, parse_constant=pytest.fail) for line in text.splitlines()]
        assert {event["total"] for event in events[:-1]} == {None}
        assert (events[-1]["done"], events[-1]["total"]) == (100, 100)
        return
    shown = text.replace("\r\x1b[2K", "\n").split("\n")
    assert sum(line.endswith("1/s") and "/100," not in line for line in shown) > 3
    assert "inf" not in text.replace("in 1m40s", "")
    assert "search" in shown[-2]
    assert shown[-2].endswith("100/100, 0.99/s, in 1m40s")


def test_json_lines_are_json(clock, capsys):
    heard = JsonReporter(interrupts(), clock)
    play(heard, clock, seconds=10)
    heard.note("half of the region has no imagery")
    heard.result("gw-run/map.tif")
    out, err = capsys.readouterr()
    events = [json.loads(line) for line in err.splitlines()]
    assert [event["event"] for event in events[-2:]] == ["note", "result"]
    last = events[-3]
    assert (last["stage"], last["done"], last["total"], last["read_bytes"]) == ("predict", 10, 10, 1e7)
    assert last["rate_per_s"] == pytest.approx(1)
    assert out == "gw-run/map.tif\n"


def test_the_way_to_speak_follows_from_where_the_words_go(monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert isinstance(reporter(interrupts(), as_json=False), TerminalReporter)
    assert isinstance(reporter(interrupts(), as_json=True), JsonReporter)
    monkeypatch.setattr("sys.stderr.isatty", lambda: False, raising=False)
    assert isinstance(reporter(interrupts(), as_json=False), LineReporter)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (999_600, "1.00 MB"),
        (1536e3, "1.54 MB"),
        (12.34e9, "12.3 GB"),
        (5e15, "5,000.00 TB"),
    ],
)
def test_sizes_have_three_digits(size, text):
    assert in_bytes(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59.4, "59s"), (59.6, "1m00s"), (7290, "2h01m"), (200_000, "2d07h")]
)
def test_times_have_two_units(seconds, text):
    assert in_time(seconds) == text
