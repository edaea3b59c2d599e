"""The aligned frames of a run: which cube they are in, under which keys, and readers that take them from there.

Align leaves ``cube.json`` in the run folder. Whoever reads frames of the run afterwards asks `cube_of` and gets
readers that look into the cube first; where there is no such file, or it speaks of other imagery than the run is bound
to now, images are read as if there were no cube.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from geowatch.errors import DamagedError, InputError
from geowatch.read.cube import CubeReader
from geowatch.read.cubeformat import CubeLayout
from geowatch.read.cubesampler import WindowSampler
from geowatch.read.reader import FrameReader
from geowatch.stages.binding.imagery import read_bound
from geowatch.store import open_store
from geowatch.store.plans import read_plan

if TYPE_CHECKING:
    from geowatch.grid.plan import Grid
    from geowatch.read.plan import FramePlan
    from geowatch.read.reader import BoxReader
    from geowatch.read.remote import Remote
    from geowatch.stages.binding.imagery import Bound
    from geowatch.store import Store

__all__ = ["ALIGNED", "AlignedDocument", "RunCube", "cube_of", "open_frames", "open_sampler"]

#: Key of the note in a run folder.
ALIGNED = "cube.json"


class AlignedDocument(BaseModel):
    """Where the frames of a run are aligned."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal["1"] = "1"
    cube: str
    """The cube folder: within the run folder, or an absolute path."""
    imagery: str
    """Digest of the imagery that the run was bound to."""
    frames: dict[str, dict[str, str]]
    """Content key of each frame by grid and id."""


@dataclass(frozen=True, slots=True)
class RunCube:
    """The cube of a run; without one, readers read images."""

    store: Store | None = None
    """The cube folder."""
    keys: dict[str, dict[str, str]] | None = None
    """Content key of each frame by grid and id."""

    def layout(self, grid: str, plan: FramePlan) -> CubeLayout | None:
        """Return where a frame lies in the cube; None where it is not known there."""
        key = (self.keys or {}).get(grid, {}).get(plan.frame_id)
        return None if key is None else CubeLayout(plan, key)

    def reader(self, grid: str, plan: FramePlan, *, cache_bytes: int, remote: Remote) -> BoxReader:
        """Return a reader of a frame: of the cube as far as it goes, of the images for the rest; the same bytes."""
        layout = self.layout(grid, plan)

        def images() -> BoxReader:
            return FrameReader(plan, cache_bytes=cache_bytes, remote=remote)

        return images() if layout is None or self.store is None else CubeReader(self.store, layout, images)


def cube_of(store: Store, bound: Bound) -> RunCube:
    """Return the cube of the run in ``store``, whose imagery is ``bound``.

    Raises:
        DamagedError: the note is not what align wrote.
    """
    if store.size(ALIGNED) is None:
        return RunCube()
    try:
        found = AlignedDocument.model_validate_json(store.get(ALIGNED))
    except ValidationError as error:
        raise DamagedError(f"{ALIGNED} in {store.url} is damaged", hint="gw dataset align writes it again") from error
    if found.imagery != bound.digest:
        return RunCube()
    return RunCube(open_store(Path(store.url) / found.cube), found.frames)


def open_frames(run: str, grid: str | None = None) -> tuple[BoxReader, ...]:
    """Return a reader for each aligned frame of a run, oldest first; they read the cube alone, and need no images.

    Args:
        run: run folder.
        grid: grid of the frames; the first one by default.

    Raises:
        InputError: the run has no cube, or no frames on that grid.
    """
    store = open_store(run)
    bound = read_bound(store)
    cube = RunCube() if bound is None else cube_of(store, bound)
    if bound is None or cube.store is None:
        raise InputError(f"the run in {store.url} has no cube", hint="gw dataset align makes it")
    name = _grid(store, grid).id
    layouts = (cube.layout(name, plan) for plan in bound.frames.get(name, ()))
    return tuple(CubeReader(cube.store, layout) for layout in layouts if layout is not None)


def open_sampler(run: str, size_px: tuple[int, int], *, grid: str | None = None, threads: int = 1) -> WindowSampler:
    """Return a sampler of windows (height, width) of a run's cube, within the bounds of its region.

    Raises:
        InputError: the run has no cube, no such grid, or windows do not fit.
    """
    bounds = _grid(open_store(run), grid).bounds
    return WindowSampler(open_frames(run, grid), size_px, bounds=bounds, threads=threads)


def _grid(store: Store, name: str | None) -> Grid:
    plan = read_plan(store)
    return plan.grids[0] if name is None else plan.grid(name)
