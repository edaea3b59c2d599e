"""What the docs show is run: every block of a page in order, in one folder with the fixtures of conftest.py.

``python`` blocks are executed, ``console`` blocks run each ``$`` line in a shell and compare what follows it
(``...`` stands for anything), a ``yaml``, ``json`` or ``geojson`` block whose first line names a file is
written to it. What cannot run is ``text``.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUN = {"python", "console"}
KNOWN = RUN | {"text", "yaml", "json"}
PAGES = sorted([ROOT / "README.md", *(p for p in (ROOT / "docs").rglob("*.md") if "reference" not in p.parts)])
#: Lines that a log gets of work that takes over two seconds, here or on a slower machine.
PROGRESS = re.compile(r"^\w+: [\d,]+/[\d,]+, .*\n", re.MULTILINE)
FENCE = re.compile(r"^( *)```([^\n`]*)\n(.*?)^\1```\s*$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    line: int
    kind: str
    text: str


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(text[: match.start()].count("\n") + 1, match[2].strip(), match[3].replace("\n" + match[1], "\n"))
        for match in FENCE.finditer(text)
    ]


def run_console(text: str, folder: Path) -> None:
    """Run each ``$`` line, and compare what it prints where the page shows it."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=folder,
            env={**os.environ, "PATH": path, "COLUMNS": "100"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        printed = done.stdout + PROGRESS.sub("", done.stderr)
        fails = shown.startswith("error:")
        assert (done.returncode != 0) == fails, f"$ {command}\n{printed}"
        if shown.strip():
            same = doctest.OutputChecker().check_output(
                shown.rstrip() + "\n",
                printed.rstrip() + "\n",
                doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE,
            )
            assert same, f"$ {command}\nshown:\n{shown}\nprinted:\n{printed}"


def write_named(text: str, folder: Path) -> None:
    """Write a block whose first line is ``# file: name``."""
    match = re.match(r"(?:#|//) file: (\S+)\n", text)
    if match:
        (folder / match[1]).write_text(text[match.end() :], encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_is_of_a_known_kind(page):
    unknown = [(block.line, block.kind) for block in blocks_of(page) if block.kind not in KNOWN]
    assert not unknown, f"use one of {sorted(KNOWN)}"


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if RUN & {block.kind for block in blocks_of(page)}],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_blocks_do_what_the_page_says(page, docs_folder, monkeypatch):
    monkeypatch.chdir(docs_folder)
    names: dict[str, object] = {"__name__": "__docs__"}
    for block in blocks_of(page):
        if block.kind == "console":
            run_console(block.text, docs_folder)
        elif block.kind == "python":
            exec(compile(block.text, f"{page.name}:{block.line}", "exec"), names)
        else:
            write_named(block.text, docs_folder)


def test_a_page_that_lies_is_caught(tmp_path):
    run_console("$ echo one two\none ...\n", tmp_path)
    with pytest.raises(AssertionError, match="shown"):
        run_console("$ echo one\ntwo\n", tmp_path)
    with pytest.raises(AssertionError, match="false"):
        run_console("$ false\n", tmp_path)
