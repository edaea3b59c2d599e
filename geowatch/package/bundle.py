"""Packages on disk: a folder of a manifest and the files that it names, and nothing else.

`load_package` trusts nothing: every byte is compared with its digest, every graph is checked to be plain
data, and a file that the manifest does not name, a link or a pickle makes the package unusable.
`save_package` writes a folder under another name and renames it, so that a package is there whole or not at
all.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from geowatch.errors import DamagedError, PackageError, StoreError
from geowatch.package.graph import MAX_GRAPH_BYTES, parse_graph
from geowatch.package.manifest import SCHEMA_VERSION, FileRecord, Manifest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["MANIFEST_FILE", "Package", "load_package", "record_of", "save_package"]

#: Name of the manifest in a package.
MANIFEST_FILE = "manifest.json"
#: A manifest is text for people; a larger one is not read.
MAX_MANIFEST_BYTES = 8 * 2**20
#: Kinds of file that can be part of a package. None of them runs.
SUFFIXES = frozenset({".onnx", ".safetensors", ".json", ".yaml", ".md", ".txt", ""})
#: Kinds that run when loaded, named so that the refusal can say why.
PICKLES = frozenset({".pt", ".pth", ".pt2", ".pkl", ".pickle", ".ckpt", ".bin", ".joblib", ".engine", ".trt", ".ts"})


@dataclass(frozen=True, slots=True)
class Package:
    """A package whose every file was found to be what its manifest says."""

    path: Path
    """Its folder."""
    manifest: Manifest
    """What it says of itself."""
    digest: str
    """SHA-256 that stands for the whole package, hexadecimal."""

    def read(self, name: str) -> bytes:
        """Return the bytes of one file, checked against the manifest again. Raises DamagedError."""
        if name not in self.manifest.files:
            raise PackageError(f"package {self.path} has no file {name!r}")
        return _read_checked(self.path, name, self.manifest.files[name])


def load_package(path: str | Path) -> Package:
    """Open the package in folder ``path`` after checking all of it.

    What this process has checked is not checked again while no file of the folder changes; `Package.read` checks
    each file again in any case.

    Raises:
        PackageError: it is no package, or holds something that a package may not hold.
        DamagedError: a file is not what the manifest says.
    """
    root = Path(path)
    if not root.is_dir():
        raise PackageError(f"no package at {root}", hint="make one with `gw model import` or `gw model package`")
    return _load(root, _state(root))


def _state(root: Path) -> tuple[tuple[str, int, int, int], ...]:
    """Return what changes when a file of the folder does."""
    found = ((entry.name, entry.stat(follow_symlinks=False)) for entry in os.scandir(root))
    return tuple(sorted((name, stats.st_ino, stats.st_size, stats.st_ctime_ns) for name, stats in found))


@lru_cache(maxsize=4)
def _load(root: Path, _checked: tuple[tuple[str, int, int, int], ...]) -> Package:
    manifest = _read_manifest(root)
    _check_names(root, manifest)
    for name, record in manifest.files.items():
        content = _read_checked(root, name, record)
        if Path(name).suffix == ".onnx":
            parse_graph(content, f"{root}/{name}")
    return Package(root, manifest, manifest.digest)


def _read_manifest(root: Path) -> Manifest:
    where = root / MANIFEST_FILE
    if not os.path.lexists(where):
        raise PackageError(f"{root} is no package: it has no {MANIFEST_FILE}", hint="give the folder of a package")
    content = _read_regular(where, MAX_MANIFEST_BYTES)
    _check_version(content, where)
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        raise PackageError(f"{where} is no valid manifest: {_first(error)}", hint=_HINT_REMAKE) from error


_HINT_REMAKE = "fetch or make the package again"


def _first(error: ValidationError) -> str:
    """Return the first complaint of pydantic as one line."""
    found = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in found["loc"])
    return f"{where}: {found['msg']}" if where else str(found["msg"])


def _check_version(content: bytes, where: Path) -> None:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{where} is cut short or no JSON ({error})", hint=_HINT_REMAKE) from error
    version = document.get("schema_version") if isinstance(document, dict) else None
    if version != SCHEMA_VERSION:
        newer = str(version).isdecimal() and int(str(version)) > int(SCHEMA_VERSION)
        raise PackageError(
            f"{where} has schema version {version!r}; this gw reads {SCHEMA_VERSION!r}",
            hint="install a newer gw" if newer else _HINT_REMAKE,
        )


def _check_names(root: Path, manifest: Manifest) -> None:
    for name in manifest.files:
        _check_kind(root, name)
    for entry in sorted(os.scandir(root), key=lambda e: e.name):
        if entry.name not in manifest.files and entry.name != MANIFEST_FILE:
            _check_kind(root, entry.name)
            raise PackageError(
                f"package {root} holds {entry.name!r}, which its manifest does not name",
                hint="remove that file",
            )


def _check_kind(root: Path, name: str) -> None:
    suffix = Path(name).suffix.lower()
    if suffix in PICKLES:
        raise PackageError(
            f"package {root} holds {name!r}: such files run code when loaded",
            hint="package the network again with `gw model package`, which keeps safetensors and ONNX",
        )
    if suffix not in SUFFIXES or name == MANIFEST_FILE:
        raise PackageError(f"package {root} names {name!r}, which is no file of a package", hint=_HINT_REMAKE)


def _read_regular(path: Path, max_bytes: int) -> bytes:
    """Read a plain file whole; links and everything else that is no file are refused."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise DamagedError(f"{path} is missing", hint=_HINT_REMAKE) from error
    except OSError as error:
        raise PackageError(f"{path} is no plain file ({error.strerror})", hint=_HINT_REMAKE) from error
    with os.fdopen(fd, "rb") as file:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise PackageError(f"{path} is no plain file", hint=_HINT_REMAKE)
        if found.st_size > max_bytes:
            raise PackageError(f"{path} has {found.st_size:,} bytes; at most {max_bytes:,} are taken")
        return file.read()


