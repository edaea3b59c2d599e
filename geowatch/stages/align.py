"""Align: the frames of a run, cropped and resampled to its grid, on disk.

Plan + imagery -> blocks of frames -> a cube folder. The blocks are those that the plan's tiles touch, with a margin
for the windows of networks. What any run has aligned there before is not done again; a killed call is resumed by the
next one.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from geowatch.errors import ConfigError, GwError, InterruptedRunError, PlanMismatchError
from geowatch.executors import LoopExecutor
from geowatch.executors.dask import DaskExecutor
from geowatch.package import load_package
from geowatch.read.cubeformat import BLOCK_PX, Block, CubeLayout
from geowatch.read.cubekeys import Contents, frame_key
from geowatch.read.cubemarkers import damage_of, is_done
from geowatch.read.cubeplan import Group, blocks_under, group_blocks, share_of
from geowatch.read.cubewrite import publish_frame
from geowatch.stages.binding.aligned import ALIGNED, AlignedDocument
from geowatch.stages.binding.aligning import AlignJob, cache_within, run_align_job
from geowatch.stages.binding.asked import read_asked
from geowatch.stages.binding.imagery import ImageryConfig, asked_imagery, bind, choose_scenes, read_bound
from geowatch.stages.predicting.recipes import PACKAGE, has_package
from geowatch.stages.working.events import Events, Silent
from geowatch.stages.working.process import cores
from geowatch.stages.working.provenance import made, record, scene_sources
from geowatch.store import open_store
from geowatch.store.overlay import Overlay
from geowatch.store.plans import read_plan, read_tiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from geowatch.executors import Executor
    from geowatch.grid.plan import Plan
    from geowatch.stages.binding.imagery import Bound
    from geowatch.store import Store

__all__ = ["AlignConfig", "Aligned", "align"]

#: Megapixels of bands that one core aligns in a second, roughly, and how long one must work before further processes
#: pay for their start.
_BAND_MPX_PER_S, _WORTH_A_CLUSTER_S = 30.0, 30.0
#: Margin where the windows of the network are not known yet (pixels).
_MARGIN_PX = 256


@dataclass(frozen=True)
class AlignConfig:
    """What align is asked for."""

    run: str = "gw-run"
    """Run folder with a plan."""
    cube: str | None = None
    """Cube folder; several runs may share it. None is ``cube`` in the run folder."""
    imagery: ImageryConfig = field(default_factory=ImageryConfig)
    """Imagery; may be left out when the run is bound to some."""
    channels: tuple[str, ...] = ()
    """Bands to align, by common or native name; empty takes those of the run's model, else all that every image has."""
    margin_px: int | None = None
    """Pixels around the tiles that are aligned too; None takes a window of the plan's network, 256 without one."""
    workers: int | None = None
    """Processes; 1 is a plain loop without Dask; None takes one a core when there is enough to do."""
    scheduler: str | None = None
    """Address of a running Dask scheduler."""
    shard: tuple[int, int] | None = None
    """(i, n): do the i-th of n shares of the blocks, counted from 1."""
    memory_bytes: int | None = None
    """Memory that one worker may take."""
    check: bool = False
    """Digest what is there first, and make again what is damaged."""
    fsync: bool = False
    """Results survive a loss of power."""
    dry_run: bool = False
    """Say what would be done, do nothing."""


@dataclass(frozen=True, slots=True)
class Aligned:
    """What align did."""

    cube: str
    """Where the cube is."""
    frames: int
    """Frames of the run, over all grids."""
    blocks: int
    """Blocks of this share, made before or now."""
    done_before: int
    """Blocks of them that were made before, by whatever run."""
    left_bytes: int
    """Bytes of what was left, before compression."""
    damaged: int = 0
    """Blocks that were damaged."""
    figures: dict[str, float] = field(default_factory=dict)
    """Sums over the work of this call: blocks, valid_px, read_bytes, write_bytes, seconds."""

    @property
    def summary(self) -> str:
        """One line for people; empty where nothing was made."""
        made_now, seconds = self.figures.get("blocks", 0), self.figures.get("seconds", 0)
        if not made_now or not seconds:
            return ""
        size = self.figures.get("write_bytes", 0)
        return (
            f"{made_now:,.0f} blocks, {size / 1e6:,.1f} MB ({size / max(1, self.left_bytes):.0%}) in {seconds:,.1f} s"
        )


