"""From a torch module to an ONNX graph, and the module's own answers to compare it with."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from geowatch.errors import PackageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["answers", "export_onnx", "output_names"]

#: Operators of ONNX 1.13 and later.
_OPSET = 18


class _Flat(nn.Module):
    """Gives the tensors of any module's output as a tuple."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        return tuple(_named(self.net(*tensors)).values())


def _named(found: object) -> dict[str, Tensor]:
    """Return a module's output (tensor, sequence or mapping) by name. Raises PackageError for others."""
    if isinstance(found, Tensor):
        return {"output": found}
    if isinstance(found, Mapping):
        named = {str(name): x for name, x in found.items()}
    elif isinstance(found, Sequence):
        named = {f"output{i}": x for i, x in enumerate(found)}
    else:
        named = {}
    if not named or not all(isinstance(x, Tensor) for x in named.values()):
        raise PackageError(
            f"the network returns a {type(found).__name__}",
            hint="return a tensor, or a tuple or dict of tensors",
        )
    return named


def answers(net: nn.Module, tensors: Sequence[NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """Return what ``net`` says to ``tensors`` (one an argument), by output. Raises PackageError."""
    try:
        with torch.inference_mode(), _one_thread():
            found = _named(net(*(torch.from_numpy(x) for x in tensors)))
    except (RuntimeError, TypeError, ValueError, AttributeError, IndexError) as error:
        shapes = [x.shape for x in tensors]
        reason = " ".join(str(error).split())[:300]
        raise PackageError(f"the network fails on inputs of {shapes}: {reason}", hint="check --bands") from error
    return {name: x.numpy() for name, x in found.items()}


def output_names(net: nn.Module, tensors: Sequence[NDArray[np.float32]]) -> tuple[str, ...]:
    """Return the names of the outputs of ``net`` when it is given ``tensors``."""
    return tuple(answers(net, tensors))


def export_onnx(
    net: nn.Module,
    tensors: Mapping[str, NDArray[np.float32]],
    outputs: Sequence[str],
    *,
    free_axes: Mapping[str, Sequence[int]],
    traced: bool = False,
) -> bytes:
    """Return ``net`` as an ONNX file with inputs named as ``tensors`` are, in the order of its arguments.

    ``free_axes`` says for each input which of its axes may have any size. ``traced`` writes down what one pass through
    the network does, in a small part of the time that torch's analysis of every step takes; a network that branches
    on values or sizes is not to be exported so. Raises PackageError where torch cannot express the module so.
    """
    write = _traced if traced else _analysed
    try:
        with _quiet(), _one_thread():
            return write(_Flat(net).eval(), tensors, outputs, free_axes)
    except (RuntimeError, ValueError, TypeError, ImportError) as error:
        reason = " ".join(str(error).split())[:300]
        raise PackageError(
            f"torch cannot export the network: {reason}",
            hint="write it with operators that ONNX has, or export it by hand and take it with `gw model import`",
        ) from error


def _traced(
    net: nn.Module,
    tensors: Mapping[str, NDArray[np.float32]],
    outputs: Sequence[str],
    free_axes: Mapping[str, Sequence[int]],
) -> bytes:
    file = io.BytesIO()
    torch.onnx.export(
        net,
        tuple(torch.from_numpy(x) for x in tensors.values()),
        file,  # type: ignore[arg-type]  # it takes what can be written to
        dynamo=False,
        dynamic_axes={name: list(free_axes[name]) for name in tensors},
        input_names=list(tensors),
        output_names=list(outputs),
        opset_version=_OPSET,
    )
    return file.getvalue()


def _analysed(
    net: nn.Module,
    tensors: Mapping[str, NDArray[np.float32]],
    outputs: Sequence[str],
    free_axes: Mapping[str, Sequence[int]],
) -> bytes:
    shapes = tuple(dict.fromkeys(free_axes[name], torch.export.Dim.DYNAMIC) for name in tensors)
    program = torch.onnx.export(
        net,
        tuple(torch.from_numpy(x) for x in tensors.values()),
        dynamo=True,
        dynamic_shapes=(shapes,),
        input_names=list(tensors),
        output_names=list(outputs),
        verbose=False,
    )
    if program is None:
        raise PackageError("torch exported nothing")
    content: bytes = program.model_proto.SerializeToString()
    return content


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Work in this thread alone: many small steps leave others waiting for most of the time, which costs them all."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter from warning of libraries that are not needed."""
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(before)
