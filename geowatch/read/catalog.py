"""The catalog: from paths, folders, globs, documents and addresses to scenes.

A folder is walked; a prefix of a bucket is listed. A SAFE folder, a Landsat folder with its MTL file and a folder
with STAC items are read as such; all other images are grouped by their names. What is no image by content is passed
over, unless its name says image.
"""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from geowatch.errors import CorruptImageError, ImageryError
from geowatch.read.asking import listing
from geowatch.read.build import Found, Refused, tolerant
from geowatch.read.files import group_files, scenes_of_files
from geowatch.read.identify import IMAGE_SUFFIXES, sniff_file
from geowatch.read.landsat import mtl_files, scene_of_mtl
from geowatch.read.metadata import read_json
from geowatch.read.options import SceneOptions
from geowatch.read.remote import RemotePath, is_remote, public
from geowatch.read.safe import safe_document, scenes_of_safe
from geowatch.read.scene import Scene
from geowatch.read.stac import is_stac, scenes_of_stac

__all__ = ["Catalog", "SceneOptions", "find_scenes"]

#: A file, or the address of one.
Place = Path | RemotePath
_STAC_SUFFIXES = {".json", ".geojson"}
#: Files that belong to an image, and are images by content.
_SIDECARS = {".ovr", ".msk", ".aux"}


