"""ONNX graphs: what may be in one, and what its tensors are called.

A graph is data that a runtime interprets, as long as it stays within the standard operators and holds all its
numbers itself. `parse_graph` refuses what goes beyond that, also inside subgraphs and functions: files beside
the graph, operators of other domains, and operators that draw random numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import onnx
import onnx.inliner
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from geowatch.errors import PackageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto

__all__ = [
    "MAX_GRAPH_BYTES",
    "TensorInfo",
    "all_graphs",
    "all_tensors",
    "check_graph",
    "flatten",
    "parse_graph",
    "read_graph",
    "signature",
    "strip_notes",
]

#: Domains of the ONNX standard itself.
DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
#: Operators whose result differs from run to run.
RANDOM = frozenset(
    {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
)
#: A serialised graph cannot be larger: protobuf's own limit.
MAX_GRAPH_BYTES = 2**31 - 1


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """An input or output of a graph, as declared; only running it tells the true shape."""

    name: str
    """Its name."""
    dtype: str
    """Number type, such as ``float32``."""
    dims: tuple[int | None, ...]
    """Sizes; None where free."""


def parse_graph(content: bytes, name: str, *, max_bytes: int = MAX_GRAPH_BYTES) -> ModelProto:
    """Parse the bytes of an ONNX file and check them. Raises PackageError, naming the file by ``name``."""
    model = read_graph(content, name, max_bytes=max_bytes)
    check_graph(model, name)
    return model


def read_graph(content: bytes, name: str, *, max_bytes: int = MAX_GRAPH_BYTES) -> ModelProto:
    """Parse the bytes of an ONNX file, whatever is in it: it is still to be checked. Raises as `parse_graph`."""
    if len(content) > max_bytes:
        raise PackageError(
            f"{name} has {len(content):,} bytes; at most {max_bytes:,} are taken",
            hint="raise the limit with --max-bytes, up to ONNX's own of 2 GiB",
        )
    try:
        model = onnx.ModelProto.FromString(content)
    except DecodeError as error:
        raise PackageError(f"{name} is no ONNX file ({error})", hint=_HINT_EXPORT) from error
    if not model.graph.node or not model.graph.output:
        raise PackageError(f"{name} is no ONNX network: it has no nodes or no outputs", hint=_HINT_EXPORT)
    return model


_HINT_EXPORT = "export the network with torch.onnx.export, or package a torch module with `gw model package`"


def check_graph(model: ModelProto, name: str) -> None:
    """Refuse what is no plain data. Raises PackageError naming the first thing found.

    >>> from onnx import TensorProto, helper
    >>> node = helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft")
    >>> x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1]) for n in "xy")
    >>> check_graph(helper.make_model(helper.make_graph([node], "g", [x], [y])), "net.onnx")
    Traceback (most recent call last):
    geowatch.errors.PackageError: net.onnx uses operator 'Gelu' of the custom domain 'com.microsoft'
    hint: export it with standard ONNX operators only (domains ai.onnx and ai.onnx.ml)
    """
    if model.training_info:
        raise PackageError(f"{name} carries training graphs", hint="export it for inference")
    local = {(f.domain, f.name) for f in model.functions}
    for node in _all_nodes(model):
        _check_operator(node, local, name)
    for tensor in all_tensors(model):
        _check_tensor(tensor, name)


def _check_operator(node: NodeProto, local: set[tuple[str, str]], name: str) -> None:
    if node.domain not in DOMAINS and (node.domain, node.op_type) not in local:
        raise PackageError(
            f"{name} uses operator {node.op_type!r} of the custom domain {node.domain!r}",
            hint="export it with standard ONNX operators only (domains ai.onnx and ai.onnx.ml)",
        )
    if node.op_type in RANDOM:
        raise PackageError(f"{name} draws random numbers ({node.op_type})", hint="export it in evaluation mode")


def _check_tensor(tensor: TensorProto, name: str) -> None:
    if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
        where = {e.key: e.value for e in tensor.external_data}.get("location", "?")
        raise PackageError(
            f"{name} keeps tensor {tensor.name!r} in another file ({where!r})",
            hint="save it as one file: onnx.save(model, path, save_as_external_data=False)",
        )


def _all_nodes(model: ModelProto) -> Iterator[NodeProto]:
    """Every node of graph, functions and subgraphs."""
    for graph in all_graphs(model):
        yield from graph.node


def all_graphs(model: ModelProto) -> Iterator[GraphProto | FunctionProto]:
    """Every graph and function, subgraphs included."""
    waiting: list[GraphProto | FunctionProto] = [model.graph, *model.functions]
    while waiting:
        graph = waiting.pop()
        yield graph
        for attribute in _attributes(graph):
            if attribute.HasField("g"):
                waiting.append(attribute.g)
            waiting.extend(attribute.graphs)


def _attributes(graph: GraphProto | FunctionProto) -> Iterator[AttributeProto]:
    for node in graph.node:
        yield from node.attribute
    yield from getattr(graph, "attribute_proto", ())


def all_tensors(model: ModelProto) -> Iterator[TensorProto]:
    """Every stored tensor, those of attributes included."""
    for graph in all_graphs(model):
        yield from getattr(graph, "initializer", ())
        sparse = list(getattr(graph, "sparse_initializer", ()))
        for attribute in _attributes(graph):
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            if attribute.HasField("sparse_tensor"):
                sparse.append(attribute.sparse_tensor)
            sparse.extend(attribute.sparse_tensors)
        for pair in sparse:
            yield from (pair.values, pair.indices)


def flatten(model: ModelProto, name: str) -> ModelProto:
    """Return the graph with its local functions written out. Raises PackageError where it cannot be done."""
    if not model.functions:
        return model
    try:
        flat: ModelProto = onnx.inliner.inline_local_functions(model)
    except (RuntimeError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise PackageError(f"the functions of {name} cannot be inlined: {first}", hint=_HINT_EXPORT) from error
    check_graph(flat, name)
    return flat


def strip_notes(model: ModelProto) -> None:
    """Remove what exporters note beside the graph, such as source lines and paths of their machine."""
    del model.metadata_props[:]
    for graph in all_graphs(model):
        del graph.metadata_props[:]
        graph.doc_string = ""
        for part in (*graph.node, *graph.value_info, *getattr(graph, "initializer", ())):
            del part.metadata_props[:]
            part.doc_string = ""
    for value in (*model.graph.input, *model.graph.output):
        del value.metadata_props[:]
        value.doc_string = ""


def signature(model: ModelProto) -> tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]]:
    """Return (inputs, outputs) of the graph; inputs that have a stored value are not among them."""
    stored = {t.name for t in model.graph.initializer}
    inputs = tuple(_tensor_info(v) for v in model.graph.input if v.name not in stored)
    return inputs, tuple(_tensor_info(v) for v in model.graph.output)


def _tensor_info(value: onnx.ValueInfoProto) -> TensorInfo:
    kind = value.type.tensor_type
    if not value.type.HasField("tensor_type"):
        raise PackageError(f"{value.name!r} is no tensor", hint="only networks from tensors to tensors are taken")
    dims = tuple(d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in kind.shape.dim)
    return TensorInfo(value.name, _dtype_name(kind.elem_type), dims)


def _dtype_name(elem_type: int) -> str:
    if elem_type == onnx.TensorProto.BFLOAT16:
        return "bfloat16"
    return str(onnx.helper.tensor_dtype_to_np_dtype(elem_type))
