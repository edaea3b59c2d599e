"""Several answers to the same windows, joined as they come: a running mean and what they differ by.

Answers are added in a fixed order, each pixel by itself, so that a window's result does not depend on its batch; the
running form (Welford 1962, https://doi.org/10.1080/00401706.1962.10490022) gives equal answers back unchanged, and
a spread of exactly zero for them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from geowatch.package.activate import activate, logits, probabilities

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from geowatch.package.manifest import HeadSpec
    from geowatch.predict.augment import Transform
    from geowatch.predict.recipe import Average, Vote

__all__ = ["Ballot", "Joining", "Mean", "Spread"]


@dataclass(slots=True)
class Mean:
    """Mean of arrays of one shape.

    >>> mean = Mean()
    >>> for value in (1, 2, 6):
    ...     _ = mean.add(np.array([value], np.float32))
    >>> mean.value
    array([3.], dtype=float32)
    """

    count: int = 0
    """How many were added."""
    value: NDArray[np.float32] = field(default_factory=lambda: np.zeros((), np.float32))
    """Their mean."""

    def add(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Add one more; return by how much it differs from the mean before it."""
        self.count += 1
        if self.count == 1:
            self.value = x  # not copied, and so never written to
            return np.zeros_like(x)
        change: NDArray[np.float32] = x - self.value
        self.value = self.value + change / np.float32(self.count)
        return change


@dataclass(slots=True)
class Spread:
    """Mean and variance of arrays of one shape.

    >>> spread = Spread()
    >>> for value in (0, 1):
    ...     spread.add(np.array([value], np.float32))
    >>> spread.variance
    array([0.25], dtype=float32)
    """

    mean: Mean = field(default_factory=Mean)
    """Their mean."""
    squares: NDArray[np.float32] = field(default_factory=lambda: np.zeros((), np.float32))
    """Sum of squared differences from the mean."""

    def add(self, x: NDArray[np.float32]) -> None:
        """Add one more."""
        change = self.mean.add(x)
        self.squares = self.squares + change * (x - self.mean.value)

    @property
    def variance(self) -> NDArray[np.float32]:
        """Mean squared difference from the mean."""
        found: NDArray[np.float32] = self.squares / np.float32(max(1, self.mean.count))
        return found


@dataclass(frozen=True, slots=True)
class Joining:
    """How answers become one, and which differences between them are kept."""

    vote: Vote = "soft"
    """Mean of the answers, or the share of them that names a class."""
    average: Average = "probability"
    """What a soft vote averages."""
    over_transforms: bool = False
    """Keep how the ways of showing a window differ."""
    over_members: bool = False
    """Keep how the packages differ."""


class Ballot:
    """The answers of one head to one batch of windows. They come by transform, and by member within one."""

    def __init__(self, head: HeadSpec, joining: Joining, window: tuple[int, int]) -> None:
        self._head = head
        self._joining = joining
        self._window = window
        self._all = Mean()
        self._soft = Mean()
        self._by_transform = Spread()
        self._this_transform = Mean()
        self._by_member: dict[int, Mean] = {}

    def add(self, transform: Transform, member: int, raw: NDArray[Any]) -> None:
        """Add the raw answer of package ``member`` to the windows as ``transform`` shows them."""
        if self._joining.average == "logit" and self._joining.vote == "soft":
            cast = transform.undo(logits(self._head, raw), self._window)
            probability = probabilities(self._head, cast) if self._keeps else cast
        else:
            cast = probability = transform.undo(activate(self._head, raw), self._window)
            if self._joining.vote == "hard":
                self._soft.add(probability)
                cast = _votes(self._head, probability)
        self._all.add(cast)
        self._note(member, probability)

    @property
    def _keeps(self) -> bool:
        return self._joining.over_transforms or self._joining.over_members

    def _note(self, member: int, probability: NDArray[np.float32]) -> None:
        if self._joining.over_transforms:
            self._this_transform.add(probability)
        if self._joining.over_members:
            self._by_member.setdefault(member, Mean()).add(probability)

    def close_transform(self) -> None:
        """Take note that all packages have seen the windows this way."""
        if self._joining.over_transforms:
            self._by_transform.add(self._this_transform.value)
            self._this_transform = Mean()

    @property
    def scores(self) -> NDArray[np.float32]:
        """The joined scores, (N, K, H, W): mean probabilities, or shares of votes."""
        if self._joining.average == "logit" and self._joining.vote == "soft":
            return probabilities(self._head, self._all.value)
        return self._all.value

    @property
    def probability(self) -> NDArray[np.float32]:
        """The joined probabilities, (N, K, H, W), however votes are counted."""
        return self._soft.value if self._joining.vote == "hard" else self.scores

    @property
    def transform_variance(self) -> NDArray[np.float32]:
        """Variance of the probabilities over transforms, (N, K, H, W)."""
        return self._by_transform.variance

    @property
    def member_variance(self) -> NDArray[np.float32]:
        """Variance of the probabilities over packages, (N, K, H, W)."""
        spread = Spread()
        for member in sorted(self._by_member):
            spread.add(self._by_member[member].value)
        return spread.variance


def _votes(head: HeadSpec, probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return 1 for the class that wins, 0 for the others; the first of equals wins.

    Classes of a multi-label head are voted on one by one, from one half on.
    """
    if head.activation == "sigmoid" or probability.shape[1] == 1:
        return (probability >= np.float32(0.5)).astype(np.float32)
    winner = probability.argmax(axis=1)[:, None]
    votes: NDArray[np.float32] = (winner == np.arange(probability.shape[1])[:, None, None]).astype(np.float32)
    return votes