def _read_checked(root: Path, name: str, record: FileRecord) -> bytes:
    limit = max(record.bytes, MAX_GRAPH_BYTES) if name.endswith(".safetensors") else MAX_GRAPH_BYTES
    content = _read_regular(root / name, limit)
    if record_of(content) != record:
        raise DamagedError(
            f"{root / name} is not what its manifest says: {len(content):,} bytes for {record.bytes:,}, "
            f"or another digest",
            hint=_HINT_REMAKE,
        )
    return content


def record_of(content: bytes) -> FileRecord:
    """Return the record of a file with these bytes."""
    return FileRecord(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))


def save_package(path: str | Path, manifest: Manifest, files: Mapping[str, bytes]) -> Package:
    """Publish a package as folder ``path`` in one step, and return it opened.

    ``files`` hold the bytes of every file that the manifest names. Where the very same package is already
    there, nothing happens. Raises PackageError where something else is there.
    """
    target = Path(path)
    if {name: record_of(content) for name, content in files.items()} != manifest.files:
        raise PackageError(f"the manifest of {target} does not describe the files given")
    if not _is_same(target, manifest):
        with _drafted(target) as draft:
            for name, content in files.items():
                (draft / name).write_bytes(content)
            (draft / MANIFEST_FILE).write_bytes(manifest.document())
            _publish(draft, target, manifest)
    return load_package(target)


def _is_same(target: Path, manifest: Manifest) -> bool:
    """Whether this package is there already. Raises PackageError where something else is."""
    if not os.path.lexists(target) or (target.is_dir() and not any(target.iterdir())):
        return False
    with contextlib.suppress(PackageError, StoreError):
        if load_package(target).digest == manifest.digest:
            return True
    raise PackageError(f"{target} exists and is something else", hint="remove it, or name another folder with -o")


@contextlib.contextmanager
def _drafted(target: Path) -> Iterator[Path]:
    """Give a folder beside ``target`` to write to; it is gone afterwards unless it was renamed."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent))
    except OSError as error:
        raise StoreError(f"cannot write to {target.parent} ({error.strerror})") from error
    try:
        draft.chmod(0o755)
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _publish(draft: Path, target: Path, manifest: Manifest) -> None:
    try:
        draft.rename(target)
    except OSError as error:
        if _is_same(target, manifest):
            return  # a twin was faster
        raise PackageError(
            f"cannot publish {target} ({error.strerror})",
            hint="another run may have made it; remove it or rename",
        ) from error
