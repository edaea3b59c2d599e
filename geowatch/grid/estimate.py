"""What a plan costs, before anything runs: windows, bytes, memory, seconds and price.

Counts are exact where the windows are known and None where they are not. Speed and price come from a small
file of rates (`read_rates`), which says where its figures are from; nothing here measures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from geowatch.errors import ConfigError, MemoryBudgetError
from geowatch.grid.counts import SweepFigures
from geowatch.grid.windows import WindowLattice

__all__ = [
    "Estimate",
    "Machine",
    "MemoryEstimate",
    "Rates",
    "Reach",
    "Workload",
    "cut_batch",
    "cut_to_memory",
    "estimate",
    "memory_per_worker",
    "packaged_rates",
    "read_rates",
]

#: Stored blocks that GDAL keeps, as many of a remote file, and the most that the reader of one date keeps of its own.
GDAL_CACHE_BYTES, DATE_CACHE_BYTES = 64 << 20, 128 << 20
#: Rows of pixels in the stored blocks that a strip ends in and the next begins in.
_BLOCK_ROWS_PX = 2 * 512
#: Interpreter and libraries of a worker before any work, without those that run networks. Measured: 230 MB.
PROCESS_BYTES = 240 << 20
#: Side of the largest chunks that tiles are stored in; of a tile in part within the region whole chunks are held.
_CHUNK_PX = 512
#: Windows of scores that are on their way at a time, in batches: in the network, waiting, and being added up.
_BATCHES = 5
#: Sweeps without a memory limit are at most this large, in pixels (rows, columns): height costs no memory.
DEFAULT_SWEEP_PX = (8192, 4096)


@dataclass(frozen=True)
class Workload:
    """What is done at each place, as far as it is known when planning."""

    windows: WindowLattice | None = None
    """Where the network looks."""
    bands: int | None = None
    """Bands that are read for a pixel, over all dates that the network sees at once."""
    dates: int = 1
    """Dates that the network sees at once; frames of a time block, where several planes are computed in one pass."""
    planes: int = 1
    """Planes of the heatmap that are computed in one pass and stored as one."""
    held_bands: int | None = None
    """Bands of all frames of a time block, where planes share them; None: as ``bands``."""
    read_itemsize: int = 2
    """Bytes of a stored value of the imagery."""
    classes: int | None = None
    """Classes that are written, over all heads."""
    write_itemsize: int = 1
    """Bytes of a stored score."""
    times: int = 1
    """Frames of the heatmap."""
    batch: int = 4
    """Windows that run at once."""
    gflop_per_window: float | None = None
    """Cost of one window in 1e9 operations."""
    network_bytes: int = 0
    """What the network takes whatever runs: weights, library, compiled forms."""
    window_bytes: int = 0
    """What each window takes in the network while it is computed."""
    lanes: int = 1
    """Windows that are computed side by side."""
    at_once: int | None = None
    """Windows that are computed at once, whatever the batch; None: as batch and lanes make it."""
    answer_bytes: int = 0
    """What the answers to a window take beside the network: output, augmented copies, how unsure they are, boxes."""
    gate_bytes: int = 0
    """What is held while the backend is compared with the reference, before the first sweep."""

    @property
    def windows_at_once(self) -> int:
        """Most windows that are computed at once.

        Two batches are scored at a time, each cut into one part a lane; while backends are compared, one window more
        than there are lanes.
        """
        if self.at_once is not None:
            return self.at_once
        a_part = -(-self.batch // self.lanes)
        parts = -(-self.batch // a_part)
        return max(self.lanes + 1, min(self.lanes, 2 * parts) * a_part)


@dataclass(frozen=True)
class Reach:
    """Pixels of a region that a sweep can have at most; its windows reach beyond."""

    high_px: int
    """Rows."""
    wide_px: int
    """Columns."""

    @classmethod
    def of(cls, shapes: Sequence[tuple[int, int]]) -> Reach:
        """Return the reach of grids with bounds of such (height, width)."""
        return cls(max((high for high, _ in shapes), default=0), max((wide for _, wide in shapes), default=0))


@dataclass(frozen=True)
class MemoryEstimate:
    """Peak memory of one worker, by what holds it; of the region, only a sweep's width counts."""

    parts: tuple[tuple[str, int], ...]
    """(name, bytes)."""

    @property
    def total_bytes(self) -> int:
        """Sum of all parts."""
        return sum(size for _, size in self.parts)


