"""Numbers that an ONNX file keeps in files beside it, taken into the graph.

torch's exporter and `onnx.save_model` put large tensors into a file such as ``net.onnx.data``. A package keeps a graph
in one file; so whoever imports has those files read here, once, and only from the graph's own folder. What cannot be
taken stays as it is, and the check of the graph refuses it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import onnx

from geowatch.errors import PackageError
from geowatch.package.graph import all_tensors

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

__all__ = ["take_in"]


def take_in(model: ModelProto, source: Path, max_bytes: int) -> str | None:
    """Put into ``model`` what it keeps beside its file ``source``; return the SHA-256 of those files, None for none.

    Several files count in the order of their names. Raises PackageError where a file is missing, leads out of the
    folder of ``source``, is too short, or all of it is more than ``max_bytes``.
    """
    wanted = [tensor for tensor in all_tensors(model) if tensor.data_location == onnx.TensorProto.EXTERNAL]
    names = sorted({_said(tensor).get("location", "") for tensor in wanted})
    files = {name: _beside(source, name) for name in names}
    _check_size(source, files, max_bytes)
    contents = {name: _content(path, source) for name, path in files.items()}
    for tensor in wanted:
        _fill(tensor, contents[_said(tensor).get("location", "")], source)
    if not names:
        return None
    return hashlib.sha256(b"".join(contents.values())).hexdigest()


def _said(tensor: TensorProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in tensor.external_data}


def _beside(source: Path, name: str) -> Path:
    """Return the path of a file in the folder of ``source``; a link may lead where ``source`` itself is linked to."""
    parts = PurePosixPath(name).parts
    path = source.parent.joinpath(*parts)
    allowed = {source.parent.resolve(), source.resolve().parent}
    plain = bool(parts) and not PurePosixPath(name).is_absolute() and not set(name) & {"\\", "\0"}
    if not plain or not any(path.resolve().is_relative_to(folder) for folder in allowed):
        raise PackageError(
            f"{source.name} keeps tensors in another file, out of its folder ({name!r})",
            hint="put that file beside the graph, and save both again with onnx.save_model",
        )
    return path


def _check_size(source: Path, files: dict[str, Path], max_bytes: int) -> None:
    missing = [name for name, path in files.items() if not path.is_file()]
    if missing:
        raise PackageError(
            f"{source.name} keeps tensors in another file, which is not there ({missing[0]!r})",
            hint="copy it beside the graph, or export one file: torch.onnx.export(..., external_data=False)",
        )
    total = sum(path.stat().st_size for path in (source, *files.values()))
    if total > max_bytes:
        raise PackageError(
            f"{source} and the files beside it have {total:,} bytes; at most {max_bytes:,} are taken",
            hint="raise it with --max-bytes, up to ONNX's own limit of 2 GiB for one file",
        )


def _content(path: Path, source: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PackageError(f"cannot read {path} ({error.strerror})", hint=f"{source.name} needs it") from error


def _fill(tensor: TensorProto, content: bytes, source: Path) -> None:
    """Move the bytes of ``tensor`` from ``content`` into it."""
    said = _said(tensor)
    numbers = [said.get("offset", "0"), said.get("length", str(len(content)))]
    offset, length = (int(number) if number.isdecimal() else -1 for number in numbers)
    if min(offset, length) < 0 or ("length" in said and offset + length > len(content)):
        raise PackageError(
            f"{source.name} keeps tensor {tensor.name!r} in bytes {numbers[0]} + {numbers[1]} of {said['location']!r}, "
            f"which has {len(content):,}",
            hint="the two files do not belong together: export both again",
        )
    tensor.raw_data = content[offset : offset + length]
    del tensor.external_data[:]
    tensor.data_location = onnx.TensorProto.DEFAULT
