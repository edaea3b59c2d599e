"""Windows in, scores out: one row of windows at a time, in batches, in row-major order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geowatch.errors import BackendError
from geowatch.package.activate import activate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from geowatch.grid.windows import WindowLattice
    from geowatch.package.backends.base import Backend
    from geowatch.package.manifest import Manifest
    from geowatch.predict.strips import Strip

__all__ = ["Network", "Scored"]


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of some windows of one row."""

    kx: tuple[int, ...]
    """Their columns on the window lattice, ascending."""
    heads: tuple[NDArray[np.float32], ...]
    """Scores of each head, shape (N, K, height, width)."""


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

    def score(self, ky: int, columns: Sequence[int], strip: Strip) -> Iterator[Scored]:
        """Score the windows (ky, kx) for each kx of ``columns``."""
        for start in range(0, len(columns), self.batch):
            kx = tuple(columns[start : start + self.batch])
            yield Scored(kx, self._run(ky, kx, strip))

    def scores(
        self, feed: Mapping[str, NDArray[np.float32]], where: Sequence[tuple[int, int]]
    ) -> tuple[NDArray[np.float32], ...]:
        """Return the layers of the heatmap for prepared windows, in the order of the recipe's heads.

        Args:
            feed: Prepared windows of each input by its name, shape (N, C, H, W).
            where: Place (ky, kx) of each of them on the window lattice.

        Returns:
            One array (N, K, h, w) a layer. A window's values do not depend on the others of the batch.

        Raises:
            BackendError: where the network fails or gives NaN; it names the window.
        """
        raw = self.backend.run(feed)
        layers = tuple(activate(head, raw[head.name]) for head in self.manifest.heads)
        for head, values in zip(self.manifest.heads, layers, strict=True):
            _check_finite(head.name, where, values)
        return layers

    def _run(self, ky: int, kx: tuple[int, ...], strip: Strip) -> tuple[NDArray[np.float32], ...]:
        feed = {
            spec.name: self._gather(kx, strip, plane)
            for spec, plane in zip(self.manifest.inputs, strip.inputs, strict=True)
        }
        return self.scores(feed, [(ky, column) for column in kx])

    def _gather(self, kx: tuple[int, ...], strip: Strip, plane: NDArray[np.float32]) -> NDArray[np.float32]:
        height, width = self.windows.size
        batch = np.empty((len(kx), plane.shape[0], height, width), np.float32)
        for place, column in zip(batch, kx, strict=True):
            x = column * self.windows.stride[1] - strip.box.x0
            place[:] = plane[:, :, x : x + width]
        return batch


def _check_finite(layer: str, where: Sequence[tuple[int, int]], values: NDArray[np.float32]) -> None:
    if np.isfinite(values.sum()) or np.isfinite(values).all():
        return
    bad = next(place for place, window in zip(where, values, strict=True) if not np.isfinite(window).all())
    raise BackendError(
        f"the network's head '{layer}' gave NaN or infinity for window ({bad[0]}, {bad[1]})",
        hint="check the package's normalisation and the imagery's scale: gw model show, gw predict --dry-run",
    )
