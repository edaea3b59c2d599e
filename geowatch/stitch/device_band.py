"""The sliding band on an accelerator: scores add up and are quantised where the network left them.

Tensors add up as arrays do, in the same order, so that the same scores give the same bytes; what crosses the bus is
one finished strip of stored values. torch is imported when a band is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geowatch.stitch.band import Band

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from geowatch.grid.windows import WindowLattice
    from geowatch.stitch.heatmap import HeadLayout

__all__ = ["DeviceBand"]


class DeviceBand(Band):
    """A `Band` whose rows and scores are tensors on a torch device; `finished` gives stored values on the host."""

    def __init__(
        self, head: HeadLayout, windows: WindowLattice, weights: NDArray[np.float32], columns: tuple[int, int],
        device: str, *, dates: int = 1,
    ) -> None:  # fmt: skip
        """Lay out the rows of ``head``, of so many dates, on ``device``; see `Band`."""
        import torch

        super().__init__(0, windows, weights, columns)
        self._quantiser = head.quantiser
        self._weights: Any = torch.from_numpy(weights).to(device)
        self._sum: Any = self._weights.new_zeros((dates * len(head.classes), windows.size[0], columns[1] - columns[0]))

    def finished(self) -> tuple[NDArray[Any], ...]:
        """Return the finished rows as stored values; see `Band.finished`."""
        return tuple(self._stored(piece) for piece in self._pieces())

    def _stored(self, scores: Any) -> NDArray[Any]:  # noqa: ANN401  # a tensor
        import torch

        quantiser = self._quantiser
        if quantiser.top is None:
            return np.asarray(scores.to(getattr(torch, quantiser.stored)).cpu().numpy())
        # torch has few operations on uint16: its values travel as int32.
        kind = torch.uint8 if quantiser.stored == "uint8" else torch.int32
        whole = (scores * quantiser.top).round_().clamp_(0, quantiser.top).to(kind)
        return np.asarray(whole.cpu().numpy(), quantiser.dtype)
