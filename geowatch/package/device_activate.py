"""`activate` for output that is still on the device of the network: the same table, with torch.

torch is imported by whoever made the tensors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from geowatch.errors import BackendError

if TYPE_CHECKING:
    from torch import Tensor

    from geowatch.package.manifest import HeadSpec

__all__ = ["activate_on_device"]


def activate_on_device(head: HeadSpec, raw: Tensor) -> Tensor:
    """Return probabilities (N, K, H, W) float32 from the raw output of ``head``, on the same device.

    Raises BackendError where the shape of ``raw`` is not what the manifest says.
    """
    import torch

    found = _planes(head, raw)
    if head.activation == "labels":
        labels = found.repeat_interleave(head.reduction, 2).repeat_interleave(head.reduction, 3)
        return (labels == torch.arange(len(head.classes), device=raw.device)[:, None, None]).float()
    x = _enlarged(found.float(), head.reduction)
    if head.activation == "none":
        return x
    if head.activation == "softmax":
        return torch.softmax(x, dim=1)
    s = torch.sigmoid(x)
    return s if head.activation == "sigmoid" else torch.cat([1 - s, s], dim=1)


def _planes(head: HeadSpec, raw: Tensor) -> Tensor:
    if head.layout == "NHW" and raw.dim() == 3:
        found = raw[:, None]
    elif head.layout == "NTCHW" and raw.dim() == 5:
        found = raw.flatten(0, 1)
    elif head.layout == "NHWC" and raw.dim() == 4:
        found = raw.movedim(-1, 1)
    else:
        found = raw
    if found.dim() != 4 or found.shape[1] != head.raw_channels:
        raise BackendError(
            f"head {head.name!r} gave shape {tuple(raw.shape)}; its manifest says {head.layout} with "
            f"{head.raw_channels} channels",
            hint="import the network again",
        )
    return found


def _enlarged(x: Tensor, times: int) -> Tensor:
    from torch.nn import functional as fn

    return x if times == 1 else fn.interpolate(x, scale_factor=times, mode="bilinear", align_corners=False)
