"""Blobs: bright or dark spots of about round shape, by the Laplacian of Gaussians. Needs no training, knows no objects.

The mean of all channels is smoothed at several widths. A spot of radius r stands out most in the Laplacian of a
Gaussian of width r / sqrt(2), which tells its place and its size (Lindeberg 1998,
https://doi.org/10.1023/A:1008045108935). What is long rather than round, such as a shore, is left out by the ratio of
the curvatures (Lowe 2004, https://doi.org/10.1023/B:VISI.0000029664.99615.94, section 4.1). The score is the
contrast of the spot to what surrounds it, as a share of the contrast that counts as full.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from geowatch.errors import ConfigError

__all__ = ["BlobConfig", "BlobDetector", "describe_blobs"]

#: Largest response of a disc of contrast 1 to the Laplacian, times the variance, at the width that fits it.
_DISC = 2 / math.e
#: Width of a kernel to each side, in standard deviations.
_REACH = 4.0

Polarity = Literal["bright", "dark", "both"]
"""Which spots are looked for."""


@dataclass(frozen=True, kw_only=True)
class BlobConfig:
    """What counts as a blob."""

    channels: int = 3
    """Channels of the input; their mean is looked at."""
    radii_px: tuple[int | float, ...] = (2, 3, 4, 6, 8)
    """Radii that are looked for, ascending; what lies between two is found with the nearer one."""
    polarity: Polarity = "bright"
    """Spots brighter than their surroundings, darker ones, or both."""
    contrast: float = 0.2
    """Contrast, in units of the input, that has the score 1."""
    longest: float = 3.0
    """Longest spot that counts as round: its larger curvature over its smaller."""
    most: int = 200
    """Most spots of a window; the best stay."""

    def __post_init__(self) -> None:
        radii = self.radii_px
        if self.channels < 1 or self.most < 1 or not radii or list(radii) != sorted(set(radii)) or radii[0] < 1:
            raise ConfigError(
                f"{self.most} spots of radii {radii} px in {self.channels} channels",
                hint="choose ascending radii from 1 px, and at least one spot and channel",
            )
        if self.polarity not in get_args(Polarity):
            raise ConfigError(f"no spots are {self.polarity!r}", hint="choose bright, dark or both")
        if self.contrast <= 0 or self.longest < 1:
            raise ConfigError(
                f"contrast {self.contrast:g} and longest {self.longest:g}", hint="choose more than 0, and from 1 on"
            )

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of what is found."""
        return ("bright spot", "dark spot") if self.polarity == "both" else (f"{self.polarity} spot",)


class BlobDetector(nn.Module):
    """The network; see the module's text. Its kernels are fixed, and it has no weights to learn."""

    def __init__(self, config: BlobConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Return boxes (N, M, 4) as x0, y0, x1, y1 in pixels, scores (N, M) and labels (N, M) of ``x`` (N, C, H, W)."""
        grey = x.mean(1, keepdim=True)
        round_, response = self._responses(grey)
        signed = [-response, response] if self.config.polarity == "both" else [self._sign * response]
        peaks = torch.stack([_peaks(each, round_) for each in signed], 1)
        scores, place = peaks.flatten(1).topk(self.config.most, dim=1)
        label, radius, y, z = (each.flatten()[place] for each in _places(peaks[0], self.config.radii_px))
        boxes = torch.stack([z - radius, y - radius, z + radius, y + radius], 2)
        return {"boxes": boxes, "scores": (scores / self.config.contrast).clamp(0.0, 1.0), "labels": label.long()}

    @property
    def _sign(self) -> float:
        return -1.0 if self.config.polarity == "bright" else 1.0

    def _responses(self, grey: Tensor) -> tuple[Tensor, Tensor]:
        """Return where a spot is round, and the response in units of contrast, at each radius (N, S, H, W)."""
        bent = [_curvatures(grey, radius / math.sqrt(2)) for radius in self.config.radii_px]
        yy, xx, xy = (torch.cat([each[k] for each in bent], 1) for k in range(3))
        trace, product = yy + xx, yy * xx - xy * xy
        limit = (self.config.longest + 1) ** 2 / self.config.longest
        return (trace * trace < limit * product).to(grey.dtype), trace / _DISC


def _places(like: Tensor, radii_px: tuple[int | float, ...]) -> tuple[Tensor, ...]:
    """Return the label, radius, row and column of each place of ``like`` (labels, S, H, W), each in its shape."""
    labels = torch.arange(like.shape[0], dtype=like.dtype, device=like.device)
    radii = torch.tensor(radii_px, dtype=like.dtype, device=like.device)
    rows = torch.arange(like.shape[2], dtype=like.dtype, device=like.device) + 0.5
    columns = torch.arange(like.shape[3], dtype=like.dtype, device=like.device) + 0.5
    axes = labels.view(-1, 1, 1, 1), radii.view(1, -1, 1, 1), rows.view(1, 1, -1, 1), columns.view(1, 1, 1, -1)
    return tuple(each.expand_as(like) for each in axes)


def _curvatures(grey: Tensor, sigma: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return second derivatives (yy, xx, xy) of an image smoothed with ``sigma`` px, times its variance."""
    reach = math.ceil(_REACH * sigma)
    t = torch.arange(-reach, reach + 1, dtype=grey.dtype, device=grey.device)
    bell = torch.exp(-0.5 * (t / sigma) ** 2)
    bell = bell / bell.sum()
    slope = -t / sigma * bell
    bend = (t * t / sigma**2 - 1.0) * bell
    # A kernel whose numbers do not add up to 0 would see spots in an even surface.
    bend = bend - bell * bend.sum()
    padded = functional.pad(grey, (reach, reach, reach, reach), mode="reflect")
    smooth, inclined = _down(padded, bell), _down(padded, slope)
    return _across(_down(padded, bend), bell), _across(smooth, bend), _across(inclined, slope)


def _down(x: Tensor, kernel: Tensor) -> Tensor:
    return functional.conv2d(x, kernel.view(1, 1, -1, 1))


def _across(x: Tensor, kernel: Tensor) -> Tensor:
    return functional.conv2d(x, kernel.view(1, 1, 1, -1))


def _peaks(response: Tensor, round_: Tensor) -> Tensor:
    """Return responses (N, S, H, W) where they are largest among all neighbours in place and radius, else 0."""
    near = functional.max_pool2d(response, 3, stride=1, padding=1)
    below = functional.pad(near[:, :-1], (0, 0, 0, 0, 1, 0), value=-1e9)
    above = functional.pad(near[:, 1:], (0, 0, 0, 0, 0, 1), value=-1e9)
    largest = torch.maximum(near, torch.maximum(below, above))
    return torch.where(response >= largest, response, torch.zeros_like(response)).clamp_min(0.0) * round_


def describe_blobs(config: BlobConfig) -> Mapping[str, object]:
    """Return what a package says of the network, by field of ``geowatch.package.spec.ImportSpec``."""
    return {
        "bands": ("red", "green", "blue"),
        "window": (256, 256),
        "overlap": 0.25,
        "license": "Apache-2.0",
        "description": "Bright or dark spots by the Laplacian of Gaussians; untrained, knows nothing of objects.",
        "boxes": (
            {
                "name": "objects",
                "boxes": "boxes",
                "scores": "scores",
                "labels": "labels",
                "classes": config.classes,
                "min_score": 0.3,
                "max_overlap": 0.3,
                "colors": {"both": ("#ffcc33", "#33bbee"), "bright": ("#ffcc33",), "dark": ("#33bbee",)}[
                    config.polarity
                ],
            },
        ),
    }
