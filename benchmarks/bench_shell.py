"""How long ``gw --help`` takes, beside an empty click program: ``python benchmarks/bench_shell.py``.

Prints the median of 15 calls of each, in seconds of wall time, taken in turns so that both see the same machine. The
target is at most twice the empty program.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

EMPTY = "import click\n@click.group()\ndef cli():\n    'Empty.'\ncli(['--help'])"
SHELL = "import sys\nsys.argv = ['gw', '--help']\nfrom gw_cli.main import main\nmain()"


def seconds(program: str) -> float:
    """Time one call."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    pairs = [(seconds(EMPTY), seconds(SHELL)) for _ in range(15)]
    empty, shell = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"empty click program {empty:.3f} s, gw --help {shell:.3f} s, {shell / empty:.2f} times")


if __name__ == "__main__":
    main()
