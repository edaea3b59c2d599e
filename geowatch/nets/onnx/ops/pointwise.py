"""Operators on each number by itself: arithmetic, comparisons, activations, number types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from types import MappingProxyType
from typing import Any

import torch
from numpy.typing import NDArray
from onnx import TensorProto
from torch import Tensor
from torch.nn import functional as fn

from geowatch.nets.onnx.node import Node
from geowatch.nets.onnx.ops.operator import Kernel, Operator, plain

__all__ = ["DTYPES", "POINTWISE"]

#: Number types of ONNX that torch computes in.
DTYPES: Mapping[int, torch.dtype] = MappingProxyType(
    {
        TensorProto.FLOAT: torch.float32,
        TensorProto.DOUBLE: torch.float64,
        TensorProto.FLOAT16: torch.float16,
        TensorProto.BFLOAT16: torch.bfloat16,
        TensorProto.BOOL: torch.bool,
        TensorProto.UINT8: torch.uint8,
        TensorProto.INT8: torch.int8,
        TensorProto.INT16: torch.int16,
        TensorProto.INT32: torch.int32,
        TensorProto.INT64: torch.int64,
    }
)


def _divide(a: Tensor, b: Tensor) -> Tensor:
    """Quotients of whole numbers are cut towards zero."""
    whole = not (a.is_floating_point() or b.is_floating_point())
    return torch.div(a, b, rounding_mode="trunc") if whole else torch.div(a, b)


def _power(a: Tensor, b: Tensor) -> Tensor:
    return torch.pow(a, b).to(a.dtype)


def _modulo(node: Node) -> Kernel:
    return torch.fmod if node.integer("fmod") else torch.remainder


def _fold(two: Callable[[Tensor, Tensor], Tensor]) -> Operator:
    """An operator of any number of inputs, two by two."""

    def run(*tensors: Tensor) -> Tensor:
        return reduce(two, tensors)

    return plain(run)


def _mean(*tensors: Tensor) -> Tensor:
    return reduce(torch.add, tensors) / len(tensors)


def _prelu(x: Tensor, slope: Tensor) -> Tensor:
    return torch.where(x >= 0, x, x * slope)


def _leaky(node: Node) -> Kernel:
    alpha = node.number("alpha", 0.01)
    return lambda x: fn.leaky_relu(x, alpha)


def _elu(node: Node) -> Kernel:
    alpha = node.number("alpha", 1.0)
    return lambda x: fn.elu(x, alpha)


def _celu(node: Node) -> Kernel:
    alpha = node.number("alpha", 1.0)
    return lambda x: fn.celu(x, alpha)


def _selu(node: Node) -> Kernel:
    alpha, gamma = node.number("alpha", 1.6732632423543772), node.number("gamma", 1.0507009873554805)
    return lambda x: gamma * fn.elu(x, alpha)


def _thresholded(node: Node) -> Kernel:
    alpha = node.number("alpha", 1.0)
    return lambda x: torch.where(x > alpha, x, torch.zeros_like(x))


def _hard_sigmoid(node: Node) -> Kernel:
    alpha, beta = node.number("alpha", 0.2), node.number("beta", 0.5)
    return lambda x: torch.clamp(x * alpha + beta, 0.0, 1.0)


def _shrink(node: Node) -> Kernel:
    bias, lambd = node.number("bias", 0.0), node.number("lambd", 0.5)

    def run(x: Tensor) -> Tensor:
        small = torch.where(x > lambd, x - bias, torch.zeros_like(x))
        return torch.where(x < -lambd, x + bias, small)

    return run


def _gelu(node: Node) -> Kernel:
    approximate = node.text("approximate", "none", {"none", "tanh"})
    return lambda x: fn.gelu(x, approximate=approximate)


def _clip(node: Node) -> Kernel:
    """Limits are attributes before opset 11, inputs from then on."""
    ends = [node.number(name) if node.has(name) else None for name in ("min", "max")]

    def run(x: Tensor, low: NDArray[Any] | None = None, high: NDArray[Any] | None = None) -> Tensor:
        a, b = (e if v is None else v.item() for e, v in zip(ends, (low, high), strict=True))
        return x if a is None and b is None else torch.clamp(x, a, b)

    return run


def _cast(node: Node) -> Kernel:
    to = node.integer("to")
    for ignored in ("saturate", "round_mode"):  # they speak of 8-bit floats alone
        node.has(ignored)
    if to not in DTYPES:
        raise node.refusal(f"number type {TensorProto.DataType.Name(to)}")
    return lambda x: x.to(DTYPES[to])


def _cast_like(node: Node) -> Kernel:
    for ignored in ("saturate", "round_mode"):
        node.has(ignored)
    return lambda x, like: x.to(like.dtype)


def _is_inf(node: Node) -> Kernel:
    high, low = node.integer("detect_positive", 1), node.integer("detect_negative", 1)
    return lambda x: torch.isinf(x) & ((x > 0) & bool(high) | (x < 0) & bool(low))


def _dropout(node: Node) -> Kernel:
    """Nothing is dropped when a network is used; the second output, where asked for, says so."""
    node.number("ratio")
    node.integer("seed")
    masked, training = len(node.outputs) > 1, node.known.get(2)
    if training is not None and bool(training.item()):
        raise node.refusal("it is in training mode")
    return lambda x, *_: (x, torch.ones_like(x, dtype=torch.bool)) if masked else x


def _swish(node: Node) -> Kernel:
    alpha = node.number("alpha", 1.0)
    return lambda x: x * torch.sigmoid(x * alpha)


def _bit_shift(node: Node) -> Kernel:
    left = node.text("direction", "LEFT", {"LEFT", "RIGHT"}) == "LEFT"
    return torch.bitwise_left_shift if left else torch.bitwise_right_shift


#: Operators on each number by itself.
POINTWISE: Mapping[str, Operator] = MappingProxyType(
    {
        "Abs": plain(torch.abs),
        "Acos": plain(torch.acos),
        "Acosh": plain(torch.acosh),
        "Add": plain(torch.add),
        "And": plain(torch.logical_and),
        "Asin": plain(torch.asin),
        "Asinh": plain(torch.asinh),
        "Atan": plain(torch.atan),
        "Atanh": plain(torch.atanh),
        "BitShift": Operator(_bit_shift),
        "BitwiseAnd": plain(torch.bitwise_and),
        "BitwiseNot": plain(torch.bitwise_not),
        "BitwiseOr": plain(torch.bitwise_or),
        "BitwiseXor": plain(torch.bitwise_xor),
        "Cast": Operator(_cast),
        "CastLike": Operator(_cast_like),
        "Ceil": plain(torch.ceil),
        "Celu": Operator(_celu),
        "Clip": Operator(_clip, host=frozenset({1, 2})),
        "Cos": plain(torch.cos),
        "Cosh": plain(torch.cosh),
        "Div": plain(_divide),
        "Dropout": Operator(_dropout, host=frozenset({1, 2})),
        "Elu": Operator(_elu),
        "Equal": plain(torch.eq),
        "Erf": plain(torch.erf),
        "Exp": plain(torch.exp),
        "Floor": plain(torch.floor),
        "Gelu": Operator(_gelu),
        "Greater": plain(torch.gt),
        "GreaterOrEqual": plain(torch.ge),
        "HardSigmoid": Operator(_hard_sigmoid),
        "HardSwish": plain(fn.hardswish),
        "Identity": plain(lambda x: x),
        "IsInf": Operator(_is_inf),
        "IsNaN": plain(torch.isnan),
        "LeakyRelu": Operator(_leaky),
        "Less": plain(torch.lt),
        "LessOrEqual": plain(torch.le),
        "Log": plain(torch.log),
        "Max": _fold(torch.maximum),
        "Mean": plain(_mean),
        "Min": _fold(torch.minimum),
        "Mish": plain(fn.mish),
        "Mod": Operator(_modulo),
        "Mul": plain(torch.mul),
        "Neg": plain(torch.neg),
        "Not": plain(torch.logical_not),
        "Or": plain(torch.logical_or),
        "PRelu": plain(_prelu),
        "Pow": plain(_power),
        "Reciprocal": plain(torch.reciprocal),
        "Relu": plain(torch.relu),
        "Round": plain(torch.round),
        "Selu": Operator(_selu),
        "Shrink": Operator(_shrink),
        "Sigmoid": plain(torch.sigmoid),
        "Sign": plain(torch.sign),
        "Sin": plain(torch.sin),
        "Sinh": plain(torch.sinh),
        "Softplus": plain(fn.softplus),
        "Softsign": plain(fn.softsign),
        "Sqrt": plain(torch.sqrt),
        "Sub": plain(torch.sub),
        "Sum": _fold(torch.add),
        "Swish": Operator(_swish),
        "Tan": plain(torch.tan),
        "Tanh": plain(torch.tanh),
        "ThresholdedRelu": Operator(_thresholded),
        "Where": plain(torch.where),
        "Xor": plain(torch.logical_xor),
    }
)
