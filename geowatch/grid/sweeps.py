"""Sweeps: adjacent tiles that are run as one, so that a window between them is computed once.

A sweep is an aligned block of tiles, (rows, columns) counted from tile 0 and both powers of two. Alignment
makes the cut a function of the plan alone: workers that never talk agree on it, a resume finds the same
blocks with the done tiles missing, and a block can be halved without moving any other. Where tiles are cut
changes no value; only how many windows at the blocks' edges are computed twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from geowatch.errors import ConfigError
from geowatch.grid.tiles import Column, Tile, TileTable

__all__ = ["Done", "Sweep", "Sweeps", "cut_sweeps", "shard_of", "sweep_order"]

Done = Callable[[Tile], bool] | Mapping[str, NDArray[np.bool_]]
"""Which tiles are done: a predicate, or a mask per grid over the rows of its table."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """Adjacent tiles of one aligned block."""

    grid: str
    """Id of their grid."""
    tiles: tuple[Tile, ...]
    """The tiles, row by row; at least one."""


@dataclass(frozen=True, eq=False)
class _Cut:
    """The sweeps of one grid as columns: sweep k is the table's rows ``order[starts[k]:starts[k + 1]]``."""

    table: TileTable
    order: NDArray[np.intp]
    starts: NDArray[np.intp]
    keep: NDArray[np.bool_]
    """Rows of the table that are not done."""
    left: NDArray[np.intp]
    """Tiles of each sweep that are not done."""

    @classmethod
    def of(cls, table: TileTable, sweep_tiles: tuple[int, int]) -> _Cut:
        rows, cols = sweep_tiles
        order = sweep_order(table.iy, table.ix, sweep_tiles)
        by, bx = table.iy[order] // rows, table.ix[order] // cols
        new = np.flatnonzero((by[1:] != by[:-1]) | (bx[1:] != bx[:-1])) + 1
        ends = [0, len(table)] if len(table) else [0]
        starts = np.sort(np.append(new, ends)).astype(np.intp)
        return cls(table, order, starts, np.ones(len(table), dtype=bool), np.diff(starts))

    def without(self, done: NDArray[np.bool_]) -> _Cut:
        keep = self.keep & ~done
        kept = np.concatenate([[0], np.cumsum(keep[self.order])])
        return replace(self, keep=keep, left=np.diff(kept[self.starts]))

    def sweep(self, k: int) -> Sweep:
        rows = self.order[self.starts[k] : self.starts[k + 1]]
        return Sweep(self.table.grid, tuple(self.table[rows[self.keep[rows]]]))


@dataclass(frozen=True, eq=False)
class Sweeps(Sequence[Sweep]):
    """A sequence of sweeps that costs no object until one is taken."""

    cuts: tuple[_Cut, ...]
    """Per grid, all sweeps of the plan, whatever is done."""
    tiles: tuple[int, int]
    """(rows, columns) of tiles in a whole sweep."""
    share: tuple[int, int] = (0, 1)
    """Which contiguous share this is: (index, number of shares)."""

    def __iter__(self) -> Iterator[Sweep]:
        for cut, share in self._shares():
            for k in range(share.start, share.stop):
                if cut.left[k]:
                    yield cut.sweep(k)

    def __len__(self) -> int:
        return sum(int(np.count_nonzero(cut.left[share])) for cut, share in self._shares())

    def __getitem__(self, at: int) -> Sweep:  # type: ignore[override]
        at = at + len(self) if at < 0 else at
        for cut, share in self._shares():
            live = np.flatnonzero(cut.left[share])
            if 0 <= at < len(live):
                return cut.sweep(share.start + int(live[at]))
            at -= len(live)
        raise IndexError("no such sweep")

    @property
    def tile_count(self) -> int:
        """Tiles that are left to run in this share."""
        return sum(int(cut.left[share].sum()) for cut, share in self._shares())

    def without(self, done: Done) -> Sweeps:
        """Return these sweeps less the done tiles. Shares stay as they are, so that workers still agree."""
        return replace(self, cuts=tuple(cut.without(_mask(done, cut.table)) for cut in self.cuts))

    def _shares(self) -> Iterator[tuple[_Cut, slice]]:
        total = sum(len(cut.table) for cut in self.cuts)
        before = 0
        for cut in self.cuts:
            yield cut, slice(*_share(before + cut.starts[:-1], total, self.share))
            before += len(cut.table)


