"""Packages from torch: a network of the registry, or a user's own module, and its weights.

A registry network is kept as safetensors and as ONNX, so that every backend can run it. A user's own module
cannot be kept as it is, since loading it would run code: it is kept as the ONNX graph that torch exports from
it. Either graph is compared with the module's own answers before anything is published.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from geowatch.errors import BackendError, PackageError
from geowatch.package.backends.onnxruntime import GraphSession
from geowatch.package.box_gate import compare_boxes
from geowatch.package.box_head import BoxesSpec
from geowatch.package.boxes_said import keyed
from geowatch.package.bundle import Package, record_of
from geowatch.package.graph import TensorInfo, flatten, parse_graph, strip_notes
from geowatch.package.importing import publish_network
from geowatch.package.manifest import WEIGHTS_FILE, InputSpec, NetSpec, Origin, by_tensor
from geowatch.package.spec import ImportSpec, complaint, describe_inputs, identifier
from geowatch.package.tensors import feeds
from geowatch.package.trial import DEFAULT_WINDOW_PX, MULTIPLES, trial_windows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from onnx import ModelProto
    from torch import nn

__all__ = ["NetSource", "package_net"]

#: Largest difference of raw outputs between module and graph, as a share of the largest output.
EXPORT_TOLERANCE = 1e-3
#: Smallest share of objects that module and graph both find.
EXPORT_AGREEMENT = 0.99


@dataclass(frozen=True, kw_only=True)
class NetSource:
    """A torch network and its weights."""

    net: str
    """Name in the registry, ``module:Class`` or ``file.py:Class``."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of the network: fields of its configuration, or keyword arguments of the class."""
    weights: Path | None = None
    """File of weights: safetensors, or a pickle of tensors alone; None takes those drawn by ``seed``."""
    seed: int = 0
    """Seed of weights that no file gives, registry networks only."""

    @property
    def foreign(self) -> bool:
        """Whether it is the user's own code."""
        return ":" in self.net


def package_net(source: NetSource, spec: ImportSpec, output: str | Path) -> Package:
    """Make package folder ``output`` from a torch network. A user's own code runs, here and never later.

    Raises:
        PackageError: the network cannot be built, filled, exported or described so.
        ConfigError: the registry has no such network or option.
    """
    spec = _described(source, spec)
    net, kept = _build(source, spec)
    size = spec.window or (DEFAULT_WINDOW_PX, DEFAULT_WINDOW_PX)
    inputs = describe_inputs(_arguments(net, spec, size), spec)
    model = _exported(net, inputs, size, spec.boxes, traced=_is_traced(source))
    origin = Origin(
        kind="module" if source.foreign else "registry",
        source=source.net,
        weights_sha256=None if source.weights is None else record_of(source.weights.read_bytes()).sha256,
        versions={name: version(name) for name in ("torch", "onnx", "onnxruntime")},
    )
    name = spec.name or identifier(source.net.rpartition(":")[2], "model")
    return publish_network(model, spec, output, name=name, origin=origin, net=kept)


def _described(source: NetSource, spec: ImportSpec) -> ImportSpec:
    """Return ``spec`` with what a network of the registry says of itself wherever the user says nothing."""
    from geowatch.nets.registry import NETS, net_config

    entry = None if source.foreign else NETS.get(source.net)
    if entry is None or entry.describe is None:
        return spec
    own: dict[str, Any] = dict(entry.describe(net_config(source.net, source.options)))
    silent = {f.name for f in fields(ImportSpec) if getattr(spec, f.name) == f.default}
    known = {name: value for name, value in own.items() if name in silent}
    if "inputs" in known:
        known["inputs"] = TypeAdapter(tuple[InputSpec, ...]).validate_python(known["inputs"])
    if "boxes" in known:
        said = {name: getattr(spec, name) for name in ("min_score", "max_overlap") if name not in silent}
        boxes = TypeAdapter(tuple[BoxesSpec, ...]).validate_python(known["boxes"])
        known["boxes"] = tuple(each.model_copy(update=said) for each in boxes)
    return replace(spec, **known)


def _build(source: NetSource, spec: ImportSpec) -> tuple[nn.Module, tuple[NetSpec, dict[str, bytes]] | None]:
    """Return the network, and for one of the registry what a package keeps of it."""
    from geowatch.nets.foreign import build_foreign
    from geowatch.nets.registry import build_net
    from geowatch.nets.weights import dump_weights, fill_weights, read_weights

    options = dict(source.options) if source.foreign else _registry_options(source, spec)
    net = build_foreign(source.net, options) if source.foreign else build_net(source.net, options, seed=source.seed)
    if source.weights is not None:
        fill_weights(net, read_weights(source.weights), str(source.weights))
        net = net.eval()
    if source.foreign:
        return net, None
    try:
        kept = NetSpec(name=source.net, kwargs=options)
    except ValidationError as error:
        raise PackageError(
            f"the options of {source.net} are no plain numbers: {complaint(error)}", hint="give --option NAME=NUMBER"
        ) from error
    return net, (kept, {WEIGHTS_FILE: dump_weights(net)})


