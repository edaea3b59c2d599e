"""Reading boxes of a frame, exactly: any box has the bytes of the same part of the whole.

A `FrameReader` follows a `FramePlan`. Bands that lie on the lattice are copied; all others are computed in
whole blocks of the lattice, kept for the neighbours that ask next. Overlapping scenes combine pixel by pixel
in the plan's order.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from geowatch.errors import ImageryError
from geowatch.grid.lattice import PixelBox
from geowatch.read.blocks import BlockCache
from geowatch.read.closing import Closing
from geowatch.read.compose import compose_first, compose_median
from geowatch.read.decoded import Decoded
from geowatch.read.frameplan import RESAMPLE_BLOCK_PX, FramePlan
from geowatch.read.handles import Access, Handles
from geowatch.read.remote import Remote
from geowatch.read.source import SceneReader

__all__ = ["BoxReader", "FrameReader", "Patch", "patch_of"]


@dataclass(frozen=True, slots=True)
class Patch:
    """Pixels of a frame."""

    values: NDArray[np.float32]
    """Physical values (C, H, W), finite everywhere; 0 where invalid."""
    valid: NDArray[np.bool_]
    """(H, W): all bands are there and no mask hides the pixel."""


def patch_of(plan: FramePlan, box: PixelBox, out: Patch | None = None) -> Patch:
    """Return the patch that a box of a frame is read into: ``out``, or a new one.

    Raises:
        ImageryError: the box is empty or reaches beyond the extent.
    """
    if not box or not plan.extent.covers(box):
        raise ImageryError(
            f"box {box.to_list()} is not within the extent {plan.extent.to_list()} of frame '{plan.frame_id}'",
            hint="read the part that lies within, and fill the rest by rule",
        )
    return out or Patch(np.empty((len(plan.bands), *box.shape), np.float32), np.empty(box.shape, bool))


class BoxReader(Protocol):
    """Reads boxes of one frame: from its images (`FrameReader`) or from a cube (`cube.CubeReader`), the same bytes.

    A context; leaving it closes all files.
    """

    @property
    def plan(self) -> FramePlan:
        """The frame."""

    @property
    def bytes_read(self) -> int:
        """Bytes of stored pixels that were decoded so far."""

    @property
    def requests(self) -> int:
        """Reads that were asked of files so far."""

    def at_hand(self, box: PixelBox) -> bool:
        """Whether ``box`` is read in steps so short that threads which read at once hinder each other."""

    def read(self, box: PixelBox, out: Patch | None = None) -> Patch:
        """Return the pixels of ``box``; see `FrameReader.read`."""

    def close(self) -> None:
        """Close all files."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class FrameReader(Closing):
    """Reads boxes of one frame. For one reading thread at a time; others wait.

    Args:
        plan: how the frame is read.
        cache_bytes: memory for stored and resampled blocks that the next reads may ask for again. A pass down the
            frame decodes each block once with `FramePlan.pass_bytes`.
        remote: how remote files are reached.
        threads: threads that decode the blocks of one read.
    """

    def __init__(self, plan: FramePlan, *, cache_bytes: int, remote: Remote | None = None, threads: int = 1) -> None:
        self.plan = plan
        self._stack = ExitStack()
        self._lock = threading.Lock()
        pinned = {f.uri: f for scene in plan.scenes for f in scene.scene.fingerprints}
        self._handles = self._stack.enter_context(Handles(Access(remote or Remote(), threads, pinned)))
        self._cache = BlockCache(cache_bytes)
        decoded = Decoded(self._handles, self._cache)
        self._scenes = [SceneReader(plan, i, decoded, self._cache) for i in range(len(plan.scenes))]

    def close(self) -> None:
        """Close all files and forget all blocks."""
        with self._lock:
            self._stack.close()
            self._cache.clear()

    @property
    def bytes_read(self) -> int:
        """Bytes of stored pixels that were asked of files so far."""
        return self._handles.counts.bytes_read

    @property
    def requests(self) -> int:
        """Reads that were asked of files so far."""
        return self._handles.counts.requests

    @property
    def blocks_decoded(self) -> int:
        """Stored blocks that were decoded so far, of all bands of a file as one."""
        return self._handles.counts.blocks

    @property
    def blocks_planned(self) -> int:
        """Blocks whose place in their source was worked out so far; asking again costs nothing."""
        return sum(s.blocks_planned for s in self._scenes)

    def at_hand(self, box: PixelBox) -> bool:
        """Say no, but of nothing: a block of an image is decoded in one long step."""
        return not box

    def read(self, box: PixelBox, out: Patch | None = None) -> Patch:
        """Return the pixels of ``box``, which must lie within ``plan.extent``.

        Args:
            box: lattice pixels.
            out: arrays of the box's shape to write to, views of larger ones too; they are what is returned.

        Raises:
            ImageryError: the box is empty or reaches beyond the extent.
            CorruptImageError: a file breaks; the message names file and band.
        """
        out = patch_of(self.plan, box, out)
        with self._lock:
            self._compose(box, out.values, out.valid)
        return out

    def _compose(self, box: PixelBox, values: NDArray[np.float32], valid: NDArray[np.bool_]) -> None:
        scenes = _touching(self._scenes, box)
        if self.plan.composite != "median" or len(scenes) < 2:
            compose_first(scenes, box, values, valid)
            return
        values[:], valid[:] = 0, False
        # A median holds all scenes at once: block by block it needs little memory whatever the box.
        for block in box.blocks(RESAMPLE_BLOCK_PX):
            part = block & box
            rows, cols = part.within(box)
            compose_median(_touching(scenes, part), part, values[:, rows, cols], valid[rows, cols])


def _touching(scenes: Sequence[SceneReader], box: PixelBox) -> list[SceneReader]:
    return [s for s in scenes if s.extent & box]
