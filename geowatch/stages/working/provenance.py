"""Writing lineage: who, when and what code, around the pure records."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, TypedDict, Unpack

from geowatch.lineage import Made, Source, dump
from geowatch.read.remote import public
from geowatch.version import __version__

if TYPE_CHECKING:
    from geowatch.read.plan import FramePlan
    from geowatch.store import Store

__all__ = ["LINEAGE", "made", "record", "scene_sources"]

#: Folder of lineage records in a run.
LINEAGE = "lineage"


class Known(TypedDict, total=False):
    """What else may be said of an artifact."""

    sources: Iterable[Source]
    """What it was made from."""
    recipe: str | None
    """Digest of the recipe."""
    figures: Mapping[str, object]
    """What was done."""
    sha256: str
    """Digest of the artifact."""


def made(stage: str, artifact: str, options: object, **known: Unpack[Known]) -> Made:
    """Return the record of ``artifact``, made now by this code."""
    asked = asdict(options) if is_dataclass(options) and not isinstance(options, type) else {"value": options}
    return Made(
        artifact=artifact,
        stage=stage,
        code=f"gw-geowatch {__version__}",
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        sources=tuple(known.get("sources", ())),
        recipe=known.get("recipe"),
        options={name: _public(value) for name, value in asked.items()},
        figures=dict(known.get("figures", {})),
        sha256=known.get("sha256"),
    )


def _public(value: object) -> object:
    """Return an option as it may be written down: what follows "?" in an address may be a secret."""
    if isinstance(value, dict):
        return {key: _public(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_public(each) for each in value]
    return public(value) if isinstance(value, str) else value


def record(store: Store, entry: Made) -> None:
    """Publish a record beside those of other calls that made the artifact.

    The same bytes that were made from the same sources need only one.
    """
    name = f"{entry.made_at.replace(':', '')}-{os.urandom(3).hex()}"
    if entry.sha256:
        name = "-".join([entry.sha256, *([_digest(entry.sources)] if entry.sources else [])])
    store.put_if_absent(f"{LINEAGE}/{entry.artifact}/{name}.json", dump(entry))


def _digest(sources: Iterable[Source]) -> str:
    told = json.dumps([asdict(source) for source in sources], sort_keys=True, default=str)
    return sha256(told.encode()).hexdigest()[:12]


def scene_sources(plans: Iterable[FramePlan]) -> list[Source]:
    """Return every file that the frames are read from, once."""
    found = {
        print_.uri: Source(
            uri=print_.uri,
            bytes=print_.size_bytes,
            version=f"etag:{print_.etag}" if print_.etag else f"mtime_ns:{print_.mtime_ns}",
            role="scene",
        )
        for plan in plans
        for scene in plan.scenes
        for print_ in scene.scene.fingerprints
    }
    return [found[uri] for uri in sorted(found)]
