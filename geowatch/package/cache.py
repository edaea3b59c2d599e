"""The local cache of compiled networks: files that a library made of a package on this machine, for this machine.

A package holds nothing that runs; what libraries compile from it does. So compiled forms are made here, kept under
a key of everything that made them, and never come from a package or the network. An entry appears whole or not at
all: it is built in a folder of another name and renamed. Each file's digest is checked before it is used, and an
entry that is not what its record says is built anew. Processes that want the same entry at once wait for the first.

Beside them stand verdicts: what the gate said of an entry and how fast it ran, so that a later run starts warm.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geowatch.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["ArtifactKey", "CacheEntry", "CompiledCache", "private_folder"]

#: Version of the cache's own form; another one finds nothing of this.
FORM = "1"
#: Name of the record in each entry.
RECORD = "artifact.json"
#: Unfinished folders begin so.
UNFINISHED = ".unfinished-"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactKey:
    """Everything that a compiled form depends on."""

    package: str
    """Digest of the package."""
    backend: str
    """Backend that compiles."""
    versions: tuple[tuple[str, str], ...]
    """(library, version) of everything that takes part, drivers included, sorted."""
    precision: str
    """Number type that it computes in."""
    device: str
    """Class of device, such as ``cpu-avx512`` or ``cuda-9.0 NVIDIA H100``."""
    window_px: tuple[int, int] | None = None
    """(height, width) that it is compiled for; None where it takes any."""
    batch: int | None = None
    """Windows of a run that it is compiled for; None where it takes any number."""
    threads: int | None = None
    """Threads that it is compiled for; None where they do not matter."""
    form: str = FORM
    """What else the backend did to it; a backend that compiles otherwise than before says so here."""

    @property
    def digest(self) -> str:
        """SHA-256 of the key, hexadecimal."""
        return hashlib.sha256(_json({**asdict(self), "cache": FORM}).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One entry of a cache, for listings."""

    key: Mapping[str, Any]
    """Its key, as written."""
    path: Path
    """Its folder."""
    bytes: int
    """Size of its files."""


@dataclass(frozen=True, slots=True)
class CompiledCache:
    """A folder of compiled networks and of verdicts about them."""

    folder: Path
    """The folder; it is made by the first entry."""

    def artifact(self, key: ArtifactKey, build: Callable[[Path], None]) -> Path:
        """Return the folder of ``key``'s files, each checked against its digest.

        Where there is none, ``build`` is called with an empty folder to fill. Where the cache cannot be written,
        the folder is a temporary one that lives as long as this process.

        Raises:
            StoreError: the cache is open to everybody's writing, so that anybody could have put files there.
        """
        self._check_private()
        place = self._place(key)
        if self.holds(key):
            return place
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            place.parent.mkdir(parents=True, exist_ok=True)
            with self._locked(key):
                return place if self.holds(key) else self._build(place, key, build)
        except OSError as error:
            if error.errno in _UNWRITABLE:
                return private_folder(build)
            raise StoreError(f"the cache in {self.folder} cannot be used ({error})", hint=_HINT) from error

    def holds(self, key: ArtifactKey) -> bool:
        """Whether ``key``'s files are there and undamaged."""
        place = self._place(key)
        record = _read_json(place / RECORD)
        return record is not None and record.get("key") == _plain(key) and record.get("files") == _files(place)

    def verdict(self, key: ArtifactKey) -> dict[str, Any] | None:
        """Return what was noted of ``key`` by `put_verdict`, or None. A damaged note counts as none."""
        note = _read_json(self._note(key))
        if note is None or note.get("key") != _plain(key) or not isinstance(note.get("verdict"), dict):
            return None
        return dict(note["verdict"])

    def put_verdict(self, key: ArtifactKey, verdict: Mapping[str, object]) -> None:
        """Note what was found of ``key``: the gate's figures, seconds. A cache that cannot be written forgets it."""
        self._check_private()
        note = self._note(key)
        content = _json({"key": _plain(key), "verdict": dict(verdict)})
        with _unwritable_is_fine():
            note.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = note.with_name(f"{UNFINISHED}{os.getpid()}-{os.urandom(4).hex()}")
            draft.write_text(content)
            draft.replace(note)

    def entries(self) -> Iterator[CacheEntry]:
        """Every entry, in the order of their digests. Their files' digests are not checked."""
        for path in sorted(self.folder.glob("artifacts/*/*")):
            record = _read_json(path / RECORD)
            if record is not None:
                total = sum(int(f["bytes"]) for f in record["files"].values())
                yield CacheEntry(record["key"], path, total)

    def _place(self, key: ArtifactKey) -> Path:
        return self.folder / "artifacts" / key.digest[:2] / key.digest

    def _note(self, key: ArtifactKey) -> Path:
        return self.folder / "verdicts" / key.digest[:2] / f"{key.digest}.json"

    def _check_private(self) -> None:
        """Refuse a folder that anybody may write to: what is in it runs."""
        with contextlib.suppress(FileNotFoundError):
            if self.folder.stat().st_mode & 0o002:
                raise StoreError(
                    f"everybody may write to the cache in {self.folder}, and compiled networks run as code",
                    hint=f"chmod o-w {self.folder}, or give another folder with --cache",
                )

    @contextlib.contextmanager
    def _locked(self, key: ArtifactKey) -> Iterator[None]:
        """Hold the entry's lock; it falls with the process that holds it, so a kill leaves nothing locked."""
        locks = self.folder / "locks"
        locks.mkdir(exist_ok=True)
        with (locks / key.digest).open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _build(self, place: Path, key: ArtifactKey, build: Callable[[Path], None]) -> Path:
        prefix = f"{UNFINISHED}{place.name[:16]}-"
        for left in place.parent.glob(f"{prefix}*"):  # by a process that was killed: the lock is ours now
            shutil.rmtree(left, ignore_errors=True)
        draft = Path(tempfile.mkdtemp(prefix=prefix, dir=place.parent))
        try:
            build(draft)
            (draft / RECORD).write_text(_json({"key": _plain(key), "files": _files(draft)}))
            if place.exists():  # damaged, or of another form: out of the way at once, then gone
                place.rename(draft.with_name(draft.name + "-old"))
                shutil.rmtree(draft.with_name(draft.name + "-old"), ignore_errors=True)
            draft.rename(place)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return place


_HINT = "give another folder with --cache"
_UNWRITABLE = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


@contextlib.contextmanager
def _unwritable_is_fine() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise StoreError(f"the cache cannot be written ({error})", hint=_HINT) from error


def private_folder(build: Callable[[Path], None]) -> Path:
    """Return a temporary folder that ``build`` has filled; it goes when this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="gw-compiled-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    build(folder)
    return folder


def _plain(key: ArtifactKey) -> Any:  # noqa: ANN401  # what JSON gives back
    return json.loads(_json(asdict(key)))


def _json(document: object) -> str:
    return json.dumps(document, sort_keys=True)


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def _files(folder: Path) -> dict[str, dict[str, Any]]:
    """Return size and digest of each file below ``folder`` but the record."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and p != folder / RECORD)
    return {p.relative_to(folder).as_posix(): _record(p) for p in paths}


def _record(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
