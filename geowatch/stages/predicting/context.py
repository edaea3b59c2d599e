"""An opened run, and the job that a worker is sent.

A `Session` is made once by the stage; a `Job` is small and travels to workers, which open the same run themselves
and obey its recipe.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

from geowatch.errors import PlanMismatchError
from geowatch.grid.estimate import DATE_CACHE_BYTES, Workload, cut_batch, cut_to_memory
from geowatch.grid.windows import WindowLattice
from geowatch.lineage import Made, Source
from geowatch.package import load_package
from geowatch.package.backends import Backend, BackendSpec, open_backend
from geowatch.package.cache import CompiledCache
from geowatch.package.choose import usual_batch
from geowatch.predict.pipeline import InTurn
from geowatch.predict.recipe import Recipe, pin_recipe, read_recipe
from geowatch.predict.scoring import Looks, Network
from geowatch.stages.binding.aligned import cube_of
from geowatch.stages.binding.asked import read_asked
from geowatch.stages.binding.imagery import Bound, asked_imagery, bind, read_bound
from geowatch.stages.binding.parts import Part, TimeBlock, blocks_of, joined, layout_of, parts_of
from geowatch.stages.predicting.box_heads import finder_of
from geowatch.stages.predicting.choosing import threads_of
from geowatch.stages.predicting.looks import find_members, noisy_net, shown_package
from geowatch.stages.predicting.needing import looks_asked, running_of, with_network
from geowatch.stages.predicting.passes import cut_passes, pass_need
from geowatch.stages.predicting.recipes import find_package, has_package, settle_recipe
from geowatch.stages.predicting.sweeping import Figures, Sweeper
from geowatch.stages.predicting.timing import check_domains, dressed, loaded, settle_norm, settle_series, with_block
from geowatch.stages.working.process import give_back_memory, steady_memory
from geowatch.stages.working.provenance import made, scene_sources
from geowatch.stitch.cover import Cover
from geowatch.stitch.quantise import Quantiser
from geowatch.store import open_store
from geowatch.store.overlay import Overlay
from geowatch.store.plans import read_plan, read_tiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from geowatch.executors.base import Watch
    from geowatch.grid.blend import Blend
    from geowatch.grid.plan import Plan
    from geowatch.grid.tiles import Tile, TileTable
    from geowatch.package import Package
    from geowatch.package.backends import BackendName, Precision
    from geowatch.read.reader import BoxReader
    from geowatch.stages.predicting.config import PredictConfig
    from geowatch.stages.working.events import Events
    from geowatch.store import Store

__all__ = ["Job", "Session", "open_session", "run_job"]


@dataclass(frozen=True, slots=True)
class Job:
    """The tiles of one sweep in one time block, as a worker gets them."""

    run: str
    """Address of the run's store."""
    package: str
    """Where the package is."""
    recipe: str
    """Digest of the recipe that the worker must find there."""
    grid: str
    """Grid of the tiles."""
    time: int
    """First time block: with blocks of one plane, the plane's place on the time axis."""
    tiles: tuple[Tile, ...]
    """What to compute."""
    members: tuple[str, ...]
    """Where the packages are that answer beside it."""
    batch: int
    """Most windows at once."""
    threads: int
    """Threads of each network, where the recipe leaves them open."""
    device: str
    """Device of the network, such as ``cpu`` or ``cuda:1``."""
    cache: str | None
    """Folder of compiled networks on the worker's machine."""
    fsync: bool
    """Whether results must survive a loss of power."""
    in_memory: bool
    """Whether to stitch in memory."""
    blocks: int = 1
    """Time blocks that are computed in one pass, from ``time`` on."""
    queries: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """(address, query) of remote imagery; it travels in memory and is written nowhere."""