@dataclass(frozen=True)
class Estimate:
    """What a plan costs; None is not known yet."""

    tiles: int
    """Tiles."""
    sweeps: int = 0
    """Sweeps at their largest."""
    output_px: int = 0
    """Pixels of all cores within the region's bounds, for one time."""
    windows: int | None = None
    """Windows that are computed: once for each sweep that they touch, for each time."""
    redundancy: float | None = None
    """Pixels that the network sees for each pixel of output."""
    read_bytes: int | None = None
    """Bytes of imagery, decoded, at the grid's resolution."""
    write_bytes: int | None = None
    """Bytes of scores, before compression."""
    memory_bytes: int | None = None
    """Peak memory of one worker."""
    least_memory_bytes: int | None = None
    """Peak memory of one worker where ``--memory`` allows no more; None: the same. Planes of a series that see the same
    images are computed together as far as memory goes, and less of it only makes them read again."""
    seconds: float | None = None
    """Time on one machine."""
    price: float | None = None
    """Price of that time."""
    currency: str | None = None
    """Currency of the price."""
    machine: str | None = None
    """Machine of the rates file that seconds and price are for."""


class Machine(BaseModel):
    """Speed and price of a kind of machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: str
    """What it is, in words."""
    gflops: float = Field(gt=0)
    """1e9 operations a second that networks really reach on it."""
    read_bytes_per_s: float = Field(gt=0)
    """Bytes of imagery that it reads and decodes in a second."""
    price_per_hour: float = Field(ge=0)
    """Price of an hour."""
    source: str
    """Where speed and price are from."""


class Rates(BaseModel):
    """A file of machines."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: str = Field(pattern="^1$")
    date: str
    """Day on which the prices held."""
    currency: str
    """Currency of the prices."""
    default: str
    """Machine that is meant where none is named."""
    machines: dict[str, Machine]

    def machine(self, name: str | None) -> tuple[str, Machine]:
        """Return a machine and its name. Raises ConfigError for one that the file does not hold."""
        name = self.default if name is None else name
        if name not in self.machines:
            raise ConfigError(f"no machine '{name}' in the rates", hint=f"choose from {', '.join(self.machines)}")
        return name, self.machines[name]


def read_rates(text: str) -> Rates:
    """Read a rates file. Raises ConfigError where it is not one."""
    try:
        return Rates.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise ConfigError(
            f"the rates cannot be used: {place}: {first['msg']}", hint="see the rates.json of the package"
        ) from None


def packaged_rates() -> Rates:
    """Return the rates that come with the package."""
    return read_rates(resources.files("geowatch.grid").joinpath("rates.json").read_text("utf-8"))


def memory_per_worker(
    load: Workload, tile_px: int, sweep_cols: int, reach: Reach | None = None
) -> MemoryEstimate | None:
    """Return the peak memory of one worker, or None while windows, bands or classes are unknown.

    With P planes computed in one pass, W the pixels of a sweep's windows from west to east, h and s the height and
    stride of a window, B bands of all their frames and K classes: ``4 P K W h`` for the bands of rows in which scores
    add up; ``4 B W (h + 3 s)`` for the rows of input under a row of windows, those ready for the next, and those being
    read and prepared; ``2 P K`` rows of cores in their stored form, one of them being written (three with several
    planes, where the next row opens before the last is full); two encoded cores; batches of windows: input of two,
    and the answers on their way; the network, and each window that it computes at once; and the stored blocks that
    reads share. What is held while backends are compared counts as far as it is more than all that a sweep holds.

    Args:
        load: What is done at each place.
        tile_px: Side of a tile.
        sweep_cols: Tiles side by side.
        reach: Pixels of the region; None: as many as the tiles have.
    """
    if load.windows is None or load.bands is None or load.classes is None:
        return None
    height, width = load.windows.size
    core_high, core_wide = _cores(tile_px, sweep_cols, reach)
    wide = (sweep_cols * tile_px if reach is None else min(reach.wide_px, sweep_cols * tile_px)) + 2 * (width - 1)
    stored = load.planes * load.classes * load.write_itemsize
    held = load.bands if load.held_bands is None else load.held_bands
    rows = 2 if load.planes == 1 else 3
    sweep = (
        ("band", 4 * load.planes * load.classes * wide * height),
        ("input rows", wide * (height + 3 * load.windows.stride[0]) * (4 * held + load.planes)),
        ("core rows", rows * core_wide * core_high * stored),
        ("encoded cores", 2 * min(core_wide, tile_px) * core_high * stored),
        ("batches", load.batch * (4 * height * width * (2 * load.bands + _BATCHES * load.classes) + load.answer_bytes)),
        ("read cache", GDAL_CACHE_BYTES + _own_cache(held * load.read_itemsize, load.dates, wide)),
    )
    network = (
        ("network", load.network_bytes),
        ("windows in the network", load.window_bytes * load.windows_at_once),
        ("process", PROCESS_BYTES),
    )
    more = max(0, load.gate_bytes - sum(size for _, size in sweep))
    return MemoryEstimate((*sweep, *network, *((("comparing backends", more),) if more else ())))


def _cores(tile_px: int, sweep_cols: int, reach: Reach | None) -> tuple[int, int]:
    """Return the (rows, columns) of a row of cores that are held: the chunks that the region meets."""
    high, wide = tile_px, sweep_cols * tile_px
    if reach is None:
        return high, wide
    return min(high, reach.high_px + 2 * _CHUNK_PX), min(wide, reach.wide_px + 2 * _CHUNK_PX)


