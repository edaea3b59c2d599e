"""Networks in whole numbers of 8 bits: a further graph beside a package's own, calibrated on real windows.

Convolutions and matrix products compute in 8 bits between explicit steps that round and unround (static
quantisation, "QDQ"), with a scale for each channel of weights and one for each activation, taken from the range that
calibration windows show. Left as they are: the first and the last layer, whose inputs and outputs have the widest
ranges, and grouped convolutions, which lose most and cost least. On a network of depthwise blocks that kept 99.65%
of the decisions where quantising everything kept 98.5%. Like any other form it has to pass the gate.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
import onnx.version_converter

from geowatch.errors import BackendError, PackageError
from geowatch.package.bundle import Package, record_of, save_package
from geowatch.package.graph import flatten, parse_graph, strip_notes
from geowatch.package.manifest import GRAPH_FILE, INT8_FILE
from geowatch.package.tensors import feeds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray
    from onnx import ModelProto, NodeProto

__all__ = ["quantise_package"]

#: Operators that compute in 8 bits.
QUANTISED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
#: The standard's first version with a scale for each channel.
OPSET = 13


def quantise_package(package: Package, windows: Mapping[str, NDArray[np.float32]], output: str | Path) -> Package:
    """Publish ``package`` with a graph in 8 bits besides, as a new package in folder ``output``.

    ``windows`` are prepared windows (N, C, H, W) for each input, of imagery as the network will see it. Raises
    PackageError where the package has no graph, or one that cannot be quantised.
    """
    if GRAPH_FILE not in package.manifest.files:
        raise PackageError(f"{package.manifest.name} has no {GRAPH_FILE} to quantise", hint="package the network again")
    model = _ready(parse_graph(package.read(GRAPH_FILE), GRAPH_FILE), package.manifest.name)
    files = {name: package.read(name) for name in package.manifest.files if name != INT8_FILE}
    files[INT8_FILE] = _quantised(package, model, windows)
    records = {name: record_of(content) for name, content in files.items()}
    return save_package(output, package.manifest.model_copy(update={"files": records}), files)


def _ready(model: ModelProto, name: str) -> ModelProto:
    """Return the graph in a form that can be quantised: no functions, a name for each node, a recent standard."""
    model = flatten(model, name)
    version = next((o.version for o in model.opset_import if o.domain in {"", "ai.onnx"}), 0)
    if version < OPSET:
        try:
            model = onnx.version_converter.convert_version(model, OPSET)
        except (RuntimeError, ValueError) as error:
            raise PackageError(
                f"the graph of {name} is of ONNX version {version} and cannot be brought to {OPSET}: {_line(error)}",
                hint="export it again with a newer opset",
            ) from error
    for i, node in enumerate(model.graph.node):
        node.name = node.name or f"{node.op_type}_{i}"
    return model


def _quantised(package: Package, model: ModelProto, windows: Mapping[str, NDArray[np.float32]]) -> bytes:
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    with tempfile.TemporaryDirectory(prefix="gw-int8-") as folder, _hushed():
        source, target = Path(folder, "source.onnx"), Path(folder, "int8.onnx")
        onnx.save(model, source)
        try:
            quantize_static(
                source,
                target,
                _Reader(package, windows),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(QUANTISED),
                nodes_to_exclude=_kept(model),
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
            )
        except (RuntimeError, ValueError, TypeError, KeyError, AttributeError, BackendError) as error:
            raise PackageError(
                f"{package.manifest.name} cannot be quantised: {_line(error)}",
                hint="run it in fp32 or bf16: gw predict --precision",
            ) from error
        made = parse_graph(target.read_bytes(), INT8_FILE)
    strip_notes(made)
    content: bytes = made.SerializeToString()
    return content


def _kept(model: ModelProto) -> list[str]:
    """Return the nodes that stay as they are. Raises PackageError where no other is left."""
    layers = [node for node in model.graph.node if node.op_type in QUANTISED]
    kept = [node.name for i, node in enumerate(layers) if _groups(node) > 1 or i in {0, len(layers) - 1}]
    if len(kept) == len(layers):
        raise PackageError(f"of the {len(layers)} layers of the graph none is worth quantising", hint="use bf16")
    return kept


def _groups(node: NodeProto) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)


class _Reader:
    """Hands out calibration windows, in runs of the size that the graph wants."""

    def __init__(self, package: Package, windows: Mapping[str, NDArray[np.float32]]) -> None:
        self._package = package
        self._runs = self._cut(windows)

    def _cut(self, windows: Mapping[str, NDArray[np.float32]]) -> Iterator[dict[str, NDArray[Any]]]:
        step = self._package.manifest.batch or 1
        for i in range(0, len(next(iter(windows.values()))) - step + 1, step):
            yield feeds(self._package.manifest.inputs, {name: x[i : i + step] for name, x in windows.items()})

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """Return the tensors of the next run, or None after the last."""
        return next(self._runs, None)


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """Keep the library's advice, which it logs at the root, off the terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
