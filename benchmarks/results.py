"""Results of a session on disk: one JSON file a part, saved after every single run.

A session that was stopped goes on where it was. Results of other code never mix with new ones: each file says which
state of the source tree it belongs to, and is begun anew where that has changed.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

__all__ = ["ROOT", "Part", "Results", "interleave", "source_state"]

ROOT = Path(__file__).resolve().parents[1]
"""The project's root."""

Run = dict[str, Any]


def source_state() -> str:
    """Name what is measured: the commit, and a digest of what has changed since in the sources."""
    commit = _git("rev-parse", "--short=12", "HEAD").strip()
    changes = _git("diff", "HEAD", "--", "geowatch", "cli", "benchmarks")
    return commit + (f"+{sha256(changes.encode()).hexdigest()[:8]}" if changes else "")


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


@dataclass
class Part:
    """The results of one part: facts, and the runs of each case in their order."""

    path: Path
    """Its file."""
    state: str
    """Which code it is about."""
    facts: Run = field(default_factory=dict)
    """What was chosen or counted once."""
    cases: dict[str, list[Run]] = field(default_factory=dict)
    """Runs by case."""
    done: bool = False
    """Whether the part is complete."""

    @classmethod
    def open(cls, path: Path, state: str) -> Part:
        """Read a part's file, or begin it."""
        if path.exists():
            kept = json.loads(path.read_text())
            if kept["state"] == state:
                return cls(path, **kept)
        return cls(path, state)

    def note(self, **facts: object) -> None:
        """Keep facts."""
        self.facts.update(facts)
        self.save()

    def once(self, name: str, find: Callable[[], Any]) -> Any:  # noqa: ANN401  # whatever JSON holds
        """Return the fact ``name``, found only if it is not there yet."""
        if name not in self.facts:
            self.note(**{name: find()})
        return self.facts[name]

    def add(self, case: str, run: Run) -> None:
        """Keep one run."""
        self.cases.setdefault(case, []).append(run)
        self.save()

    def finish(self) -> None:
        """Mark the part as complete."""
        self.done = True
        self.save()

    def document(self) -> Run:
        """Give what is kept."""
        return {"state": self.state, "facts": self.facts, "cases": self.cases, "done": self.done}

    def save(self) -> None:
        """Write the file in one step."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_suffix(".tmp")
        unfinished.write_text(json.dumps(self.document(), indent=1) + "\n")
        unfinished.replace(self.path)


@dataclass(frozen=True)
class Results:
    """The parts of one session."""

    folder: Path
    """Where their files are."""
    state: str
    """Which code is measured."""

    def part(self, name: str) -> Part:
        """Open a part."""
        return Part.open(self.folder / f"{name}.json", self.state)

    def parts(self) -> dict[str, Run]:
        """Give what is kept of every part of this state."""
        found = {path.stem: json.loads(path.read_text()) for path in sorted(self.folder.glob("*.json"))}
        return {name: part for name, part in found.items() if part["state"] == self.state}


def interleave(
    part: Part,
    cases: Mapping[str, Callable[[], Run]],
    rounds: int,
    say: Callable[[str], None],
    fewer: Mapping[str, int] | None = None,
) -> None:
    """Run the cases in turns, A B C, A B C, so that all of them see the same machine.

    What is kept is not run again. Cases named in ``fewer`` leave after so many rounds.
    """
    for turn in range(rounds):
        for name, run in cases.items():
            if len(part.cases.get(name, ())) > turn or turn >= (fewer or {}).get(name, rounds):
                continue
            part.add(name, run())
            shown = ", ".join(f"{key} {value:.3g}" for key, value in part.cases[name][-1].items() if key.endswith("_s"))
            say(f"  round {turn + 1}/{rounds}  {name}: {shown}")
