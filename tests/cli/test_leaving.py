"""The process is left with the code of its work, after Python's own exit functions and with all output written."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import atexit, sys
from gw_cli.leaving import Leaving
leaving = Leaving.registered()
atexit.register(lambda: print("closed"))
class Native:
    def __del__(self):
        print("taken apart")
held = sys.modules["held"] = Native()
print("done")
{ending}
"""


@pytest.mark.parametrize(("reason", "code"), [("SystemExit()", 0), ("SystemExit(75)", 75), ("SystemExit(2)", 2)])
def test_the_process_ends_with_its_code_and_nothing_is_taken_apart(reason, code):
    done = run(f"leaving.note({reason})")
    assert (done.returncode, done.stdout.split("\n")) == (code, ["done", "closed", ""])


BUSY = """
import threading
from zarr.core import sync
started = threading.Event()
def hold():
    started.set()
    threading.Event().wait()
sync._get_loop().call_soon_threadsafe(hold)
started.wait()
leaving.note(SystemExit(0))
"""


def test_a_thread_of_zarr_that_is_still_busy_says_nothing():
    done = run(BUSY)
    assert (done.returncode, done.stdout.split("\n"), done.stderr) == (0, ["done", "closed", ""], "")


def test_an_end_that_has_no_number_is_pythons_own():
    done = run("raise RuntimeError('lost')")
    assert done.returncode == 1
    assert "closed" in done.stdout
    assert "lost" in done.stderr


def run(ending: str) -> subprocess.CompletedProcess[str]:
    program = PROGRAM.format(ending=ending)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
