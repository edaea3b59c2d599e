"""Weights in and out of networks.

Of files with pickles only plain tensors are taken (torch's ``weights_only``); safetensors hold nothing else.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor, nn

from geowatch.errors import PackageError

__all__ = ["dump_weights", "fill_weights", "parse_weights", "read_weights"]

_FILE = "give a .safetensors file, or what torch.save(model.state_dict(), path) wrote"
#: Keys under which trainers keep the weights of a checkpoint.
_NESTS = ("state_dict", "model_state_dict", "model")
#: What trainers put before each weight's name.
_PREFIXES = ("module.", "model.", "net.", "network.", "_orig_mod.")

#: What torch's reader of tensors raises on bytes that are something else.
_LOAD_ERRORS = (
    pickle.UnpicklingError,
    struct.error,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a weights file by name. Raises PackageError where it holds anything else."""
    if path.suffix.lower() == ".safetensors":
        return parse_weights(_read(path), str(path))
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise PackageError(f"cannot read weights {path} ({error.strerror})", hint=_FILE) from error
    except _LOAD_ERRORS as error:
        reason = " ".join(str(error).split())[:200]
        raise PackageError(
            f"{path} holds more than weights or is damaged: {reason}",
            hint="save the weights alone: torch.save(model.state_dict(), path), or as safetensors",
        ) from error
    return _state(found, path)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PackageError(f"cannot read weights {path} ({error.strerror})", hint=_FILE) from error


def _state(found: object, path: Path) -> dict[str, Tensor]:
    for key in _NESTS:
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    if not isinstance(found, Mapping) or not found:
        raise PackageError(f"{path} holds no weights by name", hint="save model.state_dict()")
    if others := [name for name, value in found.items() if not isinstance(value, Tensor)]:
        raise PackageError(f"{path} holds {others[0]!r}, which is no tensor", hint="save model.state_dict()")
    return {str(name): value for name, value in found.items()}


def parse_weights(content: bytes, name: str) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file. Raises PackageError where it is none."""
    try:
        found: dict[str, Tensor] = load_safetensors(content)
    except SafetensorError as error:
        raise PackageError(f"{name} is no safetensors file: {error}", hint=_FILE) from error
    return found


def dump_weights(net: nn.Module) -> bytes:
    """Return weights and buffers of ``net`` as a safetensors file, the same bytes for the same weights."""
    state = {name: x.detach().cpu().contiguous().clone() for name, x in net.state_dict().items()}
    content: bytes = save_safetensors(state)
    return content


def fill_weights(net: nn.Module, weights: Mapping[str, Tensor], source: str) -> None:
    """Put ``weights`` into ``net``; every one must fit. Raises PackageError naming one that does not."""
    wanted = net.state_dict()
    given = _unprefixed(weights, set(wanted))
    if odd := sorted(set(wanted) ^ set(given)):
        side = "lacks" if odd[0] in wanted else "has the unknown"
        raise PackageError(
            f"{source} {side} weight {odd[0]!r} ({len(odd)} names differ)",
            hint="the network's options or class are not those that it was trained with",
        )
    for name, value in given.items():
        if value.shape != wanted[name].shape:
            raise PackageError(
                f"weight {name!r} of {source} has shape {tuple(value.shape)}; the network has "
                f"{tuple(wanted[name].shape)}",
                hint="the network's options are not those that it was trained with",
            )
    net.load_state_dict({n: x.to(wanted[n].dtype) for n, x in given.items()}, assign=True)


def _unprefixed(weights: Mapping[str, Tensor], wanted: set[str]) -> dict[str, Tensor]:
    """Return the weights without what a trainer put before all of their names."""
    given = dict(weights)
    for prefix in _PREFIXES:
        if set(given) != wanted and given and all(name.startswith(prefix) for name in given):
            given = {name.removeprefix(prefix): x for name, x in given.items()}
    return given