@dataclass(frozen=True, slots=True)
class Session:
    """A run that predict works on."""

    store: Overlay
    plan: Plan
    package: Package
    members: tuple[Package, ...]
    bound: Bound
    recipe: Recipe
    reason: str
    config: PredictConfig
    parts: tuple[Part, ...]
    """Every plane of the heatmap."""
    load: Workload
    """The workload of one plane, with as many windows at once as are asked for."""

    @property
    def blocks(self) -> tuple[TimeBlock, ...]:
        """The same by the blocks that are computed and stored as one."""
        return blocks_of(self.parts, self.recipe.time_block)

    @property
    def batch(self) -> int:
        """Most windows that run at once within the memory that a worker was given."""
        load = loaded(self.load, self.blocks)
        return cut_batch(load, self.plan.tile_px, self.config.memory_bytes, self.plan.reach).batch

    @property
    def sweep_columns(self) -> int:
        """Tiles side by side that one worker may hold within the memory that it was given.

        Raises:
            MemoryBudgetError: where not even one fits.
        """
        load, plan = loaded(self.load, self.blocks), self.plan
        columns = cut_to_memory(load, plan.tile_px, self.config.memory_bytes, plan.reach)[1]
        return min(columns, plan.sweep_tiles[1])

    def passes(self, blocks: Sequence[TimeBlock], tiles: tuple[Tile, ...]) -> Iterator[TimeBlock]:
        """Yield the passes that compute ``tiles`` in time blocks, by what memory allows."""
        # In memory the scores of a block are all held.
        limit = 0 if self.config.in_memory else self.config.memory_bytes
        return cut_passes(blocks, tiles, replace(self.load, batch=self.batch), limit)

    def need_bytes(self, block: TimeBlock, tiles: tuple[Tile, ...]) -> int:
        """Return the peak memory of a worker that computes ``tiles`` in one pass over time blocks."""
        need = pass_need(block, tiles, replace(self.load, batch=self.batch))
        if not self.config.in_memory:
            return need
        # All scores, and which of them are kept.
        plane = sum(block.grid.work(tile).area_px for tile in tiles)
        return need + block.room * plane * (1 + 4 * (self.load.classes or 1))

    def tiles(self, grid: str) -> TileTable:
        """Tiles of a grid."""
        return read_tiles(self.store, self.plan, grid)

    def job(self, block: TimeBlock, tiles: tuple[Tile, ...]) -> Job:
        """Return the job that computes ``tiles``."""
        members = tuple(str(member.path) for member in self.members)
        return Job(
            self.config.run, str(self.package.path), self.recipe.digest, block.grid.id, block.number, tiles,
            members, self.batch, threads_of(self.config, 1, self.recipe.backend.threads),
            self.config.device or self.recipe.backend.device.partition("-")[0], self.config.cache,
            self.config.fsync, self.config.in_memory, block.count, tuple(self.bound.remote.queries.items()),
        )  # fmt: skip

    def publish(self) -> None:
        """Bind the run to package and imagery, pin the recipe, then publish the heatmap's metadata."""
        self.store.publish()
        now = read_bound(self.store)
        if now is None or now.digest != self.bound.digest:
            raise PlanMismatchError(
                f"another predict has just bound the run in {self.store.url} to other imagery",
                hint="leave out --images to go on with it, or start another run with --run",
            )
        pin_recipe(self.store.below, self.recipe)
        for grid in {part.grid.id: part.grid for part in self.parts}.values():
            layout_of(self.plan, self.bound, self.recipe, grid).publish(self.store.below)

    def made(self, stage: str, artifact: str, options: object, figures: Mapping[str, object]) -> Made:
        """Return the lineage record of something made of this run's imagery and package."""
        sources = [
            *scene_sources(frame for frames in self.bound.frames.values() for frame in frames),
            *(
                Source(
                    str(package.path),
                    bytes=sum(record.bytes for record in package.manifest.files.values()),
                    version=f"sha256:{package.digest}",
                    role="package",
                )
                for package in (self.package, *self.members)
            ),
        ]
        return made(stage, artifact, options, sources=sources, recipe=self.recipe.digest, figures=figures)


