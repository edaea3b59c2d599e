"""A small U-Net (Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597) that runs fast on a CPU.

Two 3 x 3 convolutions with batch normalisation a level, strided convolutions down, nearest-neighbour
enlargement up (no checkerboard, Odena et al. 2016), skips joined along channels, one 1 x 1 convolution for
each head.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from geowatch.errors import ConfigError

__all__ = ["UNet", "UNetConfig"]


@dataclass(frozen=True, kw_only=True)
class UNetConfig:
    """Shape of a U-Net. Windows may have any size that is a multiple of ``2 ** depth``."""

    channels: int
    """Channels of the input."""
    heads: Mapping[str, int] = field(default_factory=lambda: {"scores": 2})
    """Output channels of each head, by name."""
    width: int = 16
    """Features of the finest level; each coarser one has twice as many."""
    depth: int = 4
    """Number of times that the resolution is halved."""
    max_width: int = 512
    """Most features of a level."""
    dropout: float = 0.0
    """Share of the features of a level that training drops on the way up; uncertainty can be told from it."""

    def __post_init__(self) -> None:
        for name, value, high in (
            ("channels", self.channels, 4096),
            ("width", self.width, 1024),
            ("depth", self.depth, 8),
            ("max_width", self.max_width, 4096),
            *((f"heads.{head}", count, 4096) for head, count in self.heads.items()),
        ):
            if not 1 <= value <= high:
                raise ConfigError(f"{name} of a unet is {value}", hint=f"choose 1 to {high}")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout of a unet is {self.dropout}", hint="choose a share from 0 to below 1")
        if not self.heads:
            raise ConfigError("a unet needs a head", hint="name one, such as heads={'scores': 3}")

    @property
    def widths(self) -> tuple[int, ...]:
        """Features of each level, finest first."""
        return tuple(min(self.width << level, self.max_width) for level in range(self.depth + 1))

    @property
    def multiple_of(self) -> int:
        """Of what height and width must be multiples."""
        return int(2**self.depth)


class UNet(nn.Module):
    """The network; see the module's text."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        self.stem = _block(config.channels, widths[0], stride=1)
        self.down = nn.ModuleList(_block(a, b, stride=2) for a, b in pairwise(widths))
        self.up = nn.ModuleList(_Up(b, a, config.dropout) for a, b in pairwise(widths))
        self.heads = nn.ModuleDict({name: nn.Conv2d(widths[0], k, 1) for name, k in config.heads.items()})
        self.apply(_init)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Return logits (N, K, H, W) for each head from ``x`` (N, C, H, W)."""
        skips = [self.stem(x)]
        for down in self.down:
            skips.append(down(skips[-1]))
        y = skips.pop()
        for up in reversed(list(self.up)):
            y = up(y, skips.pop())
        return {name: head(y) for name, head in self.heads.items()}


class _Up(nn.Module):
    """From a coarse level to the next finer one."""

    def __init__(self, coarse: int, fine: int, dropout: float) -> None:
        super().__init__()
        self.drop = nn.Dropout2d(dropout)
        self.narrow = nn.Conv2d(coarse, fine, 1)
        self.merge = _block(2 * fine, fine, stride=1)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        wide = fn.interpolate(self.narrow(x), scale_factor=2.0, mode="nearest")
        y: Tensor = self.drop(self.merge(torch.cat([wide, skip], 1)))
        return y


def _block(channels: int, width: int, *, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    )


def _init(module: nn.Module) -> None:
    """He et al. 2015: variance is kept from layer to layer under ReLU."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
