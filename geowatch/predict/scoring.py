"""Windows in, scores out: one row of windows at a time, in batches, in row-major order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geowatch.errors import BackendError
from geowatch.package.activate import activate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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

    def _run(self, ky: int, kx: tuple[int, ...], strip: Strip) -> tuple[NDArray[np.float32], ...]:
        feed = {
            spec.name: self._gather(kx, strip, plane)
            for spec, plane in zip(self.manifest.inputs, strip.inputs, strict=True)
        }
        raw = self.backend.run(feed)
        heads = tuple(activate(head, raw[head.name]) for head in self.manifest.heads)
        for head, scores in zip(self.manifest.heads, heads, strict=True):
            _check_finite(head.name, ky, kx, scores)
        return heads

    def _gather(self, kx: tuple[int, ...], strip: Strip, plane: NDArray[np.float32]) -> NDArray[np.float32]:
        height, width = self.windows.size
        batch = np.empty((len(kx), plane.shape[0], height, width), np.float32)
        for place, column in zip(batch, kx, strict=True):
            x = column * self.windows.stride[1] - strip.box.x0
            place[:] = plane[:, :, x : x + width]
        return batch


def _check_finite(head: str, ky: int, kx: tuple[int, ...], scores: NDArray[np.float32]) -> None:
    if np.isfinite(scores.sum()) or np.isfinite(scores).all():
        return
    bad = [column for column, window in zip(kx, scores, strict=True) if not np.isfinite(window).all()]
    raise BackendError(
        f"the network's head '{head}' gave NaN or infinity for window ({ky}, {bad[0]})",
        hint="check the package's normalisation and the imagery's scale: gw model show, gw predict --dry-run",
    )
