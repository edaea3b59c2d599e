"""Lineage records: from any output back to scenes, package, recipe, code and options.

What names a cached result is configuration, inputs, package and algorithm; the code's version and the image stand
here only, so that a new release does not recompute everything.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from geowatch.errors import DamagedError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Made", "Source", "dump", "load"]


@dataclass(frozen=True, slots=True)
class Source:
    """Something that was read."""

    uri: str
    """Where it is."""
    bytes: int | None = None
    """Its size."""
    version: str | None = None
    """What tells this version from another: ETag, modification time or sha256, named as ``kind:value``."""
    role: str = "input"
    """What it was used as: scene, package, recipe, heatmap."""


@dataclass(frozen=True, slots=True)
class Made:
    """The record of one artifact."""

    artifact: str
    """Key of the artifact in its store."""
    stage: str
    """Stage that made it."""
    code: str
    """Name and version of the code."""
    made_at: str
    """When, ISO 8601 in UTC."""
    sources: tuple[Source, ...] = ()
    """What it was made from."""
    recipe: str | None = None
    """Digest of the recipe."""
    options: Mapping[str, object] = field(default_factory=dict)
    """What was asked for."""
    figures: Mapping[str, object] = field(default_factory=dict)
    """What was done: windows, bytes read, seconds."""
    sha256: str | None = None
    """Digest of the artifact, where it is one object."""


def dump(record: Made) -> bytes:
    """Return a record as canonical JSON."""
    return (json.dumps(asdict(record), indent=1, sort_keys=True, default=str) + "\n").encode()


def load(content: bytes) -> Made:
    """Return the record in ``content``.

    Raises:
        DamagedError: where it is none.
    """
    try:
        document = json.loads(content)
        sources = tuple(Source(**source) for source in document.pop("sources"))
        return Made(sources=sources, **document)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DamagedError(f"no lineage record: {error}", hint="gw verify names what is damaged") from error
