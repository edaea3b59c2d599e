"""Phases over time: which class each observation of a site is, one by one or as the likeliest sequence.

The likeliest sequence (Viterbi, "Error bounds for convolutional codes", 1967) weighs what each observation says
against how phases may follow each other. Without another model the four phases of construction are meant, in their
order: a site stays in its phase or goes on to a later one, and never back.

A site's scores are means over its pixels: the shares of it that look like each class. While it is built on, part of it
is bare, part is built already and part was never touched. So a phase is not known by its own class alone but by a mix
of all of them, and what an observation says of a phase is how likely its shares are as draws from that mix (a
multinomial): looks * sum over classes of share * ln(mix). A phase that may look like another as well takes what speaks
more: a site that was finished long ago looks as it did before it began.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geowatch.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geowatch.grid.areas import Ints

__all__ = ["CONSTRUCTION", "PhaseModel", "likeliest", "strongest"]

CONSTRUCTION = ("No Activity", "Site Preparation", "Active Construction", "Post Construction")
"""Phases of construction, as the shipped temporal network's classes and SMART documents name them."""

#: Scores below this say as little as this, so that one observation cannot forbid a phase.
LEAST_SCORE = 1e-3
_AT_ONCE = 1 << 22


@dataclass(frozen=True, eq=False, slots=True)
class PhaseModel:
    """Phases, and how they follow each other from one observation to the next."""

    names: tuple[str, ...]
    """Phases P, by their classes' names."""
    active: tuple[bool, ...]
    """Which of them are activity: a site begins with its first and ends after its last."""
    initial: NDArray[np.float64]
    """Probability of each phase at the first observation, (P,)."""
    transition: NDArray[np.float64]
    """Probability of going from one phase (row) to another (column), (P, P)."""
    mix: NDArray[np.float64] | None = None
    """Share of a site that looks like each class (column) in a phase (row), (P, P); None: a phase is known by the score
    of its own class alone."""
    resembles: NDArray[np.bool_] | None = None
    """Which phases (column) a phase (row) may look like as well, (P, P); None: each looks like itself alone."""
    looks: float = 1.0
    """How many independent looks an observation counts as: it is a mean of many pixels, and says more than one does."""

    def __post_init__(self) -> None:
        size = len(self.names)
        if self.initial.shape != (size,) or self.transition.shape != (size, size) or len(self.active) != size:
            raise ConfigError(
                f"a model of {size} phases has {self.initial.shape} first and {self.transition.shape} transitions",
                hint=f"give {size} numbers, and {size} rows of {size}",
            )
        if self.mix is not None and self.mix.shape != (size, size):
            raise ConfigError(
                f"a model of {size} phases has mixes of shape {self.mix.shape}",
                hint=f"give {size} rows of {size} shares",
            )
        rows = np.vstack([self.initial, self.transition, *([] if self.mix is None else [self.mix])])
        if not np.isfinite(rows).all() or (rows < 0).any() or not (rows.sum(axis=1) > 0).all():
            raise ConfigError("probabilities of phases are below 0 or all 0", hint="give each row some chance")
        if not self.looks > 0:
            raise ConfigError(f"an observation that counts as {self.looks:g} looks says nothing", hint="give 1 or more")

    @classmethod
    def of_construction(cls) -> PhaseModel:
        """Return the model of construction: phases in their order, none skipped cheaply, none taken back.

        The mixes are round numbers of how such a site looks: it is cleared bit by bit; while it is built on, hardly
        half of it moves at a time; when it is done, it looks built for a while, and then as if nothing ever went on.
        """
        onward = np.array([[90, 7, 2.5, 0.5], [0, 90, 9, 1], [0, 0, 92, 8], [0, 0, 0, 100]]) / 100
        mix = np.array([[94, 2, 2, 2], [30, 55, 10, 5], [25, 15, 45, 15], [60, 2, 8, 30]]) / 100
        rests = np.eye(4, dtype=bool)
        rests[3, 0] = True
        first = np.array([0.7, 0.1, 0.1, 0.1])
        return cls(CONSTRUCTION, (False, True, True, False), first, onward, mix, rests, 6.0)

    @classmethod
    def alike(cls, names: Sequence[str], active: Sequence[bool]) -> PhaseModel:
        """Return a model in which any phase may follow any other."""
        size = len(names)
        return cls(tuple(names), tuple(active), np.full(size, 1 / size), np.full((size, size), 1 / size))

    def columns(self, classes: Sequence[str]) -> list[int]:
        """Return the class that each phase is. Raises ConfigError where there is none."""
        absent = [name for name in self.names if name not in classes]
        if absent:
            raise ConfigError(
                f"the scores have no class '{absent[0]}', only {', '.join(classes)}",
                hint="give a model of your classes with --transitions, or leave --phases out",
            )
        return [list(classes).index(name) for name in self.names]


