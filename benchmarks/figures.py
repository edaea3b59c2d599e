"""From results to figures: what the tables and pictures show, computed from the JSON alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.spread import Spread, paired, spread_of

__all__ = ["EndToEnd", "Way", "end_to_ends"]

Document = Mapping[str, Any]

_STAGES = ("decode", "blend", "write")


@dataclass(frozen=True)
class Way:
    """One setup of gw on one raster, with its floors."""

    name: str
    """The setup's name."""
    about: Mapping[str, Any]
    """Backend, window, batch and number of windows."""
    seconds: tuple[float, ...]
    """Steady seconds of each round."""
    steady: Spread
    """Seconds of the work, start-up left out."""
    whole: Spread
    """Seconds of the whole process."""
    peak_mb: float
    """Most memory of any run."""
    floors: Mapping[str, float]
    """Median seconds of network, decode, blend and write, each alone."""
    ratio: Spread
    """Steady seconds over the sum of the floors, round by round."""
    network_ratio: Spread
    """Steady seconds over those of the network alone, round by round."""
    outside: Spread
    """Steady seconds less those of the network alone, a megapixel, round by round."""
    mpx_s: float
    """Megapixels of output a second, start-up left out."""
    whole_mpx_s: float
    """The same over the whole process."""


@dataclass(frozen=True)
class PeerRun:
    """A peer on one raster."""

    name: str
    """Its name."""
    settings: Mapping[str, Any]
    """The settings that were its fastest."""
    seconds: tuple[float, ...]
    """Steady seconds of each round."""
    steady: Spread
    """Seconds to read, infer and write."""
    parts: Mapping[str, float]
    """Median seconds of each of these."""
    peak_mb: float
    """Most memory of any run."""
    mpx_s: float
    """Megapixels of output a second, start-up left out."""
    whole_mpx_s: float
    """The same over the whole process."""


@dataclass(frozen=True)
class EndToEnd:
    """One size of raster."""

    side_px: int
    """Its side."""
    threads: int
    """Threads that everybody had."""
    ways: tuple[Way, ...]
    """Setups of gw, the plain one first."""
    peers: tuple[PeerRun, ...]
    """Peers."""

    @property
    def fastest(self) -> PeerRun | None:
        """The fastest peer."""
        return max(self.peers, key=lambda peer: peer.mpx_s, default=None)

    def over_fastest(self, way: Way) -> float | None:
        """Pixels a second of a setup over those of the fastest peer, round by round."""
        return paired(self.fastest.seconds, way.seconds).median if self.fastest else None


def end_to_ends(document: Document) -> list[EndToEnd]:
    """Return the sizes of raster that were measured, smallest first."""
    parts = [part for name, part in document.items() if name.startswith("end_to_end_") and part["done"]]
    return [_end_to_end(part, document) for part in sorted(parts, key=lambda part: part["facts"]["side_px"])]


def _end_to_end(part: Document, document: Document) -> EndToEnd:
    facts, cases = part["facts"], part["cases"]
    names = [name.removeprefix("network of ") for name in cases if name.startswith("network of ")]
    known = document.get("peers", {"facts": {}})["facts"]
    side = facts["side_px"]
    ways = tuple(_way(name, facts[f"setup of {name}"], cases, side) for name in names)
    peers = tuple(_peer(name, known[name], cases[name], side) for name in cases if name in known)
    return EndToEnd(side, facts["threads"], ways, peers)


def _way(name: str, about: Document, cases: Document, side: int) -> Way:
    floors = {"network": cases[f"network of {name}"], "blend": cases[f"blend of {name}"]}
    floors |= {stage: cases[stage] for stage in ("decode", "write")}
    alone = {stage: [run["alone_s"] for run in runs] for stage, runs in floors.items()}
    sums = [sum(turn) for turn in zip(*alone.values(), strict=False)]
    steady = [run["steady_s"] for run in cases[name]]
    mpx = side * side / 1e6
    return Way(
        name=name,
        about=about,
        seconds=tuple(steady),
        steady=Spread.of(steady),
        whole=spread_of(cases[name], "whole_s"),
        peak_mb=spread_of(cases[name], "peak_mb").high,
        floors={stage: Spread.of(alone[stage]).median for stage in ("network", *_STAGES)},
        ratio=paired(steady, sums),
        network_ratio=paired(steady, alone["network"]),
        outside=Spread.of([(s - n) / mpx for s, n in zip(steady, alone["network"], strict=False)]),
        mpx_s=mpx / Spread.of(steady).median,
        whole_mpx_s=mpx / spread_of(cases[name], "whole_s").median,
    )


def _peer(name: str, settings: Document, runs: list[dict[str, Any]], side: int) -> PeerRun:
    mpx = side * side / 1e6
    steady = spread_of(runs, "steady_s")
    return PeerRun(
        name=name,
        settings=settings,
        seconds=tuple(run["steady_s"] for run in runs),
        steady=steady,
        parts={stage: spread_of(runs, f"{stage}_s").median for stage in ("read", "infer", "write")},
        peak_mb=spread_of(runs, "peak_mb").high,
        mpx_s=mpx / steady.median,
        whole_mpx_s=mpx / spread_of(runs, "whole_s").median,
    )
