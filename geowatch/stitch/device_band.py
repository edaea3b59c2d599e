"""The sliding band on an accelerator: scores add up and are quantised where the network left them.

It does what `Band` and `Quantiser` do, in the same order, so that the same scores give the same bytes; what crosses
the bus is one finished strip of stored values. torch is imported when a band is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from geowatch.grid.windows import WindowLattice
    from geowatch.stitch.heatmap import HeadLayout

__all__ = ["DeviceBand"]


class DeviceBand:
    """A `Band` whose rows lie on a torch device; `finished` gives stored values on the host."""

    def __init__(
        self, head: HeadLayout, windows: WindowLattice, weights: NDArray[np.float32], columns: tuple[int, int],
        device: str,
    ) -> None:  # fmt: skip
        """Lay out the rows of ``head`` on ``device``; see `Band`."""
        import torch

        self._windows = windows
        self._weights = torch.from_numpy(weights).to(device)
        self._quantiser = head.quantiser
        self._x0, self._x1 = columns
        self._sum = self._weights.new_zeros((len(head.classes), windows.size[0], self._x1 - self._x0))
        self._top = 0

    def add(self, kx: Sequence[int], scores: Tensor) -> None:
        """Add windows of the current row, ``scores`` (N, K, h, w) float32 on the band's device; see `Band.add`."""
        # Two steps, not a fused one: a fused multiply-add rounds once and would give other bytes.
        weighted = scores * self._weights
        height, width = self._windows.size
        upper = height - self._top
        for column, score in zip(kx, weighted, strict=True):
            x = column * self._windows.stride[1] - self._x0
            first, last = max(0, x), min(x + width, self._sum.shape[2])
            if first >= last:
                continue
            self._sum[:, self._top :, first:last] += score[:, :upper, first - x : last - x]
            if self._top:
                self._sum[:, : self._top, first:last] += score[:, upper:, first - x : last - x]

    def finished(self) -> tuple[NDArray[np.generic], ...]:
        """Return the finished rows as stored values; see `Band.finished`."""
        end = self._top + self._windows.stride[0]
        pieces = self._sum[:, self._top : end], self._sum[:, : max(0, end - self._windows.size[0])]
        return tuple(self._stored(piece) for piece in pieces if piece.shape[1])

    def move_on(self) -> None:
        """Give up the finished rows; see `Band.move_on`."""
        end = self._top + self._windows.stride[0]
        self._sum[:, self._top : end] = 0.0
        self._sum[:, : max(0, end - self._windows.size[0])] = 0.0
        self._top = end % self._windows.size[0]

    def _stored(self, scores: Tensor) -> NDArray[np.generic]:
        import torch

        quantiser = self._quantiser
        if quantiser.top is None:
            return np.asarray(scores.to(getattr(torch, quantiser.stored)).cpu().numpy())
        # torch has few operations on uint16: its values travel as int32.
        kind = torch.uint8 if quantiser.stored == "uint8" else torch.int32
        whole = (scores * quantiser.top).round_().clamp_(0, quantiser.top).to(kind)
        return np.asarray(whole.cpu().numpy(), quantiser.dtype)