def strongest(scores: NDArray[np.float64]) -> Ints:
    """Return the phase with the largest score of each observation, (n,); of equal ones the first."""
    return np.asarray(np.argmax(scores, axis=1), dtype=np.int64)


def likeliest(owner: Ints, scores: NDArray[np.float64], model: PhaseModel) -> Ints:
    """Return the phase of each observation in the likeliest sequence of its owner, (n,).

    Args:
        owner: Of each observation: whose it is, sorted; observations of one owner are in the order of time.
        scores: Of each observation: scores of the phases, (n, P).
        model: How phases follow each other.

    One strange observation does not turn time back:

    >>> seen = np.array([[.1, .8, .1, 0], [.1, .1, .8, 0], [.2, .5, .3, 0], [.1, .1, .8, 0]])
    >>> likeliest(np.zeros(4, int), seen, PhaseModel.of_construction()).tolist()
    [1, 2, 2, 2]

    Nor does a site that comes to rest go back to before it began:

    >>> seen = np.array([[.9, .1, 0, 0], [.1, .8, .1, 0], [.1, .2, .7, 0], [.9, 0, .1, 0], [.8, .1, .1, 0]])
    >>> likeliest(np.zeros(5, int), seen, PhaseModel.of_construction()).tolist()
    [0, 1, 2, 3, 3]
    """
    counts = np.bincount(owner) if len(owner) else np.zeros(0, dtype=np.int64)
    out = np.empty(len(owner), dtype=np.int64)
    evidence = model.looks * _strongest_look(_evidence(scores, model.mix), model.resembles)
    start = np.concatenate([[0], np.cumsum(counts)])
    # Owners with as many observations go together, so that none waits for a longer one.
    for length in np.unique(counts[counts > 0]).tolist():
        owners = np.flatnonzero(counts == length)
        step = max(1, _AT_ONCE // (length * scores.shape[1] ** 2))
        for first in range(0, len(owners), step):
            at = start[owners[first : first + step], None] + np.arange(length)
            out[at] = _sequences(evidence[at], model)
    return out


def _evidence(scores: NDArray[np.float64], mix: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Return what observations (n, P) say of each phase, (n, P), as logarithms: sums in the order of the classes.

    Not a matrix product, which adds in an order that the machine's library chooses.
    """
    if mix is None:
        return np.asarray(np.log(np.maximum(scores, LEAST_SCORE)), np.float64)
    out = np.zeros((len(scores), len(mix)))
    for place, says in enumerate(np.log(np.maximum(mix / mix.sum(axis=1, keepdims=True), LEAST_SCORE)).T):
        out += scores[:, place, None] * says
    return out


def _strongest_look(evidence: NDArray[np.float64], resembles: NDArray[np.bool_] | None) -> NDArray[np.float64]:
    """Return what observations (n, P) say of each phase where it may look like others as well."""
    if resembles is None:
        return evidence
    return np.stack([evidence[:, like].max(axis=1) for like in resembles | np.eye(len(resembles), dtype=bool)], axis=1)


def _sequences(evidence: NDArray[np.float64], model: PhaseModel) -> Ints:
    """Return the likeliest phases (n, T) of logarithms of scores (n, T, P)."""
    with np.errstate(divide="ignore"):  # what never happens has the logarithm -inf
        initial, onward = np.log(model.initial), np.log(model.transition)
    n, length, _ = evidence.shape
    best = initial + evidence[:, 0]
    came_from = np.zeros(evidence.shape, dtype=np.int8)
    for t in range(1, length):
        ways = best[:, :, None] + onward
        came_from[:, t] = np.argmax(ways, axis=1)
        best = np.max(ways, axis=1) + evidence[:, t]
    phases = np.empty((n, length), dtype=np.int64)
    phases[:, -1] = np.argmax(best, axis=1)
    for t in range(length - 1, 0, -1):
        phases[:, t - 1] = came_from[np.arange(n), t, phases[:, t]]
    return phases
