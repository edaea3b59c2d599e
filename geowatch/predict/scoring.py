"""Windows in, layers of the heatmap out: scores, what they leave unsure, and features.

A `Network` is pure: it knows of no pipeline, and what it says of a window does not depend on the other windows that
it is given at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from geowatch.errors import BackendError
from geowatch.package.activate import activate
from geowatch.predict.augment import Transform, transforms_of
from geowatch.predict.combine import Ballot, Joining, Spread
from geowatch.predict.uncertainty import deviation, entropy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from geowatch.grid.windows import WindowLattice
    from geowatch.package.backends.base import Backend
    from geowatch.package.dropout import DropoutNet
    from geowatch.package.manifest import HeadSpec, Manifest
    from geowatch.package.window_boxes import WindowBoxes
    from geowatch.predict.finding import Finder
    from geowatch.predict.recipe import Kind, Recipe
    from geowatch.sites.detections import Detections

__all__ = ["FEATURES", "Looks", "Network", "Seen"]

#: Key of a layer's activations in what a backend gives, and name of their array in the heatmap.
FEATURES = "features"

_AS_IT_IS = Transform()


@dataclass(frozen=True, slots=True)
class Looks:
    """How often and in which ways a window is looked at, and what is kept of the answers."""

    transforms: tuple[Transform, ...] = (_AS_IT_IS,)
    """Ways of showing a window, the plain one first."""
    joining: Joining = field(default_factory=Joining)
    """How the answers become one."""
    uncertainty: tuple[Kind, ...] = ()
    """What is told of how unsure they are, in order."""
    passes: int = 0
    """Passes with dropout."""
    features: bool = False
    """Whether a layer's activations are kept."""

    @classmethod
    def of(cls, recipe: Recipe) -> Looks:
        """Return what a recipe says."""
        kinds = recipe.uncertainty
        joining = Joining(recipe.vote, recipe.average, "tta" in kinds, "ensemble" in kinds)
        return cls(transforms_of(recipe.augment), joining, kinds, recipe.passes, recipe.features is not None)

    def runs(self, packages: int) -> int:
        """How often a network runs for one window, with so many packages answering."""
        return len(self.transforms) * packages + self.passes


@dataclass(frozen=True, slots=True)
class Seen:
    """What a network says of a batch of windows; of a window, nothing depends on the others."""

    layers: tuple[Any, ...]
    """One array (N, K, h, w) a layer: the scores of each head, then how unsure each is, then features. Heads that
    score each of T dates give T K planes, those of the first date first."""
    objects: tuple[tuple[Detections, ...], ...] = ()
    """For each window the boxes of each head of boxes, on the lattice; empty where there is no such head."""


