"""How a command ends: its words and its exit code, seen from outside in real processes and from within."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from geowatch import errors
from gw_cli.lazy import LazyGroup, command
from gw_cli.main import cli
from gw_cli.options import debug, log_json


def group_with(action) -> LazyGroup:
    """A command line whose only command does what the test wants."""

    @command("act", examples="gw act")
    @log_json
    @debug
    @click.pass_obj
    def act(session: object) -> None:
        """Act."""
        action(session)

    group = LazyGroup(name="gw", commands_help={"act": "Act."}, package="none")
    group.get_command = lambda ctx, name: act if name == "act" else None
    return group


def raising(error: BaseException):
    def action(session: object) -> None:
        raise error

    return action


def invoke(action, *args: str):
    return CliRunner().invoke(group_with(action), ["act", *args], prog_name="gw")


def all_errors(kind: type = errors.GwError) -> list[type]:
    return [kind, *(found for below in kind.__subclasses__() for found in all_errors(below))]


@pytest.mark.parametrize("kind", all_errors())
def test_every_error_is_a_fact_and_a_hint_without_traceback(kind):
    result = invoke(raising(kind("got 3", hint="give 4")))
    word = "stopped" if kind is errors.InterruptedRunError else "error"
    assert result.stderr == f"{word}: got 3\nhint: give 4\n"
    assert result.exit_code == kind.exit_code
    assert result.stdout == ""


def test_exit_codes_are_those_of_the_design():
    assert errors.GwError.exit_code == 1
    assert errors.ConfigError.exit_code == 2
    assert errors.InterruptedRunError.exit_code == 75


def test_an_error_without_remedy_has_no_hint():
    assert invoke(raising(errors.GwError("got 3"))).stderr == "error: got 3\n"


def test_debug_shows_the_traceback():
    assert "Traceback" in invoke(raising(errors.GwError("got 3")), "--debug").stderr


def test_an_error_is_json_where_the_log_is():
    result = invoke(raising(errors.GwError("got 3", hint="give 4")), "--log-json")
    assert json.loads(result.stderr) == {"event": "error", "fact": "got 3", "hint": "give 4"}


def test_an_unexpected_exception_is_a_bug_and_keeps_its_traceback():
    result = invoke(raising(ZeroDivisionError("oh")))
    assert isinstance(result.exception, ZeroDivisionError)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["act", "--no-such"], "error: no such option '--no-such'\nhint: see `gw act --help`\n"),
        (["nothing"], "error: no such command 'nothing'\nhint: see `gw --help`\n"),
        (["act", "more"], "error: got unexpected extra argument (more)\nhint: see `gw act --help`\n"),
    ],
)
def test_usage_errors_have_the_same_form(args, words):
    result = CliRunner().invoke(group_with(lambda session: None), args, prog_name="gw")
    assert (result.exit_code, result.stderr) == (2, words)


def test_usage_errors_are_json_where_the_log_is():
    result = CliRunner().invoke(group_with(lambda session: None), ["act", "--no-such", "--log-json"])
    assert json.loads(result.stderr)["event"] == "error"


def test_no_command_shows_the_help():
    result = CliRunner().invoke(cli, [])
    assert "Commands:" in result.output


def test_success_is_silent():
    result = invoke(lambda session: None)
    assert (result.exit_code, result.output) == (0, "")


PROGRAM = """
import sys, time
from gw_cli.lazy import LazyGroup, command
from geowatch.errors import InterruptedRunError
import click

@command("act", examples="gw act")
@click.pass_obj
def act(session):
    "Act."
    events = session.events
    {body}

group = LazyGroup(name="gw", commands_help={{"act": "Act."}}, package="none")
group.get_command = lambda ctx, name: act
group.main(["act"])
"""

DRAINS = """
    events.stopping()
    print("ready", flush=True)
    while not events.stopping():
        time.sleep(0.01)
    print("drained", flush=True)
    raise InterruptedRunError("stopped after 3 of 9 tiles", hint="run it again")
"""
NEVER_ENDS = """
    events.stopping()
    print("ready", flush=True)
    while True:
        time.sleep(0.01)
"""
NOT_BEGUN = """
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def start():
    """Start a command in a process of its own, once it says that it is ready."""
    running = []

    def begin(body: str, first: str = "ready\n") -> subprocess.Popen[str]:
        program = PROGRAM.format(body=body.strip())
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        running.append(subprocess.Popen([sys.executable, "-c", program], text=True, **pipes))
        assert running[-1].stdout.readline() == first
        return running[-1]

    yield begin
    for process in running:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_drains_and_exits_75(start, number):
    started = start(DRAINS)
    started.send_signal(number)
    out, err = started.communicate(timeout=20)
    assert out == "drained\n"
    assert started.returncode == 75
    assert err.splitlines() == [
        "note: stopping after the work in hand; once more stops at once",
        "stopped: stopped after 3 of 9 tiles",
        "hint: run it again",
    ]


def test_the_second_signal_exits_at_once(start):
    started = start(NEVER_ENDS)
    started.send_signal(signal.SIGTERM)
    assert "once more" in started.stderr.readline()
    started.send_signal(signal.SIGTERM)
    started.communicate(timeout=20)
    assert started.returncode == 75


def test_a_signal_before_any_work_ends_the_command(start):
    started = start(NOT_BEGUN)
    started.send_signal(signal.SIGTERM)
    _, err = started.communicate(timeout=20)
    assert started.returncode == 75
    assert err.startswith("stopped: interrupted\n")
    assert "Traceback" not in err


def test_a_reader_that_leaves_is_no_error(start):
    started = start("    for _ in range(100000): events.result('map.tif')", first="map.tif\n")
    started.stdout.close()
    assert started.wait(timeout=20) == 0
    assert started.stderr.read() == ""


def test_an_error_reaches_the_shell_as_its_exit_code(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "gw_cli", "model", "nothing"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "error: no such command 'nothing'")
