"""A network as backends run it: the raw output of each head, in a stated number type."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from geowatch.errors import BackendError

__all__ = ["HeadsNet"]


class HeadsNet(nn.Module):
    """Gives the outputs of heads as a tuple, float32 where they are no whole numbers.

    With ``reduced``, convolutions and products compute in that number type and everything else in the type that
    torch holds to be safe for it (``torch.autocast``). Their weights are rounded once, here.
    """

    def __init__(self, net: nn.Module, outputs: Sequence[str], kind: str, reduced: torch.dtype | None) -> None:
        """Take a network that gives outputs by name, those of the heads, and the kind of device it runs on."""
        super().__init__()
        self.net = net.eval().requires_grad_(requires_grad=False)
        self.outputs = tuple(outputs)
        self.kind = kind
        self.reduced = reduced
        for parameter in net.parameters():
            parameter.data = _laid_out(parameter.data, reduced)

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Return the raw output of each head. Raises BackendError where the network has no such output."""
        if self.reduced is None:
            found = self.net(*tensors)
        else:
            with torch.autocast(self.kind, self.reduced):
                found = self.net(*tensors)
        if missing := [name for name in self.outputs if name not in found]:
            raise BackendError(f"the network has no output {missing[0]!r}; it has {', '.join(found)}")
        return tuple(x.float() if x.is_floating_point() else x for x in (found[name] for name in self.outputs))


def _laid_out(x: Tensor, reduced: torch.dtype | None) -> Tensor:
    """Return weights in the order of axes and the number type that their operator wants."""
    if x.dim() == 4:
        x = x.contiguous(memory_format=torch.channels_last)
    return x if reduced is None or x.dim() < 2 or not x.is_floating_point() else x.to(reduced)