@dataclass(frozen=True, slots=True)
class Network:
    """A package's network as prediction uses it."""

    manifest: Manifest
    """What goes in and comes out."""
    backend: Backend
    """What runs it."""
    windows: WindowLattice
    """Where windows stand."""
    batch: int
    """Most windows that run at once."""
    looks: Looks = field(default_factory=Looks)
    """In which ways a window is looked at."""
    members: tuple[Backend, ...] = ()
    """Networks that answer beside the first; they take and give the same."""
    dropout: DropoutNet | None = None
    """The network with dropout, where uncertainty is told from it."""
    finder: Finder | None = None
    """Turns boxes of windows into boxes on the lattice, where the network gives any."""

    def scores(
        self, feed: Mapping[str, NDArray[np.float32]], where: Sequence[tuple[int, int]]
    ) -> tuple[NDArray[np.float32], ...]:
        """Return the layers of the heatmap for prepared windows, in the order of the recipe's heads; see `look`."""
        return self.look(feed, where).layers

    def look(self, feed: Mapping[str, NDArray[np.float32]], where: Sequence[tuple[int, int]]) -> Seen:
        """Return what is seen in prepared windows.

        Args:
            feed: Prepared windows of each input by its name, shape (N, C, H, W).
            where: Place (ky, kx) of each of them on the window lattice.

        Raises:
            BackendError: where the network fails or gives NaN; it names the window.
        """
        ballots, features, found = self._vote(feed)
        heads = self.manifest.heads
        scores = [ballot.scores for ballot in ballots]
        for head, values in zip(heads, scores, strict=True):
            _check_finite(head.name, where, values)
        unsure = self._unsure(feed, where, ballots) if self.looks.uncertainty else []
        for values in features:
            _check_finite(FEATURES, where, values)
        count = len(where)
        layers = tuple(each.reshape(count, -1, *each.shape[2:]) for each in (*scores, *unsure, *features))
        return Seen(layers, self.finder.join(found, where) if self.finder else ())

    def _vote(
        self, feed: Mapping[str, NDArray[np.float32]]
    ) -> tuple[list[Ballot], list[NDArray[np.float32]], list[list[tuple[WindowBoxes, ...]]]]:
        """Return all answers, by head, the features of the windows as they are, and the objects of each look."""
        found: list[list[tuple[WindowBoxes, ...]]] = []
        ballots = [Ballot(head, self.looks.joining, self.windows.size) for head in self.manifest.heads]
        features: list[NDArray[np.float32]] = []
        for transform in self.looks.transforms:
            shown = feed if transform == _AS_IT_IS else transform.show(feed, self.manifest)
            for number, backend in enumerate((self.backend, *self.members)):
                raw = backend.run(shown)
                if self.looks.features and not features:
                    features.append(raw[FEATURES].astype(np.float32))
                if self.finder is not None:
                    found.append(self.finder.answer(raw, transform))
                for head, ballot in zip(self.manifest.heads, ballots, strict=True):
                    ballot.add(transform, number, raw[head.name])
            for ballot in ballots:
                ballot.close_transform()
        return ballots, features, found

    def _unsure(
        self, feed: Mapping[str, NDArray[np.float32]], where: Sequence[tuple[int, int]], ballots: list[Ballot]
    ) -> list[NDArray[np.float32]]:
        """Return for each head the planes of its uncertainty, (N, kinds, H, W)."""
        noisy = self._noisy(feed, where)
        return [
            np.stack([_plane(kind, head, ballot, spread.variance) for kind in self.looks.uncertainty], axis=1)
            for head, ballot, spread in zip(self.manifest.heads, ballots, noisy, strict=True)
        ]

    def _noisy(self, feed: Mapping[str, NDArray[np.float32]], where: Sequence[tuple[int, int]]) -> list[Spread]:
        """Return what passes with dropout say of each head."""
        spreads = [Spread() for _ in self.manifest.heads]
        for number in range(self.looks.passes if self.dropout is not None else 0):
            raw = self.dropout.run(feed, where, number)  # type: ignore[union-attr]  # the range says so
            for head, spread in zip(self.manifest.heads, spreads, strict=True):
                spread.add(activate(head, raw[head.name]))
        return spreads


def _plane(kind: Kind, head: HeadSpec, ballot: Ballot, noise: NDArray[np.float32]) -> NDArray[np.float32]:
    if kind == "entropy":
        return entropy(head, ballot.probability)
    if kind == "tta":
        return deviation(head, ballot.transform_variance)
    return deviation(head, ballot.member_variance if kind == "ensemble" else noise)


def _check_finite(layer: str, where: Sequence[tuple[int, int]], values: NDArray[np.float32]) -> None:
    if np.isfinite(values.sum()) or np.isfinite(values).all():
        return
    windows = values.reshape(len(where), -1)
    bad = next(place for place, window in zip(where, windows, strict=True) if not np.isfinite(window).all())
    raise BackendError(
        f"the network's head '{layer}' gave NaN or infinity for window ({bad[0]}, {bad[1]})",
        hint="check the package's normalisation and the imagery's scale: gw model show, gw predict --dry-run",
    )