def align(config: AlignConfig, events: Events | None = None) -> Aligned:
    """Put a run's frames on disk, cropped and resampled to its grids, or what is missing of them.

    Raises:
        InputError: for what cannot be done as asked; nothing was changed.
        MemoryBudgetError: where not even one block fits the memory.
        InterruptedRunError: when asked to stop; the same call resumes.
        GwError: after all other blocks are done, the first failure.
    """
    events = events or Silent()
    session = _open(config, events)
    groups = _share(session)
    damaged = _damaged(session, groups, events) if config.check else frozenset()
    left = _left(session, groups, damaged)
    result = Aligned(
        session.cube.url, sum(map(len, session.layouts.values())), _count(groups), _count(groups) - _count(left),
        sum(len(group.blocks) * group.layout.block_bytes for group in left), len(damaged),
    )  # fmt: skip
    if config.dry_run:
        return result
    jobs = session.jobs(left)
    session.publish(groups, damaged)
    started = time.monotonic()
    workers = _workers(config, left)
    progress = _Progress(events, result.blocks, result.done_before)
    outcomes = _executor(config, workers).run(run_align_job, _divided(jobs, workers), progress)
    failures = [(outcome.job, outcome.error) for outcome in outcomes if outcome.error is not None] if jobs else []
    result.figures.update(progress.sums, seconds=time.monotonic() - started)
    if jobs:
        session.record(result.figures)
    _raise_failures(failures, events)
    return result


@dataclass(frozen=True, slots=True)
class _Session:
    """A run that align works on."""

    config: AlignConfig
    store: Overlay
    cube: Overlay
    plan: Plan
    bound: Bound
    layouts: dict[str, tuple[CubeLayout, ...]]
    """Frames by grid."""

    def jobs(self, groups: Iterable[Group]) -> list[AlignJob]:
        """Return the work. Raises MemoryBudgetError where it does not fit."""
        grids = {layout.key: grid for grid, layouts in self.layouts.items() for layout in layouts}
        queries = tuple(self.bound.remote.queries.items())
        cube = str(Path(self.cube.url).absolute())
        return [
            AlignJob(
                self.config.run, cube, grids[group.layout.key], group.layout.plan.frame_id, group.layout.key,
                self.bound.digest, group.blocks, cache_within(group.layout, self.config.memory_bytes),
                self.config.fsync, queries,
            )
            for group in groups
        ]  # fmt: skip

    def publish(self, groups: Iterable[Group], damaged: frozenset[str]) -> None:
        """Bind the run, note where its cube is, take damaged markers away, and publish the frames' metadata."""
        self.store.publish()
        now = read_bound(self.store)
        if now is None or now.digest != self.bound.digest:
            raise PlanMismatchError(
                f"another command has just bound the run in {self.store.url} to other imagery",
                hint="leave out --images to go on with it, or start another run with --run",
            )
        self.cube.publish()
        frames = {grid: {each.plan.frame_id: each.key for each in layouts} for grid, layouts in self.layouts.items()}
        note = AlignedDocument(cube=self._place, imagery=self.bound.digest, frames=frames)
        self.store.put(ALIGNED, (note.model_dump_json(indent=1) + "\n").encode())
        for key in damaged:
            self.cube.delete(key)
        for layout in {group.layout.key: group.layout for group in groups}.values():
            publish_frame(self.cube.below, layout)

    @property
    def _place(self) -> str:
        run, cube = Path(self.store.url).absolute(), Path(self.cube.url).absolute()
        return cube.relative_to(run).as_posix() if cube.is_relative_to(run) else str(cube)

    def record(self, figures: Mapping[str, object]) -> None:
        """Leave the lineage record."""
        sources = scene_sources(layout.plan for layouts in self.layouts.values() for layout in layouts)
        record(self.store.below, made("align", "cube", self.config, sources=sources, figures=figures))


def _open(config: AlignConfig, events: Events) -> _Session:
    # What binds the run waits until all of it is settled: a wrong image must not stick to it.
    store = Overlay(open_store(config.run, fsync=config.fsync))
    plan = read_plan(store)
    bound = _bind(config, store, plan, events)
    cube = Overlay(open_store(config.cube or f"{config.run}/cube", fsync=config.fsync))
    return _Session(config, store, cube, plan, bound, _layouts(bound, Contents(cube), events))


def _bind(config: AlignConfig, store: Store, plan: Plan, events: Events) -> Bound:
    before = read_bound(store)
    imagery = config.imagery
    if before is None and not imagery.images:
        imagery = asked_imagery(read_asked(store))
    bands = config.channels or (before.bands if before is not None else ())
    bands = bands or _bands_of_model(store) or _shared_bands(imagery, plan, events)
    if before is not None and before.bands != bands:
        raise PlanMismatchError(
            f"the run reads the bands {', '.join(before.bands)}, and {', '.join(bands)} were asked for",
            hint="leave out --channels, or start another run with --run",
        )
    return bind(store, imagery, plan.grids, plan.region, bands, events)


def _bands_of_model(store: Store) -> tuple[str, ...]:
    asked = read_asked(store)
    path = json.loads(store.get(PACKAGE))["path"] if has_package(store) else asked.model if asked else None
    return () if path is None else load_package(path).manifest.bands


