"""What commands of ``gw dataset`` write: bundles and documents, each with its lineage record beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from geowatch.datasets.anchors import named_from
from geowatch.datasets.kwcoco_out import save_document
from geowatch.errors import ConfigError
from geowatch.read.remote import is_remote
from geowatch.stages.working.provenance import made, record
from geowatch.store import open_store

if TYPE_CHECKING:
    from geowatch.datasets.bundle import Json

__all__ = ["BUNDLES", "check_file", "check_folder", "save_bundle", "save_json", "save_text"]

BUNDLES = (".kwcoco.json", ".kwcoco.zip", ".kwcoco.json.zip")
"""How names of bundles end."""


def check_file(output: str, endings: tuple[str, ...], sources: Iterable[str] = ()) -> None:
    """Make sure, before any work is done, that a file can be written.

    Raises:
        ConfigError: its name does not end as it should, it is a folder, it would replace one of the sources, or a file
            stands where its folder would be.
    """
    path = Path(output)
    if not output.endswith(endings):
        known = [ending for ending in endings if ending != ".kwcoco.json.zip"]
        raise ConfigError(f"'{output}' has no ending that says a form", hint=f"end it with {', '.join(known)}")
    if path.is_dir():
        raise ConfigError(f"'{output}' is a folder", hint="name a file with -o")
    if path.exists() and any(not is_remote(source) and _same(path, Path(source)) for source in sources):
        raise ConfigError(f"'{output}' is a source, and would be lost", hint="give another file with -o")
    check_folder(str(path.parent))


def _same(path: Path, other: Path) -> bool:
    return other.exists() and path.samefile(other)


def check_folder(output: str) -> None:
    """Make sure that a folder can be there. Raises ConfigError where a file stands in its way."""
    path = Path(output).absolute()
    there = next(each for each in (path, *path.parents) if each.exists())
    if not there.is_dir():
        raise ConfigError(f"'{there}' is a file, and no folder to write to", hint="give another place with -o")


def save_bundle(document: Json, path: Path, stage: str, config: object) -> str:
    """Write an anchored bundle, its files named from its folder; return its path."""
    save_document(named_from(document, path.parent), path)
    _record(path, path.read_bytes(), stage, config, images=len(document["images"]))
    return str(path)


def save_json(document: object, path: Path, stage: str, config: object) -> str:
    """Write a JSON document; return its path."""
    return save_text(json.dumps(document, indent=1, allow_nan=False) + "\n", path, stage, config)


def save_text(text: str, path: Path, stage: str, config: object) -> str:
    """Write a text; return its path."""
    content = text.encode()
    open_store(path.parent).put(path.name, content)
    _record(path, content, stage, config)
    return str(path)


def _record(path: Path, content: bytes, stage: str, config: object, **figures: object) -> None:
    entry = made(stage, path.name, config, figures=figures, sha256=sha256(content).hexdigest())
    record(open_store(path.parent), entry)
