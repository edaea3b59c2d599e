"""Normalisations, softmax and their kin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn import functional as fn

from geowatch.nets.onnx.node import Node
from geowatch.nets.onnx.ops.operator import Kernel, Operator

__all__ = ["NORMALISATION"]


def _batch(node: Node) -> Kernel:
    epsilon = node.number("epsilon", 1e-5)
    node.number("momentum")
    if node.integer("training_mode") or sum(map(bool, node.outputs)) > 1:
        raise node.refusal("it is in training mode")
    return lambda x, scale, bias, mean, var: fn.batch_norm(x, mean, var, scale, bias, eps=epsilon)


def _instance(node: Node) -> Kernel:
    epsilon = node.number("epsilon", 1e-5)
    return lambda x, scale, bias: fn.instance_norm(x, weight=scale, bias=bias, eps=epsilon)


def _layer(node: Node) -> Kernel:
    axis, epsilon = node.integer("axis", -1), node.number("epsilon", 1e-5)
    node.integer("stash_type", 1)
    more = sum(map(bool, node.outputs)) > 1

    def run(x: Tensor, scale: Tensor, bias: Tensor | None = None) -> Tensor | tuple[Tensor, ...]:
        shape = x.shape[axis % x.dim() :]
        shift = None if bias is None else bias.expand(shape)
        y = fn.layer_norm(x, shape, scale.expand(shape), shift, epsilon)
        return (y, *_moments(x, list(range(axis % x.dim(), x.dim())), epsilon)) if more else y

    return run


def _moments(x: Tensor, axes: list[int], epsilon: float) -> tuple[Tensor, Tensor]:
    """Return mean and one over the standard deviation."""
    variance, mean = torch.var_mean(x, axes, correction=0, keepdim=True)
    return mean, torch.rsqrt(variance + epsilon)


def _root_mean_square(node: Node) -> Kernel:
    axis, epsilon = node.integer("axis", -1), node.number("epsilon", 1e-5)
    node.integer("stash_type", 1)

    def run(x: Tensor, scale: Tensor) -> Tensor:
        axes = list(range(axis % x.dim(), x.dim()))
        return x * torch.rsqrt((x * x).mean(axes, keepdim=True) + epsilon) * scale

    return run


def _group(node: Node) -> Kernel:
    """Scale and bias are given for each group before opset 21, for each channel from then on."""
    groups, epsilon = node.integer("num_groups"), node.number("epsilon", 1e-5)
    node.integer("stash_type", 1)

    def run(x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
        if node.version < 21:
            scale, bias = (v.repeat_interleave(x.shape[1] // groups) for v in (scale, bias))
        return fn.group_norm(x, groups, scale, bias, epsilon)

    return run


def _mean_variance(node: Node) -> Kernel:
    axes = node.integers("axes", (0, 2, 3))

    def run(x: Tensor) -> Tensor:
        mean = x.mean(axes, keepdim=True)
        deviation = ((x * x).mean(axes, keepdim=True) - mean * mean).sqrt()
        return (x - mean) / (deviation + 1e-9)

    return run


def _lp(node: Node) -> Kernel:
    axis, power = node.integer("axis", -1), node.integer("p", 2)

    def run(x: Tensor) -> Tensor:
        norm = torch.linalg.vector_norm(x, ord=power, dim=axis, keepdim=True)
        return torch.where(norm == 0, torch.zeros_like(x), x / norm)

    return run


def _local_response(node: Node) -> Kernel:
    size, bias = node.integer("size"), node.number("bias", 1.0)
    alpha, beta = node.number("alpha", 1e-4), node.number("beta", 0.75)

    def run(x: Tensor) -> Tensor:
        before = (size - 1) // 2
        squares = fn.pad((x * x).movedim(1, -1), (before, size - 1 - before)).unfold(-1, size, 1).sum(-1)
        return x / (bias + alpha / size * squares.movedim(-1, 1)) ** beta

    return run


def _along(kernel: Callable[[Tensor, int], Tensor]) -> Operator:
    """An operator along one axis; before opset 13 along that axis and all that follow, joined."""

    def build(node: Node) -> Kernel:
        old = node.version < 13
        axis = node.integer("axis", 1 if old else -1)

        def run(x: Tensor) -> Tensor:
            first = axis % x.dim()
            return kernel(x.flatten(first), first).reshape(x.shape) if old else kernel(x, axis)

        return run

    return Operator(build)


def _hardmax(x: Tensor, axis: int) -> Tensor:
    return torch.zeros_like(x).scatter(axis, x.argmax(axis, keepdim=True), 1.0)


#: Normalisations, softmax and their kin.
NORMALISATION: Mapping[str, Operator] = MappingProxyType(
    {
        "BatchNormalization": Operator(_batch),
        "GroupNormalization": Operator(_group),
        "Hardmax": _along(_hardmax),
        "InstanceNormalization": Operator(_instance),
        "LRN": Operator(_local_response),
        "LayerNormalization": Operator(_layer),
        "LogSoftmax": _along(torch.log_softmax),
        "LpNormalization": Operator(_lp),
        "MeanVarianceNormalization": Operator(_mean_variance),
        "RMSNormalization": Operator(_root_mean_square),
        "Softmax": _along(torch.softmax),
    }
)