def _mask(done: Done, table: TileTable) -> NDArray[np.bool_]:
    if isinstance(done, Mapping):
        return done.get(table.grid, np.zeros(len(table), dtype=bool))
    return np.fromiter((done(tile) for tile in table), dtype=bool, count=len(table))


def sweep_order(iy: Column, ix: Column, sweep_tiles: tuple[int, int]) -> NDArray[np.intp]:
    """Return the rows of tile columns in sweep order: blocks row by row, and row by row inside.

    >>> sweep_order(np.array([0, 0, 1, 1]), np.array([1, 2, 1, 0]), (2, 2)).tolist()
    [0, 3, 2, 1]
    """
    if not len(iy):
        return np.zeros(0, dtype=np.intp)
    rows, cols = sweep_tiles
    y, x = iy.astype(np.int64), ix.astype(np.int64)
    by, bx = y // rows, x // cols
    block = (by - by.min()) * (bx.max() - bx.min() + 1) + bx - bx.min()
    # One key, sorted stably: next to nothing where rows already stand in order.
    return np.argsort((block * rows + y % rows) * cols + x % cols, kind="stable")


def cut_sweeps(
    tables: Mapping[str, TileTable] | Sequence[TileTable],
    sweep_tiles: tuple[int, int],
    *,
    at_least: int = 1,
    done: Done | None = None,
) -> Sweeps:
    """Cut tiles into sweeps.

    Args:
        tables: The plan's tiles, per grid.
        sweep_tiles: Greatest (rows, columns) of a sweep, powers of two; from the plan.
        at_least: Halve the blocks until there are this many sweeps, or each is a single tile. This counts the
            whole plan, so it must be equal wherever shares of one plan are taken.
        done: Tiles to leave out.

    Returns:
        The sweeps, grid by grid and block by block; each tile is in exactly one.
    """
    each = list(tables.values()) if isinstance(tables, Mapping) else list(tables)
    rows, cols = sweep_tiles
    if not (_is_power(rows) and _is_power(cols)):
        raise ConfigError(f"sweeps of {rows} x {cols} tiles", hint="give powers of two, such as 4 x 2")
    cuts = tuple(_Cut.of(table, (rows, cols)) for table in each)
    while sum(len(cut.left) for cut in cuts) < at_least and rows * cols > 1:
        rows, cols = (rows // 2, cols) if rows >= cols else (rows, cols // 2)
        cuts = tuple(_Cut.of(table, (rows, cols)) for table in each)
    sweeps = Sweeps(cuts, (rows, cols))
    return sweeps if done is None else sweeps.without(done)


def _is_power(n: int) -> bool:
    return n > 0 and n & (n - 1) == 0


def shard_of(sweeps: Sequence[Sweep], index: int, shards: int) -> Sequence[Sweep]:
    """Return contiguous share ``index`` (from 0) of ``shards``, about equal in tiles.

    A pure function of the cut: where ``sweeps`` are `Sweeps`, it does not depend on which tiles are done, so
    workers agree without talking. Shares beyond the number of sweeps are empty.
    """
    if not 0 <= index < shards:
        raise ConfigError(f"share {index} of {shards}", hint=f"give an index from 0 to {max(0, shards - 1)}")
    if isinstance(sweeps, Sweeps):
        if sweeps.share != (0, 1):
            raise ConfigError(f"these sweeps are already share {sweeps.share[0]} of {sweeps.share[1]}")
        return replace(sweeps, share=(index, shards))
    ends = np.cumsum([0, *(len(sweep.tiles) for sweep in sweeps)])
    first, last = _share(ends[:-1], int(ends[-1]), (index, shards))
    return sweeps[first:last]


def _share(starts: NDArray[np.intp], total: int, share: tuple[int, int]) -> tuple[int, int]:
    # A sweep belongs to the share in which its first tile falls, counting all of the plan's tiles.
    index, shares = share
    share_of = starts * shares // max(1, total)
    first, last = np.searchsorted(share_of, [index, index + 1]).tolist()
    return first, last