def _shared_bands(imagery: ImageryConfig, plan: Plan, events: Events) -> tuple[str, ...]:
    """Return the bands that every image has."""
    if not imagery.images:
        return ()
    first, *others = [[band.name for band in s.bands] for s in choose_scenes(imagery, plan.region, events)]
    return tuple(name for name in first if all(name in other for other in others))


def _layouts(bound: Bound, contents: Contents, events: Events) -> dict[str, tuple[CubeLayout, ...]]:
    """Return where the frames lie, by grid: their files are digested where no run has done so before."""
    total, done = sum(map(len, bound.frames.values())), 0
    found: dict[str, tuple[CubeLayout, ...]] = {}
    for grid, plans in bound.frames.items():
        layouts = []
        for plan in plans:
            layouts.append(CubeLayout(plan, frame_key(plan, contents.of(plan))))
            done += 1
            events.progress("digest", done, total)
        found[grid] = tuple(layouts)
    return found


def _share(session: _Session) -> Sequence[Group]:
    """Return the blocks of this call's share; what it depends on is plan, imagery and the number of shares alone."""
    index, shares = session.config.shard or (1, 1)
    if not 1 <= index <= shares:
        raise ConfigError(f"there is no share {index} of {shares}", hint=f"shares are 1/{shares} to {shares}/{shares}")
    wanted = []
    for grid in session.plan.grids:
        tiles = read_tiles(session.store, session.plan, grid.id)
        blocks = blocks_under(tiles, session.plan.tile_px, grid.bounds, _margin(session))
        wanted += [(layout, blocks) for layout in session.layouts.get(grid.id, ())]
    return share_of(group_blocks(wanted, at_least=shares), index, shares)


def _margin(session: _Session) -> int:
    if session.config.margin_px is not None:
        return session.config.margin_px
    windows = session.plan.load.windows
    return _MARGIN_PX if windows is None else max(windows.size)


def _damaged(session: _Session, groups: Sequence[Group], events: Events) -> frozenset[str]:
    """Return the markers of blocks that are not what they say."""
    found: set[str] = set()
    for number, group in enumerate(groups):
        for block in group.blocks:
            key = group.layout.marker_key(block)
            there = session.cube.size(key) is not None
            if there and damage_of(session.cube, group.layout, block) is not None:
                found.add(key)
        events.progress("check", number + 1, len(groups))
    return frozenset(found)


def _left(session: _Session, groups: Iterable[Group], damaged: frozenset[str]) -> list[Group]:
    def is_left(layout: CubeLayout, block: Block) -> bool:
        return layout.marker_key(block) in damaged or not is_done(session.cube, layout, block)

    kept = [replace(group, blocks=tuple(b for b in group.blocks if is_left(group.layout, b))) for group in groups]
    return [group for group in kept if group.blocks]


def _count(groups: Iterable[Group]) -> int:
    return sum(len(group.blocks) for group in groups)


def _workers(config: AlignConfig, left: Sequence[Group]) -> int:
    """Return how many processes: as asked, else one a core where the work outlasts starting them."""
    if config.workers is not None:
        return config.workers
    megapixels = sum(len(group.blocks) * len(group.layout.planes) for group in left) * BLOCK_PX**2 / 1e6
    return cores() if megapixels / _BAND_MPX_PER_S > _WORTH_A_CLUSTER_S else 1


def _divided(jobs: list[AlignJob], workers: int) -> list[AlignJob]:
    """Cut jobs into single blocks where there are too few to keep all workers busy."""
    if workers == 1 or len(jobs) >= 4 * workers:
        return jobs
    return [replace(job, blocks=(block,)) for job in jobs for block in job.blocks]


def _executor(config: AlignConfig, workers: int) -> Executor:
    if config.scheduler is None and workers == 1:
        return LoopExecutor()
    return DaskExecutor(workers, config.scheduler)


class _Progress:
    """Adds up what jobs report and hands it on."""

    def __init__(self, events: Events, total: int, before: int) -> None:
        self._events = events
        self._total = total
        self._before = before
        self.sums: Counter[str] = Counter()

    def report(self, **figures: float) -> None:
        self.sums.update(figures)
        done = self._before + self.sums["blocks"]
        self._events.progress("align", done, self._total, bytes=self.sums["read_bytes"])

    def stopping(self) -> bool:
        return self._events.stopping()


def _raise_failures(failures: Sequence[tuple[AlignJob, GwError]], events: Events) -> None:
    """Raise what went wrong, after all that could be done is done."""
    if events.stopping() or any(isinstance(error, InterruptedRunError) for _, error in failures):
        raise InterruptedRunError("stopped on request", hint="run the same command again to resume")
    if failures:
        job, first = failures[0]
        raise type(first)(
            f"{len(failures)} groups of blocks failed, such as of {job.frame}: {first.fact}", hint=first.hint
        )
