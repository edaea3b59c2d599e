"""The catalog: from paths, folders, globs and documents to scenes."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from geowatch.errors import ImageryError
from geowatch.read.files import group_files, scene_of_files
from geowatch.read.options import SceneOptions
from geowatch.read.scene import Scene

__all__ = ["Catalog", "SceneOptions", "find_scenes"]

_SUFFIXES = {".tif", ".tiff", ".gtif", ".jp2", ".j2k", ".png", ".jpg", ".jpeg", ".vrt"}


@dataclass(frozen=True, slots=True)
class Catalog:
    """Scenes that were found."""

    scenes: tuple[Scene, ...]
    """All scenes, in the order of their names."""
    notes: tuple[str, ...]
    """What a user should know about them."""


def find_scenes(sources: Sequence[str | Path], options: SceneOptions | None = None) -> Catalog:
    """Return the scenes that ``sources`` hold: files, folders, globs.

    Raises:
        ImageryError: a source is not there, or holds no images.
        CorruptImageError: a file is damaged.
    """
    options = options or SceneOptions()
    paths = [p for source in sources for p in _paths(source)]
    found = [scene_of_files(key, files, options) for key, files in group_files(paths).items()]
    if not found:
        raise ImageryError("no images were given", hint="give files or folders with --images")
    return Catalog(tuple(f.scene for f in found), tuple(n for f in found for n in f.notes))


def _paths(source: str | Path) -> Iterator[Path]:
    path = Path(source)
    if path.is_dir():
        yield from sorted(p for p in path.rglob("*") if p.suffix.lower() in _SUFFIXES)
    elif path.exists():
        yield path
    else:
        yield from (Path(p) for p in sorted(glob.glob(str(source), recursive=True)))  # noqa: PTH207 - absolute patterns