def open_session(config: PredictConfig, events: Events) -> Session:
    """Open the run for predict: plan, package, imagery and recipe, pinned or new."""
    steady_memory()
    # What binds the run waits until all of it is settled: a wrong model or image must not stick to it.
    store = Overlay(open_store(config.run, fsync=config.fsync))
    plan = read_plan(store)
    config = _with_asked(config, store)
    package = find_package(store, config.model)
    bound = bind(store, config.imagery, plan.grids, plan.region, package.manifest, events)
    _check_bands(bound, package)
    pinned = read_recipe(store)
    series = settle_series(config.time, pinned, package.manifest)
    members = find_members(store, config.looks, package)
    series = with_block(series, plan, bound, _planned(config, (package, *members)), config.memory_bytes)
    parts = parts_of(plan, bound, package.manifest.dates, series)
    check_domains(package.manifest, settle_norm(config.norm, pinned), parts)
    settled = settle_recipe(config, store, (package, *members), (bound, parts, series), events)
    config = replace(config, batch=config.batch or settled.batch)
    load = _load(config, settled.recipe, (package, *members))
    return Session(store, plan, package, members, bound, settled.recipe, settled.reason, config, parts, load)


def _load(config: PredictConfig, recipe: Recipe, packages: Sequence[Package]) -> Workload:
    """Return the workload of one plane, as the recipe says."""
    heads, manifest = recipe.heads, packages[0].manifest
    load = Workload(
        windows=WindowLattice(recipe.window_px, recipe.stride_px),
        bands=sum(len(spec.bands) for spec in manifest.inputs),
        dates=manifest.dates,
        classes=sum(-(-len(head.classes) // head.reduction**2) for head in heads),
        write_itemsize=max(Quantiser(head.stored).dtype.itemsize for head in heads),  # type: ignore[arg-type]
        batch=config.batch or usual_batch(recipe.window_px),
    )
    return with_network(load, packages, Looks.of(recipe), running_of(config, recipe))


def _planned(config: PredictConfig, packages: Sequence[Package]) -> Workload:
    """Return the workload of one plane, as far as it is known before the recipe."""
    manifest = packages[0].manifest
    size = (config.window, config.window) if config.window else manifest.window.size
    overlap = manifest.window.overlap if config.overlap is None else config.overlap
    load = Workload(
        windows=WindowLattice.of(size, overlap),
        bands=sum(len(spec.bands) for spec in manifest.inputs),
        dates=manifest.dates,
        classes=sum(len(head.classes) for head in manifest.heads) or 1,
        batch=config.batch or usual_batch(size),
    )
    return with_network(load, packages, looks_asked(config), running_of(config, None))


def _with_asked(config: PredictConfig, store: Store) -> PredictConfig:
    """Fill what is left open with what the run was asked for when it was planned."""
    asked = read_asked(store)
    if asked is None:
        return config
    images = config.imagery.images or read_bound(store) is not None
    return replace(
        config,
        imagery=config.imagery if images else asked_imagery(asked),
        model=config.model if config.model or has_package(store) else asked.model,
        window=config.window if config.window or read_recipe(store) else asked.window,
        overlap=config.overlap if config.overlap is not None or read_recipe(store) else asked.overlap,
    )


def _check_bands(bound: Bound, package: Package) -> None:
    if bound.bands != package.manifest.bands:
        raise PlanMismatchError(
            f"the run reads the bands {', '.join(bound.bands)}, the package wants {', '.join(package.manifest.bands)}",
            hint="start another run with --run",
        )


@dataclass(frozen=True, slots=True)
class _Opened:
    """What a worker process keeps from one job to the next."""

    plan: Plan
    bound: Bound
    recipe: Recipe
    network: Network
    blocks: tuple[TimeBlock, ...]


@dataclass(frozen=True, slots=True)
class _Setting:
    """How this machine runs the network; none of it changes a value."""

    batch: int
    threads: int
    device: str
    cache: str | None


@lru_cache(maxsize=1)
def _opened(run: str, packages: tuple[str, ...], digest: str, setting: _Setting) -> _Opened:
    steady_memory()
    store = open_store(run)
    recipe = read_recipe(store)
    bound = read_bound(store)
    first, *others = (load_package(path) for path in packages)
    found = (first.digest, *(other.digest for other in others))
    if recipe is None or bound is None or recipe.digest != digest or found != (recipe.package, *recipe.members):
        raise PlanMismatchError(
            f"recipe {digest[:12]} with package {', '.join(packages)} is not what the run in {run} holds",
            hint="every worker must see the same run folder and package",
        )
    plan = read_plan(store)
    blocks = blocks_of(parts_of(plan, bound, recipe.dates, recipe.series), recipe.time_block)
    return _Opened(plan, bound, recipe, _network(recipe, first, others, setting), blocks)


def _network(recipe: Recipe, package: Package, members: Sequence[Package], setting: _Setting) -> Network:
    shown = shown_package(package, recipe)
    return Network(
        manifest=shown.manifest if recipe.fused else package.manifest,
        backend=_backend(shown, recipe, setting),
        windows=WindowLattice(recipe.window_px, recipe.stride_px),
        batch=setting.batch,
        looks=Looks.of(recipe),
        members=tuple(_backend(member, recipe, setting) for member in members),
        dropout=noisy_net(package, recipe),
        finder=finder_of(package.manifest, recipe),
    )


def _backend(package: Package, recipe: Recipe, setting: _Setting) -> Backend:
    """Open the recipe's backend for one package. Raises PlanMismatchError where it is another one here."""
    pin = recipe.backend
    spec = BackendSpec(
        name=cast("BackendName", pin.name),
        threads=pin.threads or setting.threads,
        precision=cast("Precision", pin.precision),
        device=setting.device,
        window_px=recipe.window_px,
        batch=setting.batch,
        fixed_batch=pin.fixed_batch,
    )
    backend = open_backend(package, spec, cache=None if setting.cache is None else CompiledCache(Path(setting.cache)))
    if asdict(backend.identity) != pin.model_dump():
        differences = [f"{k}: {v} here, {pin.model_dump()[k]} in the run" for k, v in asdict(backend.identity).items()]
        raise PlanMismatchError(
            f"this machine computes otherwise than the run's recipe: {'; '.join(differences)}",
            hint="run on machines of one kind with one image, or start another run",
        )
    return InTurn.of(backend)


def run_job(job: Job, watch: Watch) -> Figures:
    """Compute and publish one job's tiles. This is what every executor runs."""
    try:
        return _run(job, watch)
    finally:
        give_back_memory()


def _run(job: Job, watch: Watch) -> Figures:
    setting = _Setting(job.batch, job.threads, job.device, job.cache)
    opened = _opened(job.run, (job.package, *job.members), job.recipe, setting)
    numbers = range(job.time, job.time + job.blocks)
    block = joined([b for b in opened.blocks if b.grid.id == job.grid and b.number in numbers])
    with ExitStack() as stack:
        readers = tuple(map(stack.enter_context, _readers(block, job, opened)))
        inputs = dressed(opened.network.manifest, opened.recipe.norm).inputs
        sweeper = Sweeper(
            store=open_store(job.run, fsync=job.fsync),
            layout=layout_of(opened.plan, opened.bound, opened.recipe, block.grid),
            cover=Cover(block.grid),
            look=block.look(readers, opened.bound.bands, inputs, opened.recipe.norm),
            block=block.number,
            blocks=block.count,
            network=opened.network,
            blend=cast("Blend", opened.recipe.blend),
            recipe=opened.recipe.digest,
            stopping=watch.stopping,
            watch=_Deltas(watch).tell,
        )
        return sweeper.run_in_memory(job.tiles) if job.in_memory else sweeper.run(job.tiles)


def _readers(block: TimeBlock, job: Job, opened: _Opened) -> Iterator[BoxReader]:
    """Yield a reader for each frame, with as much memory as a pass down the tiles needs to decode each block once."""
    columns = [tile.ix for tile in job.tiles]
    wide = (max(columns) - min(columns) + 1) * opened.plan.tile_px + 2 * opened.network.windows.size[1]
    remote = replace(opened.bound.remote, queries=dict(job.queries))
    cube = cube_of(open_store(job.run), opened.bound)
    for plan in block.frames:
        size = min(DATE_CACHE_BYTES, plan.pass_bytes(wide))
        yield cube.reader(block.grid.id, plan, cache_bytes=size, remote=remote)


class _Deltas:
    """Turns a sweep's running sums into what is new since the last report."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._told: dict[str, float] = {}

    def tell(self, figures: Figures) -> None:
        now = asdict(figures)
        self._watch.report(**{name: value - self._told.get(name, 0) for name, value in now.items()})
        self._told = now
