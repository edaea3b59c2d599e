"""Scores that stay on the accelerator: for the plain way of looking, nothing comes back before it is finished.

Augmentation, uncertainty and features are computed on the host, so runs that ask for them do not pass here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from geowatch.errors import BackendError
from geowatch.package.device_activate import activate_on_device
from geowatch.predict.scoring import Looks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from geowatch.predict.scoring import Network

__all__ = ["RunsOnDevice", "device_of", "device_scores"]


@runtime_checkable
class RunsOnDevice(Protocol):
    """A backend whose output can stay where its network is."""

    @property
    def torch_device(self) -> str | None:
        """Device of the output, as torch calls it, such as ``cuda:0``; None where that is the host."""

    def run_on_device(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, Tensor]:
        """Return the raw output of each head on `torch_device`; as `Backend.run` otherwise."""


def device_of(network: Network) -> str | None:
    """Return the device on which a network's scores can stay; None where they come to the host."""
    plain = network.looks == Looks() and not network.members and network.dropout is None and network.finder is None
    backend = network.backend
    return backend.torch_device if plain and isinstance(backend, RunsOnDevice) else None


def device_scores(
    network: Network, feed: Mapping[str, NDArray[np.float32]], where: Sequence[tuple[int, int]]
) -> tuple[Tensor, ...]:
    """Return what `Network.scores` returns, as tensors on the network's device.

    Raises:
        BackendError: where the network fails or gives NaN; it names the window.
    """
    backend = network.backend
    if not isinstance(backend, RunsOnDevice):
        raise BackendError(f"backend {backend.identity.name} gives its output to the host")
    raw = backend.run_on_device(feed)
    layers = tuple(activate_on_device(head, raw[head.name]) for head in network.manifest.heads)
    for head, values in zip(network.manifest.heads, layers, strict=True):
        _check_finite(head.name, where, values)
    count = len(where)
    return tuple(each.reshape(count, -1, *each.shape[2:]) for each in layers)


def _check_finite(head: str, where: Sequence[tuple[int, int]], values: Tensor) -> None:
    fine = values.isfinite().flatten(1).all(dim=1)
    if bool(fine.all()):
        return
    dates = len(values) // len(where)
    ky, kx = where[int(fine.logical_not().nonzero()[0, 0]) // dates]
    raise BackendError(
        f"the network's head '{head}' gave NaN or infinity for window ({ky}, {kx})",
        hint="check the package's normalisation and the imagery's scale: gw model show, gw predict --dry-run",
    )