def _registry_options(source: NetSource, spec: ImportSpec) -> dict[str, Any]:
    """Return the options given, with channels and heads from what is said of bands and classes."""
    from geowatch.nets.registry import NETS

    options = dict(source.options)
    known = {f.name for f in fields(NETS[source.net].config)} if source.net in NETS else set()
    if "channels" in known and "channels" not in options:
        parts = spec.inputs or [InputSpec(name="x", tensor="x", bands=spec.bands, steps=spec.steps)] * spec.dates
        options["channels"] = sum(len(part.channels) for part in parts)
    if "heads" in known and "heads" not in options:
        named = {h.output: h.raw_channels for h in spec.heads} or {"scores": len(spec.classes)}
        options["heads"] = named
    return options


def _arguments(net: nn.Module, spec: ImportSpec, size: tuple[int, int]) -> tuple[TensorInfo, ...]:
    """Return the arguments of the network as tensors of a graph."""
    if spec.inputs:
        return tuple(TensorInfo(name, parts[0].dtype, ()) for name, parts in by_tensor(spec.inputs).items())
    wanted = [
        p.name
        for p in inspect.signature(net.forward).parameters.values()
        if p.default is p.empty and p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}
    ]
    names = wanted if len(wanted) == spec.dates else (wanted[:1] or ["input"])
    return tuple(TensorInfo(identifier(name, "input"), "float32", (None, None, *size)) for name in names)


def _is_traced(source: NetSource) -> bool:
    from geowatch.nets.registry import NETS

    return not source.foreign and NETS[source.net].traced


def _exported(
    net: nn.Module, inputs: tuple[InputSpec, ...], size: tuple[int, int], boxes: tuple[BoxesSpec, ...], *, traced: bool
) -> ModelProto:
    """Return the network as a checked graph that answers as it does, with as many free sizes as it allows."""
    from geowatch.nets.export import answers, export_onnx

    windows = trial_windows(inputs, 2, size)
    tensors = feeds(inputs, windows)
    names = tuple(answers(net, list(tensors.values())))
    layouts = {i.tensor: i.layout for i in inputs}
    reason = None
    for axes in ("NHW", "N", ""):
        free = {name: [layouts[name].index(axis) for axis in axes] for name in tensors}
        try:
            content = export_onnx(net, tensors, names, free_axes=free, traced=traced)
            model = parse_graph(content, "the exported graph")
            strip_notes(model)
            model = flatten(model, "the exported graph")
            for shape in _shapes_to_check(net, inputs, size, axes):
                _check_answers(net, model, feeds(inputs, trial_windows(inputs, *shape)), boxes)
        except PackageError as error:
            reason = error
        else:
            return model
    raise reason or PackageError("torch exported nothing")


def _shapes_to_check(
    net: nn.Module, inputs: tuple[InputSpec, ...], size: tuple[int, int], axes: str
) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yield (windows, size) that a graph with free ``axes`` must take: several windows, one, and a larger size."""
    from geowatch.nets.export import answers

    yield 2 if axes == "" else 3, size
    if axes:
        yield 1, size
    if "H" not in axes:
        return
    for step in MULTIPLES:
        larger = (size[0] + step, size[1] + 2 * step)
        try:
            answers(net, list(feeds(inputs, trial_windows(inputs, 2, larger)).values()))
        except PackageError:
            continue  # the network itself does not take that size
        yield 2, larger
        return


def _check_answers(
    net: nn.Module, model: ModelProto, tensors: dict[str, NDArray[Any]], boxes: tuple[BoxesSpec, ...]
) -> None:
    """Compare graph and module on windows. Raises PackageError where they differ."""
    from geowatch.nets.export import answers

    wanted = answers(net, list(tensors.values()))
    try:
        found = GraphSession(model.SerializeToString(), threads=1).run(tensors)
    except BackendError as error:
        raise PackageError(f"the exported graph does not run: {error.fact}") from error
    listed = {tensor for head in boxes for tensor in head.tensors.values()}
    for name in set(wanted) - listed:
        _check_same(name, found[name], wanted[name])
    height, width = next(iter(tensors.values())).shape[-2:]
    for head in boxes:
        _check_found(head, keyed(head, found), keyed(head, wanted), (height, width))


def _check_found(
    head: BoxesSpec, found: dict[str, NDArray[Any]], wanted: dict[str, NDArray[Any]], window: tuple[int, int]
) -> None:
    """Compare what is found, in whichever order: objects of nearly the same score may change places."""
    shares = [len(found[key]) == len(x) for key, x in wanted.items()]
    gap, _, agreement, _ = compare_boxes(head, found, wanted, window) if all(shares) else (0.0, 0.0, 0.0, 0)
    if agreement < EXPORT_AGREEMENT or gap > EXPORT_TOLERANCE:
        raise PackageError(
            f"the exported graph finds other {head.name!r} than the network: {agreement:.1%} of them are the same",
            hint="does it branch on values or on the number of windows? Export it by hand and import it",
        )


def _check_same(name: str, found: NDArray[Any], wanted: NDArray[Any]) -> None:
    scale = max(1.0, float(np.abs(wanted).max()))
    if found.shape != wanted.shape or not np.abs(found - wanted).max() <= EXPORT_TOLERANCE * scale:
        raise PackageError(
            f"output {name!r} of the exported graph is not what the network answers",
            hint="does it branch on values or on the number of windows? Export it by hand and import it",
        )
