"""What names an aligned frame: all that decides its values, and nothing else.

The key of a frame is the digest of its plan, with files named by what is in them: local ones by their sha256, remote
ones by address, size and the store's tag. So a frame that was aligned once is found again by any run, in any folder
and on any machine that holds the same files; a changed file, another lattice, kernel, mask or order of scenes is
another frame. Names of files, scenes and runs do not count.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

import rasterio

from geowatch.errors import ImageryError
from geowatch.read.documents import frames_to_json
from geowatch.read.frameplan import FramePlan
from geowatch.read.probe import fingerprint
from geowatch.read.remote import is_remote, public
from geowatch.read.scene import Fingerprint
from geowatch.store.base import Store

__all__ = ["VERSION", "Contents", "frame_key"]

#: Raised whenever the same plan and files would give other values, or the format changes.
VERSION = 1
#: What is in a plan and decides no value: names, what is known of files beside their content, and order already kept.
_LEFT_OUT = frozenset(
    {"id", "frame_id", "native", "priority", "cloud_cover", "center_lon", "domain"}
    | {"size_bytes", "mtime_ns", "etag", "block"}
)

_HINT = "put the file back, or start another run with --run"


def frame_key(plan: FramePlan, contents: Mapping[str, str]) -> str:
    """Return the content key of a frame, 64 hex digits.

    Args:
        plan: how it is read.
        contents: what is in each of its files, by address; see `Contents`.
    """
    (document,) = json.loads(frames_to_json([plan]))["frames"]
    known = {"version": VERSION, "frame": _portable(document, contents), "warp": _warp(plan)}
    return sha256(json.dumps(known, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _warp(plan: FramePlan) -> str | None:
    """Return what moves pixels from one CRS to another; what our own kernels compute does not depend on it."""
    warped = any(each.offset is None and not each.straight for scene in plan.scenes for each in scene.bands)
    return f"GDAL {rasterio.__gdal_version__} PROJ {rasterio.__proj_version__}" if warped else None


def _portable(value: Any, contents: Mapping[str, str]) -> Any:  # noqa: ANN401 - a JSON value
    if isinstance(value, list):
        return [_portable(item, contents) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {k: _portable(v, contents) for k, v in value.items() if k not in _LEFT_OUT}
    if "uri" in value:
        kept["uri"] = contents[value["uri"]]
    if "fingerprints" in value:
        # They stand in the order of their addresses, which says nothing of what is in them.
        kept["fingerprints"] = sorted(contents[each["uri"]] for each in value["fingerprints"])
    return kept


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in files: digested once, and remembered in the cube folder as long as size and time stay."""

    store: Store
    """The cube folder."""

    def of(self, plan: FramePlan) -> dict[str, str]:
        """Return what is in each file of a plan, by address.

        Raises:
            ImageryError: a local file is gone.
        """
        prints = {f.uri: f for scene in plan.scenes for f in scene.scene.fingerprints}
        files = {band.uri for scene in plan.scenes for band in scene.scene.bands}
        files |= {mask.uri for scene in plan.scenes for mask in scene.scene.masks}
        prints |= {uri: fingerprint(uri) for uri in files - set(prints)}
        return {uri: self._content(found) for uri, found in prints.items()}

    def _content(self, found: Fingerprint) -> str:
        if is_remote(found.uri):
            return f"{public(found.uri)} {found.size_bytes} {found.etag or found.mtime_ns}"
        path = Path(found.uri).absolute()
        name = sha256(f"{path} {found.size_bytes} {found.mtime_ns}".encode()).hexdigest()
        key = f"contents/{name[:32]}"
        if self.store.size(key) is not None:
            return self.store.get(key).decode()
        content = f"sha256:{_digest(path, found)}"
        self.store.put_if_absent(key, content.encode())
        return content


def _digest(path: Path, pinned: Fingerprint) -> str:
    try:
        with path.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
            now = os.fstat(file.fileno())
    except OSError as error:
        raise ImageryError(f"'{path}' cannot be read: {error.strerror}", hint=_HINT) from error
    # A digest that is kept under the wrong name would be believed for ever.
    if (now.st_size, now.st_mtime_ns) != (pinned.size_bytes, pinned.mtime_ns):
        raise ImageryError(f"'{path}' changed since it was planned", hint=_HINT)
    return digest
