"""What counts as found: thresholds, their sweeps, and which sites are looked at."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from itertools import combinations, product

__all__ = ["Filters", "Sweep", "Thresholds"]


@dataclass(frozen=True, slots=True, order=True)
class Thresholds:
    """One set of thresholds; every one of them is compared with ``>=``."""

    min_area_m2: float = 0.0
    """Smallest area of a proposal that counts."""
    min_score: float = 0.0
    """Smallest confidence of a proposal that counts."""
    tau: float = 0.2
    """Overlap in space that a date needs."""
    rho: float = 0.5
    """Share of dates that need it."""
    tiop: float = 0.1
    """Overlap in time over the proposal's days."""
    tiot: float = 0.2
    """Overlap in time over the truth's days."""
    ttiop: float = 0.1
    """As ``tiop``, for transient sites."""
    ttiot: float = 0.2
    """As ``tiot``, for transient sites."""

    @property
    def name(self) -> str:
        """Name of this set in names of files.

        >>> Thresholds(tau=0.3).name
        'minArea=0.0_minScore=0.0_tau=0.3_rho=0.5_tiop=0.1_tiot=0.2_ttiop=0.1_ttiot=0.2'
        """
        words = ("minArea", "minScore", "tau", "rho", "tiop", "tiot", "ttiop", "ttiot")
        values = (float(getattr(self, each.name)) for each in fields(self))
        return "_".join(f"{word}={value}" for word, value in zip(words, values, strict=True))

    def of_time(self, *, is_transient: bool) -> tuple[float, float]:
        """Return the thresholds over the proposal's and over the truth's days."""
        return (self.ttiop, self.ttiot) if is_transient else (self.tiop, self.tiot)


@dataclass(frozen=True, slots=True)
class Sweep:
    """Several values of thresholds. Where more than two are swept, they are swept two at a time."""

    min_area_m2: tuple[float, ...] = (0.0,)
    """Values of `Thresholds.min_area_m2`."""
    min_score: tuple[float, ...] = (0.0,)
    """Values of `Thresholds.min_score`."""
    tau: tuple[float, ...] = (0.2,)
    """Values of `Thresholds.tau`."""
    rho: tuple[float, ...] = (0.5,)
    """Values of `Thresholds.rho`."""
    tiop: tuple[float, ...] = (0.1,)
    """Values of `Thresholds.tiop`."""
    tiot: tuple[float, ...] = (0.2,)
    """Values of `Thresholds.tiot`."""
    ttiop: tuple[float, ...] = (0.1,)
    """Values of `Thresholds.ttiop`."""
    ttiot: tuple[float, ...] = (0.2,)
    """Values of `Thresholds.ttiot`."""

    def sets(self) -> list[Thresholds]:
        """Return the sets of thresholds in ascending order.

        >>> [(each.tau, each.rho) for each in Sweep(tau=(0.3, 0.2), rho=(0.5, 0.6)).sets()]
        [(0.2, 0.5), (0.2, 0.6), (0.3, 0.5), (0.3, 0.6)]
        """
        values = {each.name: sorted(set(getattr(self, each.name))) for each in fields(self)}
        base = Thresholds(**{name: found[0] for name, found in values.items()})
        swept = [name for name, found in values.items() if len(found) > 1]
        together = list(combinations(swept, 2)) if len(swept) > 1 else [tuple(swept)]
        made = {
            replace(base, **dict(zip(names, chosen, strict=True)))
            for names in together
            for chosen in product(*(values[name] for name in names))
        }
        return sorted(made)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which sites take part."""

    truth_statuses: tuple[str, ...] = ()
    """Statuses of truth that take part; none: all."""
    truth_without: tuple[str, ...] = ()
    """Statuses of truth that do not."""
    proposal_statuses: tuple[str, ...] = ("system_confirmed",)
    """Statuses of proposals that take part; none: all."""
    proposal_without: tuple[str, ...] = ()
    """Statuses of proposals that do not."""
    proposal_types: tuple[str, ...] = ()
    """Letters A to E of how proposals lie against the region's time range; none: all."""
    small_m2: float = 9000.0
    """A truth site that is not larger than this is ignored."""