def _own_cache(pixel_bytes: int, dates: int, wide: int) -> int:
    """Return what the readers of all dates keep, of pixels with ``pixel_bytes`` over all dates."""
    return min(dates * DATE_CACHE_BYTES, _BLOCK_ROWS_PX * wide * pixel_bytes)


def cut_to_memory(
    load: Workload, tile_px: int, memory_bytes: int | None, reach: Reach | None = None
) -> tuple[int, int]:
    """Return the (rows, columns) of tiles of the largest sweep that fits the memory of a worker.

    Windows run in smaller batches before sweeps become narrower: see `cut_batch`.

    Raises:
        MemoryBudgetError: If not even a single tile fits, one window after the other.
    """
    rows, cols = (_power_below(side_px // tile_px) for side_px in DEFAULT_SWEEP_PX)
    if memory_bytes is None:
        return rows, cols
    load = cut_batch(load, tile_px, memory_bytes, reach)
    while cols > 1 and _needs(load, tile_px, cols, reach) > memory_bytes:
        cols //= 2
    if (least := _needs(load, tile_px, cols, reach)) > memory_bytes:
        raise MemoryBudgetError(
            f"a worker needs {least / 1e6:,.0f} MB for one tile of {tile_px} px, "
            f"and may take {memory_bytes / 1e6:,.0f} MB",
            hint=_memory_hint(load, tile_px, memory_bytes, reach),
        )
    return rows, cols


def cut_batch(load: Workload, tile_px: int, memory_bytes: int | None, reach: Reach | None = None) -> Workload:
    """Return the workload with as many windows at once as fit beside the widest sweep: half of them, a quarter ... 1.

    Where not even one fits there, the sweep has to be narrower.
    """
    cols = _power_below(DEFAULT_SWEEP_PX[1] // tile_px)
    while memory_bytes is not None and load.batch > 1 and _needs(load, tile_px, cols, reach) > memory_bytes:
        load = replace(load, batch=load.batch // 2)
    return load


def _needs(load: Workload, tile_px: int, sweep_cols: int, reach: Reach | None) -> int:
    memory = memory_per_worker(load, tile_px, sweep_cols, reach)
    return 0 if memory is None else memory.total_bytes


def _memory_hint(load: Workload, tile_px: int, memory_bytes: int, reach: Reach | None) -> str:
    smaller = [px for px in (1 << n for n in range(11, 7, -1)) if px < tile_px]
    fits = [px for px in smaller if _needs(load, px, 1, reach) <= memory_bytes]
    if fits:
        return f"give --tile-size {fits[0]}, or more --memory"
    return f"give --memory {-(-_needs(load, tile_px, 1, reach) // 10**6)}MB"


def _power_below(count: int) -> int:
    return 1 << (max(1, count).bit_length() - 1)


def estimate(
    figures: Sequence[SweepFigures],
    load: Workload,
    memory: MemoryEstimate | None,
    rates: Rates,
    machine: str | None,
) -> Estimate:
    """Add up the figures of all grids and say what they cost on a machine."""
    output = sum(each.output_px for each in figures)
    windows = _sum_of([each.windows for each in figures], load.times)
    inputs = _sum_of([each.input_px for each in figures], load.times)
    name, kind = rates.machine(machine)
    seen = None if windows is None or load.windows is None else windows * load.windows.size[0] * load.windows.size[1]
    read = None if inputs is None or load.bands is None else round(inputs * _read_bands(load) * load.read_itemsize)
    seconds = _seconds(windows, read, load, kind)
    return Estimate(
        tiles=sum(each.tiles for each in figures),
        sweeps=sum(each.sweeps for each in figures),
        output_px=output,
        windows=windows,
        redundancy=None if seen is None or not output else seen / (output * load.times),
        read_bytes=read,
        write_bytes=None if load.classes is None else output * load.times * load.classes * load.write_itemsize,
        memory_bytes=None if memory is None else memory.total_bytes,
        seconds=seconds,
        price=None if seconds is None else seconds / 3600 * kind.price_per_hour,
        currency=rates.currency,
        machine=name,
    )


def _read_bands(load: Workload) -> float:
    """Return how many bands are read for a pixel of a plane: planes of a block share theirs."""
    return load.bands or 0 if load.held_bands is None else load.held_bands / load.planes


def _sum_of(counts: Sequence[int | None], times: int) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) * times if len(known) == len(counts) else None


def _seconds(windows: int | None, read: int | None, load: Workload, kind: Machine) -> float | None:
    # Reading runs ahead of the network, so the slower of the two counts.
    if windows is None or read is None or load.gflop_per_window is None:
        return None
    return max(windows * load.gflop_per_window / kind.gflops, read / kind.read_bytes_per_s)
