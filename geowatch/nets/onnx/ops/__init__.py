"""The operator table: what torch function each ONNX operator is. A graph with any other one is refused."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from geowatch.nets.onnx.ops.convolution import CONVOLUTION
from geowatch.nets.onnx.ops.indexing import INDEXING
from geowatch.nets.onnx.ops.normalisation import NORMALISATION
from geowatch.nets.onnx.ops.operator import Kernel, Operator
from geowatch.nets.onnx.ops.pointwise import POINTWISE
from geowatch.nets.onnx.ops.pooling import POOLING
from geowatch.nets.onnx.ops.reduction import REDUCTION
from geowatch.nets.onnx.ops.resizing import RESIZING
from geowatch.nets.onnx.ops.shape import SHAPE

__all__ = ["OPERATORS", "Kernel", "Operator"]

#: All operators that convert, by name.
OPERATORS: Mapping[str, Operator] = MappingProxyType(
    {
        **POINTWISE,
        **CONVOLUTION,
        **POOLING,
        **NORMALISATION,
        **REDUCTION,
        **SHAPE,
        **INDEXING,
        **RESIZING,
    }
)