@dataclass(frozen=True, slots=True)
class Catalog:
    """Scenes that were found."""

    scenes: tuple[Scene, ...]
    """All scenes, in the order of the sources and of their names."""
    notes: tuple[str, ...]
    """What a user should know about them."""
    queries: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Queries of remote files by address: `Remote.queries` of those who read them. Never written anywhere."""


def find_scenes(
    sources: Sequence[str | Path], options: SceneOptions | None = None, refused: Refused | None = None
) -> Catalog:
    """Return the scenes that ``sources`` hold.

    Args:
        sources: image files, folders, globs, STAC JSON files, metadata files of products; addresses of images and
            STAC documents, prefixes of buckets. Where scenes overlap, those of an earlier folder lie on top; loose
            files are one source.
        options: what the files do not say.
        refused: hears of scenes that cannot be used, which then are left out; without it the first ends the search.

    Raises:
        ImageryError: a source is not there, or holds no images.
        CorruptImageError: a file is damaged.
    """
    options = options or SceneOptions()
    paths = [p for source in sources for p in _expand(source, options)]
    loose = [p for p in paths if _is_loose(p)]
    found: list[Found] = []
    for priority, path in enumerate(paths):
        if path == (loose[0] if loose else None):
            found += _with_priority(_grouped(loose, options, refused), priority)
        elif path not in loose:
            there = _with_priority(_of_source(path, options, refused), priority)
            if not there and len(sources) > 1 and str(path) in map(str, sources):  # a glob may match other folders
                _tell_nothing(path, refused)
            found += there
    if not found:
        raise ImageryError(
            f"no images are in {', '.join(repr(public(str(s))) for s in sources)}"
            if sources
            else "no images are given",
            hint="give files, folders, STAC items or kwcoco bundles; gw reads GeoTIFF, COG, JPEG 2000, VRT, PNG, JPEG",
        )
    return Catalog(_named_apart(_once(found)), _notes(found), _queries(found))


def _tell_nothing(path: Place, refused: Refused | None) -> None:
    """Tell of a source that holds nothing though others do, or raise ImageryError."""
    error = ImageryError(f"'{public(str(path))}' holds no images", hint="leave it out, or check the path")
    if refused is None:
        raise error
    refused(error)


def _expand(source: str | Path, options: SceneOptions) -> list[Place]:
    if is_remote(source):
        return list(_expand_remote(str(source), options))
    path = Path(source)
    if path.exists():
        return [path]
    matches = [Path(p) for p in sorted(glob.glob(str(source), recursive=True))]  # noqa: PTH207
    if not matches:
        raise ImageryError(f"'{source}' is not there", hint="check the path; a glob must match something")
    return [*matches]


def _expand_remote(source: str, options: SceneOptions) -> Iterator[Place]:
    parts = urlsplit(source)
    if parts.password:
        raise ImageryError(
            f"'{public(source)}' was given with a password", hint="put it into ~/.netrc, where GDAL finds it"
        )
    if not source.startswith("s3://") or (parts.path.strip("/") and not parts.path.endswith("/")):
        yield RemotePath(source)
        return
    found = [RemotePath(uri) for uri in listing(source, options.remote)]
    items = [place for place in found if place.suffix.lower() == ".json"]
    yield from items or (p for p in found if p.suffix.lower() in IMAGE_SUFFIXES - {".vrt"})


def _is_loose(path: Place) -> bool:
    if isinstance(path, RemotePath):
        return path.suffix.lower() not in _STAC_SUFFIXES
    return path.is_file() and not _is_document(path)


def _is_document(path: Path) -> bool:
    return path.suffix.lower() == ".json" or path.name.endswith("_MTL.txt") or safe_document(path.parent) == path


def _of_source(path: Place, options: SceneOptions, refused: Refused | None) -> Iterator[Found]:
    if isinstance(path, RemotePath):
        yield from scenes_of_stac(path, options, refused=refused)
    elif path.is_dir():
        yield from _of_folder(path, options, path, refused)
    elif path.name.endswith("_MTL.txt"):
        yield scene_of_mtl(path, options)
    elif path.suffix.lower() == ".json":
        yield from scenes_of_stac(path, options, refused=refused)
    else:
        yield from scenes_of_safe(path, options)


def _of_folder(folder: Path, options: SceneOptions, root: Path, refused: Refused | None) -> Iterator[Found]:
    document = safe_document(folder)
    if document is not None:
        yield from tolerant(lambda: scenes_of_safe(document, options), refused)
        return
    documents = mtl_files(folder)
    items = [] if documents else [p for p in sorted(folder.glob("*.json")) if _is_item(p)]
    for mtl in documents:
        yield from tolerant(partial(_of_source, mtl, options, refused), refused)
    for item in items:
        yield from scenes_of_stac(item, options, (root,), refused)
    entries = [p for p in sorted(folder.iterdir()) if not p.name.startswith(".")]
    if not (documents or items):
        yield from _grouped([p for p in entries if p.is_file() and _is_image(p)], options, refused)
        for inner in entries:
            if inner.is_dir():
                yield from _of_folder(inner, options, root, refused)


def _is_item(path: Path) -> bool:
    """Whether a file of a folder is STAC; folders hold other JSON too."""
    try:
        return is_stac(read_json(path))
    except CorruptImageError:
        return False


def _is_image(path: Path) -> bool:
    if path.suffix.lower() in _SIDECARS:
        return False
    return path.suffix.lower() in IMAGE_SUFFIXES or sniff_file(path) is not None


def _grouped(paths: Sequence[Place], options: SceneOptions, refused: Refused | None) -> Iterator[Found]:
    for key, files in group_files(paths).items():
        yield from tolerant(partial(scenes_of_files, key, files, options), refused)


def _with_priority(found: Iterator[Found], priority: int) -> list[Found]:
    return [replace(f, scene=replace(f.scene, priority=priority)) for f in found]


def _once(found: Sequence[Found]) -> list[Scene]:
    """Return scenes without those that are given twice, such as by a folder and a file in it."""
    kept: dict[tuple[str, ...], Scene] = {}
    for scene in (f.scene for f in found):
        kept.setdefault((scene.id, *sorted(f"{b.uri}:{b.index}" for b in scene.bands)), scene)
    return list(kept.values())


def _named_apart(scenes: Sequence[Scene]) -> tuple[Scene, ...]:
    """Put the folder's name before names that repeat."""
    counts = Counter(s.id for s in scenes)
    folders = (Path(s.bands[0].uri).parent.name for s in scenes)
    return tuple(
        replace(s, id=f"{folder}_{s.id}") if counts[s.id] > 1 else s for s, folder in zip(scenes, folders, strict=True)
    )


def _queries(found: Sequence[Found]) -> dict[str, str]:
    """Return the query of each remote file. Raises ImageryError where one address has two that differ."""
    queries: dict[str, str] = {}
    for uri, query in (pair for f in found for pair in f.queries):
        if queries.setdefault(uri, query) != query:
            raise ImageryError(
                f"'{uri}' is given with two queries, and what follows '?' is kept in no record: it names no file",
                hint="give files addresses that differ before '?'",
            )
    return queries


def _notes(found: Sequence[Found]) -> tuple[str, ...]:
    """Return all notes, each once; those that differ by the file only are counted."""
    suffixes = [n for f in found for n in f.notes if "by content" in n]
    others = dict.fromkeys(n for f in found for n in f.notes if "by content" not in n)
    more = f", and {len(suffixes) - 1} more files like it" if len(suffixes) > 1 else ""
    return (*([suffixes[0] + more] if suffixes else []), *others)
