"""What commands of ``gw dataset`` write: bundles and documents, each with its lineage record beside it."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from geowatch.datasets.anchors import named_from
from geowatch.datasets.kwcoco_out import save_document
from geowatch.stages.provenance import made, record
from geowatch.store import open_store

if TYPE_CHECKING:
    from geowatch.datasets.bundle import Json

__all__ = ["is_bundle_name", "save_bundle", "save_json", "save_text"]


def is_bundle_name(path: str) -> bool:
    """Whether a file of that name is to be a kwcoco bundle."""
    return path.endswith((".kwcoco.json", ".kwcoco.zip", ".kwcoco.json.zip"))


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
