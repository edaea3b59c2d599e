"""Networks by name: each has a frozen configuration and a constructor that takes it.

The registry is closed: a package may name a network of it and give plain numbers, and can so never name code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from geowatch.errors import ConfigError
from geowatch.nets.blobs import BlobConfig, BlobDetector, describe_blobs
from geowatch.nets.change import ChangeConfig, ChangeDetector, describe_change
from geowatch.nets.season import SeasonConfig, SeasonNet, describe_season
from geowatch.nets.unet import UNet, UNetConfig
from geowatch.nets.weights import fill_weights, parse_weights

__all__ = ["NETS", "NetEntry", "build_net", "net_config", "restore_net"]


@dataclass(frozen=True)
class NetEntry:
    """A kind of network."""

    config: type[Any]
    """Frozen dataclass of its options, each with a check."""
    build: Callable[[Any], nn.Module]
    """Constructor; weights are drawn from torch's generator."""
    summary: str
    """One line for people."""
    describe: Callable[[Any], Mapping[str, object]] | None = None
    """What a package says of it where the user does not, by field of ``ImportSpec``; None says nothing."""
    traced: bool = False
    """Whether one pass writes down all that it does: it never branches, and has so many steps that analysis is slow."""


#: All networks by name.
NETS: Mapping[str, NetEntry] = MappingProxyType(
    {
        "blobs": NetEntry(BlobConfig, BlobDetector, "bright or dark spots as boxes, untrained", describe_blobs),
        "change-detector": NetEntry(
            ChangeConfig,
            ChangeDetector,
            "building sites in a series of images, untrained",
            describe_change,
            traced=True,
        ),
        "season": NetEntry(
            SeasonConfig, SeasonNet, "how far an index stands between its low and high of the year", describe_season
        ),
        "unet": NetEntry(UNetConfig, UNet, "small U-Net for any multiple of 2**depth pixels, fast on a CPU"),
    }
)


def net_config(name: str, options: Mapping[str, object]) -> Any:  # noqa: ANN401  # one dataclass per network
    """Return the configuration of network ``name``. Raises ConfigError for an unknown name or option."""
    if name not in NETS:
        raise ConfigError(f"no network is called {name!r}", hint=f"known are {', '.join(NETS)}")
    known = {f.name: f for f in fields(NETS[name].config)}
    if unknown := set(options) - set(known):
        raise ConfigError(f"{name} has no option {min(unknown)!r}", hint=f"it has {', '.join(known)}")
    fitting = {key: _as_declared(value, str(known[key].type)) for key, value in options.items()}
    try:
        return NETS[name].config(**fitting)
    except TypeError as error:
        raise ConfigError(
            f"the options {dict(options)} do not make a {name}: {error}",
            hint="its options are " + ", ".join(f"{f.name} ({f.type})" for f in known.values()),
        ) from error


def _as_declared(value: object, declared: str) -> object:
    """Return a list, or the only value of one, as the tuple that a field declares."""
    if not declared.startswith("tuple"):
        return value
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def build_net(name: str, options: Mapping[str, object], *, seed: int = 0) -> nn.Module:
    """Return network ``name`` in evaluation mode, its weights drawn by ``seed`` alone.

    torch's own generator is left as it was. Raises ConfigError as `net_config` does.
    """
    config = net_config(name, options)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return NETS[name].build(config).eval()


def restore_net(name: str, options: Mapping[str, object], weights: bytes, source: str) -> nn.Module:
    """Return network ``name`` in evaluation mode with the weights of a safetensors file called ``source``.

    Nothing is allocated before the weights are seen to fit. Raises ConfigError or PackageError where they do
    not.
    """
    config = net_config(name, options)
    with torch.device("meta"):
        net = NETS[name].build(config)
    fill_weights(net, parse_weights(weights, source), source)
    return net.eval().requires_grad_(requires_grad=False)
