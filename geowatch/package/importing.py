"""Import of a foreign network: an ONNX file and what the user says of it become a package."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from geowatch.errors import BackendError, PackageError
from geowatch.package.backends.onnxruntime import GraphSession
from geowatch.package.beside import take_in
from geowatch.package.box_graph import arranged
from geowatch.package.bundle import PICKLES, Package, record_of, save_package
from geowatch.package.flops import count_gflop
from geowatch.package.graph import check_graph, flatten, read_graph, signature
from geowatch.package.manifest import GRAPH_FILE, Manifest, NetSpec, Origin
from geowatch.package.spec import ImportSpec, complaint, identifier
from geowatch.package.tensors import feeds
from geowatch.package.trial import Findings, probe, trial_windows, try_network
from geowatch.package.widen import is_half, widened

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray
    from onnx import ModelProto

    Arrays = dict[str, NDArray[Any]]

__all__ = ["import_onnx", "publish_network"]


def import_onnx(path: str | Path, spec: ImportSpec, output: str | Path) -> Package:
    """Make package folder ``output`` from the ONNX file ``path``.

    Tensors that the file keeps in files beside it are taken into the graph. The graph is checked to be plain data and
    run on zeros and noise: sizes, layouts and the kind of output are found or compared with what ``spec`` says. Half
    precision is widened to float32. Raises PackageError where they do not fit.
    """
    source = Path(path)
    content = _read_source(source, spec.max_bytes)
    model, beside = _whole(content, source, spec.max_bytes)
    model = widened(model) if is_half(model) else model
    origin = Origin(
        kind="onnx",
        source=source.name,
        source_sha256=record_of(content).sha256,
        weights_sha256=beside,
        versions={name: version(name) for name in ("onnx", "onnxruntime")},
    )
    name = spec.name or identifier(source.stem, "model")
    return publish_network(model, spec, output, name=name, origin=origin)


def _whole(content: bytes, source: Path, max_bytes: int) -> tuple[ModelProto, str | None]:
    """Return the checked graph with what it keeps in files beside it, and the digest of these."""
    model = read_graph(content, source.name, max_bytes=max_bytes)
    beside = take_in(model, source, max_bytes)
    check_graph(model, source.name)
    return flatten(model, source.name), beside


def _read_source(source: Path, max_bytes: int) -> bytes:
    if source.suffix.lower() in PICKLES:
        raise PackageError(
            f"{source} would run code when loaded",
            hint="export it to ONNX, or use `gw model package --net module:Class --weights FILE`",
        )
    try:
        if (size := source.stat().st_size) > max_bytes:
            raise PackageError(
                f"{source} has {size:,} bytes; at most {max_bytes:,} are taken",
                hint="raise it with --max-bytes",
            )
        return source.read_bytes()
    except OSError as error:
        raise PackageError(f"cannot read {source} ({error.strerror})", hint="give the path of an ONNX file") from error


def publish_network(
    model: ModelProto,
    spec: ImportSpec,
    output: str | Path,
    *,
    name: str,
    origin: Origin,
    net: tuple[NetSpec, Mapping[str, bytes]] | None = None,
) -> Package:
    """Try a checked graph and publish it as a package, beside a registry network's files if any."""
    model, spec = arranged(model, spec, partial(_probed, model))
    content = model.SerializeToString()
    try:
        findings = try_network(GraphSession(content, threads=1), signature(model), spec)
    except BackendError as error:
        raise PackageError(error.fact, hint=error.hint or _hint(model)) from error
    files = {GRAPH_FILE: content, **(net[1] if net else {})}
    try:
        manifest = Manifest(
            name=name,
            version=spec.version,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            license=spec.license,
            description=spec.description,
            inputs=findings.inputs,
            window=findings.window,
            resolution_m=spec.resolution_m,
            heads=findings.heads,
            boxes=findings.boxes,
            series=spec.series,
            batch=findings.batch,
            net=net[0] if net else None,
            gflop_per_window=_gflop(model, findings),
            origin=origin,
            files={file: record_of(data) for file, data in files.items()},
        )
    except ValidationError as error:
        raise PackageError(f"the package contradicts itself: {complaint(error)}") from error
    return save_package(output, manifest, files)


def _probed(model: ModelProto, spec: ImportSpec) -> tuple[Arrays, Arrays, int]:
    try:
        session = GraphSession(model.SerializeToString(), threads=1)
    except BackendError as error:
        raise PackageError(error.fact, hint=error.hint or _hint(model)) from error
    return probe(session, signature(model), spec)


def _hint(model: ModelProto) -> str:
    """Return what may help where a graph does not run."""
    if any(tensor.dtype == "float64" for tensor in signature(model)[0]):
        return "it computes in double precision, which few operators have: export it in float32, as by model.float()"
    return "does onnxruntime run it by itself? Export it again, with another opset or exporter"


def _gflop(model: ModelProto, findings: Findings) -> float | None:
    n = findings.batch or 1
    windows = trial_windows(findings.inputs, n, findings.window.size)
    total = count_gflop(model, feeds(findings.inputs, windows))
    return None if total is None else total / n
