"""The targets, and what was measured of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.figures import Document, EndToEnd, Way, end_to_ends
from benchmarks.spread import spread_of

__all__ = ["Target", "targets"]


@dataclass(frozen=True)
class Target:
    """One target."""

    name: str
    """What is asked."""
    wanted: float
    """The limit."""
    found: float
    """What was measured."""
    unit: str = ""
    """What stands behind the figures."""
    at_least: bool = False
    """Whether more is better."""

    @property
    def met(self) -> bool:
        """Whether the target is met."""
        return self.found >= self.wanted if self.at_least else self.found <= self.wanted

    @property
    def verdict(self) -> str:
        """Say whether it is met, or by how much it is missed.

        >>> Target("seconds", 2.0, 2.5).verdict
        'missed by 25%'
        """
        return "met" if self.met else f"missed by {abs(self.found / self.wanted - 1):.0%}"


def targets(document: Document) -> list[Target]:
    """Return each target for which there are results."""
    sizes = end_to_ends(document)
    found = list(_end_to_end(sizes[-1])) if sizes else []
    return [*found, *_memory(document), *_others(document)]


def _end_to_end(size: EndToEnd) -> Iterator[Target]:
    at = f"{size.side_px}²"
    plain = size.ways[0]
    yield Target(f"end to end over the sum of the floors, {at}, fp32", 1.1, plain.ratio.median)
    for way in size.ways:
        yield Target(f"outside the network, {at}, {way.name}", 0.03, way.outside.median, " s a megapixel")
    if size.fastest is None:
        return
    for way in size.ways:
        wanted = _wanted(way)
        over = size.over_fastest(way)
        if over is not None:
            name = f"pixels a second over those of {size.fastest.name}, {at}, {way.name}"
            yield Target(name, wanted, over, at_least=True)


def _wanted(way: Way) -> float:
    if not way.name.startswith("fp32"):
        return 5.0
    return 3.5 if "free" in way.name else 2.2


def _memory(document: Document) -> Iterator[Target]:
    part = document.get("memory")
    if not part or not part["done"]:
        return
    peaks = {int(side): spread_of(runs, "peak_mb").high for side, runs in part["cases"].items()}
    first, last = min(peaks), max(peaks)
    yield Target(f"peak memory, {last}² over {first}²", 1.1, peaks[last] / peaks[first])
    yield Target(f"peak memory, largest up to {last}²", 1000.0, max(peaks.values()), " MB")


def _others(document: Document) -> Iterator[Target]:
    if (part := document.get("plans")) and part["done"]:
        most = max(part["cases"], key=int)
        found = spread_of(part["cases"][most], "us_a_tile").median
        yield Target(f"planning, {int(most):,} tiles asked for", 5.0, found, " µs a tile")
    if (part := document.get("start")) and part["done"]:
        found = spread_of(part["cases"]["first windows of a large run"], "first_s").median
        yield Target("warm start to the first scored windows", 3.0, found, " s")
    if (part := document.get("workers")) and part["done"]:
        yield from _workers(part["cases"])


def _workers(cases: Document) -> Iterator[Target]:
    """Compare two workers with one, both over all of the work and once all of them are at work."""
    one, two = cases["1 x 1 thread"], cases["2 x 1 thread"]
    name = "two workers over one, networks of one thread"
    seconds = [spread_of(runs, "steady_s").median for runs in (one, two)]
    yield Target(f"{name}, start of the workers included", 1.8, seconds[0] / seconds[1], at_least=True)
    if all(run.get("windows_a_second") for run in (*one, *two)):
        pace = [spread_of(runs, "windows_a_second").median for runs in (one, two)]
        yield Target(f"{name}, windows a second at work", 1.8, pace[1] / pace[0], at_least=True)
