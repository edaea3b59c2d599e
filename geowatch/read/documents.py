"""Scenes and frame plans on disk: canonical JSON, and whether the files are still those that were planned.

The documents pin a run's imagery in its run folder. Equal plans give equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from geowatch.errors import DamagedError, ImageryError
from geowatch.read.asking import check_same, look
from geowatch.read.frameplan import FramePlan
from geowatch.read.probe import fingerprint
from geowatch.read.remote import Remote, is_remote
from geowatch.read.scene import Scene

__all__ = [
    "FramesDocument",
    "ScenesDocument",
    "check_fingerprints",
    "frames_from_json",
    "frames_to_json",
    "scenes_from_json",
    "scenes_to_json",
]


class FramesDocument(BaseModel):
    """Frame plans of a run."""

    model_config = ConfigDict(extra="forbid")

    schema_version: Literal["1"] = "1"
    frames: tuple[FramePlan, ...]


class ScenesDocument(BaseModel):
    """Scenes of a run."""

    model_config = ConfigDict(extra="forbid")

    schema_version: Literal["1"] = "1"
    scenes: tuple[Scene, ...]


def frames_to_json(plans: Sequence[FramePlan]) -> bytes:
    """Return frame plans as canonical JSON."""
    return _canonical(FramesDocument(frames=tuple(plans)))


def frames_from_json(content: bytes) -> tuple[FramePlan, ...]:
    """Return the frame plans that `frames_to_json` wrote.

    Raises:
        DamagedError: the document is not what it should be.
    """
    try:
        return FramesDocument.model_validate_json(content).frames
    except ValidationError as error:
        raise _damaged("frame plans", error) from error


def scenes_to_json(scenes: Sequence[Scene]) -> bytes:
    """Return scenes as canonical JSON."""
    return _canonical(ScenesDocument(scenes=tuple(scenes)))


def scenes_from_json(content: bytes) -> tuple[Scene, ...]:
    """Return the scenes that `scenes_to_json` wrote.

    Raises:
        DamagedError: the document is not what it should be.
    """
    try:
        return ScenesDocument.model_validate_json(content).scenes
    except ValidationError as error:
        raise _damaged("scenes", error) from error


def check_fingerprints(plan: FramePlan, remote: Remote | None = None) -> None:
    """Make sure that each file of a plan is still the file that was planned.

    Raises:
        ImageryError: a file is gone, or has another size or time; the message names it and both.
    """
    for scene in plan.scenes:
        for pinned in scene.scene.fingerprints:
            if is_remote(pinned.uri):
                remote = remote or Remote()
                check_same(pinned, look(remote.full(pinned.uri), remote).fingerprint)
                continue
            now = fingerprint(pinned.uri)
            if (now.size_bytes, now.mtime_ns) != (pinned.size_bytes, pinned.mtime_ns):
                raise ImageryError(
                    f"'{pinned.uri}' changed since it was planned: {pinned.size_bytes} bytes of time "
                    f"{pinned.mtime_ns} then, {now.size_bytes} bytes of time {now.mtime_ns} now",
                    hint="put the file back, or start another run with --run",
                )


def _canonical(document: BaseModel) -> bytes:
    content = _lean(document.model_dump(mode="json"))
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _lean(value: Any) -> Any:  # noqa: ANN401 - a JSON value
    """Return a document without domains that nobody named: it is as it was before there were any, and so its digest."""
    if isinstance(value, dict):
        return {k: _lean(v) for k, v in value.items() if k != "domain" or v is not None}
    return [_lean(item) for item in value] if isinstance(value, list) else value


def _damaged(what: str, error: ValidationError) -> DamagedError:
    first = error.errors(include_url=False)[0]
    place = ".".join(str(p) for p in first["loc"])
    return DamagedError(f"the pinned {what} cannot be read: {place}: {first['msg']}", hint="plan the run again")
