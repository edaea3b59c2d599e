"""Objects as files in a folder.

Each object is written under a temporary name beside its place and then renamed (or linked, where it must not
replace another), so that a reader sees the old or the new and a crash leaves at worst a temporary file, which
`gw clean` removes. With ``fsync`` file and folder reach the disk before publishing counts.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from geowatch.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["TEMPORARY_PREFIX", "LocalStore"]

#: Unfinished files and folders begin so. They are never listed.
TEMPORARY_PREFIX = ".unfinished-"
#: A disk with less room than this, in bytes, is what made writing fail, whatever the library that wrote says of it.
_LITTLE_ROOM = 1 << 20
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class LocalStore:
    """A folder as a store of objects."""

    root: Path
    """The folder; it is made by the first write."""
    fsync: bool = False
    """Whether published objects survive a loss of power, not only a crash of the process."""

    @property
    def url(self) -> str:
        """The folder's path."""
        return str(self.root)

    def path(self, key: str) -> Path:
        """Return the file of ``key``; a key that leads out of the store is refused."""
        parts = PurePosixPath(key).parts
        if not parts or ".." in parts or parts[0] == "/":
            raise StoreError(f"'{key}' is no key of a store", hint="keys are relative paths without '..'")
        return self.root.joinpath(*parts)

    def get(self, key: str, start: int | None = None, length: int | None = None) -> bytes:
        """Read an object, or ``length`` bytes of it from ``start`` on."""
        try:
            with self.path(key).open("rb") as file:
                file.seek(start or 0)
                return file.read(-1 if length is None else length)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise StoreError(f"{self.url} holds no '{key}'") from error
        except OSError as error:
            raise StoreError(f"'{key}' in {self.url} cannot be read: {error.strerror}") from error

    def put(self, key: str, content: bytes) -> None:
        """Publish, replacing what was there."""
        with self._written(key, content) as temporary:
            temporary.replace(self.path(key))

    def put_if_absent(self, key: str, content: bytes) -> bool:
        """Publish unless the key exists; among racing writers exactly one is told True."""
        with self._written(key, content) as temporary:
            try:
                os.link(temporary, self.path(key))  # fails where the name exists, unlike a rename
            except FileExistsError:
                return False
        return True

    def size(self, key: str) -> int | None:
        """Size in bytes, or None."""
        try:
            return self.path(key).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def delete(self, key: str) -> None:
        """Remove the object, if there is one."""
        with suppress(FileNotFoundError, NotADirectoryError):
            self.path(key).unlink()

    def prune(self, folder: str) -> None:
        """Remove folders below ``folder`` and itself where nothing is left in them."""
        for path, _, _ in os.walk(self.path(folder), topdown=False):
            with suppress(OSError):  # something is in it
                Path(path).rmdir()

    def list(self, prefix: str = "") -> Iterator[str]:
        """Keys that start with ``prefix``, sorted folder by folder."""
        parent = prefix.rpartition("/")[0]
        start = self.path(parent) if parent else self.root
        for folder, names, files in os.walk(start):
            names[:] = sorted(n for n in names if not n.startswith(TEMPORARY_PREFIX))
            base = Path(folder).relative_to(self.root)
            for name in sorted(files):
                key = (base / name).as_posix()
                if key.startswith(prefix) and not name.startswith(TEMPORARY_PREFIX):
                    yield key

    def unfinished(self) -> Iterator[tuple[Path, int]]:
        """Files and folders that a killed process left behind, with their bytes."""
        for folder, names, files in os.walk(self.root):
            for name in sorted(n for n in names + files if n.startswith(TEMPORARY_PREFIX)):
                path = Path(folder, name)
                yield path, _tree_bytes(path)
            names[:] = [n for n in names if not n.startswith(TEMPORARY_PREFIX)]

    @contextmanager
    def stage(self, key: str) -> Iterator[Path]:
        """Give a path inside a fresh temporary folder; publish the file under ``key`` on success."""
        final = self._with_parent(key)
        try:
            folder = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, dir=final.parent))
        except OSError as error:
            raise self._unwritten(key, error.strerror) from error
        try:
            yield folder / final.name
            if not (folder / final.name).exists():
                raise StoreError(f"nothing was written for '{key}'")
            (folder / final.name).chmod(0o666 & ~_umask())
            self._sync(folder / final.name)
            (folder / final.name).replace(final)
            self._sync(final.parent)
        except (OSError, RuntimeError) as error:
            if getattr(error, "errno", None) in _NO_ROOM or shutil.disk_usage(folder).free < _LITTLE_ROOM:
                raise self._unwritten(key, "no space left on the disk") from error
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def _written(self, key: str, content: bytes) -> Iterator[Path]:
        final = self._with_parent(key)
        temporary = final.parent / f"{TEMPORARY_PREFIX}{os.getpid()}-{os.urandom(6).hex()}"
        try:
            try:
                temporary.write_bytes(content)
            except OSError as error:
                raise self._unwritten(key, error.strerror) from error
            self._sync(temporary)
            yield temporary
            self._sync(final.parent)
        finally:
            temporary.unlink(missing_ok=True)

    def _unwritten(self, key: str, why: str | None) -> StoreError:
        fact = f"'{key}' cannot be written to {self.url}: {why}"
        return StoreError(fact, hint="is the disk full, or the folder closed to you?")

    def _with_parent(self, key: str) -> Path:
        final = self.path(key)
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"{final.parent} cannot be made: {error.strerror}",
                hint="a file stands in its way, or it may not be written to: choose another place",
            ) from error
        return final

    def _sync(self, path: Path) -> None:
        if not self.fsync:
            return
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _umask() -> int:
    # mkdtemp makes files private; published ones get the ordinary rights. Reading the umask means setting it.
    current = os.umask(0o022)
    os.umask(current)
    return current


def _tree_bytes(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
