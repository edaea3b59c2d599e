"""How many windows and pixels a plan's sweeps cost, exactly and as arrays.

A sweep computes the union of the windows that touch its tiles. Along one axis each window meets a run of
tiles of the sweep's block; windows are grouped by that run, for rows and for columns, and a group counts
where any tile of its rectangle of tiles is in the plan. That is exact for any set of tiles, and costs a few
array operations a plan.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geowatch.grid.lattice import PixelBox
from geowatch.grid.sweeps import sweep_order
from geowatch.grid.tiles import Column, TileTable
from geowatch.grid.windows import WindowLattice

__all__ = ["SweepFigures", "sweep_figures", "windows_per_tile"]

Ints = NDArray[np.int64]

#: Cells (tiles of all blocks, present or not) that are counted at once.
_CHUNK_CELLS = 1 << 22


@dataclass(frozen=True)
class _Spans:
    """Windows along one axis: per tile index, ``low <= k < high`` of the windows that touch its work."""

    first: int
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    work_px: NDArray[np.int64]

    def at(self, index: Column) -> NDArray[np.intp]:
        return np.asarray(index - self.first, dtype=np.intp)


def _spans(index: Column, bounds: tuple[int, int], tile_px: int, window: tuple[int, int] | None) -> _Spans:
    first = int(index.min())
    every = np.arange(first, int(index.max()) + 1, dtype=np.int64)
    start = np.maximum(every * tile_px, bounds[0])
    stop = np.minimum((every + 1) * tile_px, bounds[1])
    if window is None:
        return _Spans(first, start, start, stop - start)
    size, stride = window
    # As WindowLattice.touching, for all tiles at once.
    return _Spans(first, (start - size) // stride + 1, -(-stop // stride), stop - start)


def _both_spans(
    table: TileTable, bounds: PixelBox, tile_px: int, windows: WindowLattice | None
) -> tuple[_Spans, _Spans]:
    down, right = (None, None) if windows is None else zip(windows.size, windows.stride, strict=True)
    return (
        _spans(table.iy, (bounds.y0, bounds.y1), tile_px, down),
        _spans(table.ix, (bounds.x0, bounds.x1), tile_px, right),
    )


def windows_per_tile(table: TileTable, bounds: PixelBox, tile_px: int, windows: WindowLattice) -> NDArray[np.int32]:
    """Return how many windows touch each tile's work, were it run alone."""
    if not len(table):
        return np.zeros(0, dtype=np.int32)
    y, x = _both_spans(table, bounds, tile_px, windows)
    iy, ix = y.at(table.iy), x.at(table.ix)
    return np.asarray((y.high - y.low)[iy] * (x.high - x.low)[ix], dtype=np.int32)


@dataclass(frozen=True)
class SweepFigures:
    """Sums over the sweeps of one grid, for one time."""

    tiles: int
    """Tiles."""
    sweeps: int
    """Sweeps."""
    output_px: int
    """Pixels of all work."""
    windows: int | None
    """Windows, or None where they are unknown."""
    input_px: int | None
    """Pixels of the rectangles around each sweep's windows, or None."""


def sweep_figures(
    table: TileTable,
    bounds: PixelBox,
    tile_px: int,
    sweep_tiles: tuple[int, int],
    windows: WindowLattice | None,
) -> SweepFigures:
    """Count sweeps, pixels and windows of one grid, exactly.

    A sweep computes the union of the windows that touch its tiles' work (core within bounds), each once.
    Input pixels are those of the rectangle around these windows.
    """
    if not len(table):
        none = None if windows is None else 0
        return SweepFigures(0, 0, 0, none, none)
    order = sweep_order(table.iy, table.ix, sweep_tiles)
    table = table[order]
    y, x = _both_spans(table, bounds, tile_px, windows)
    output = int((y.work_px[y.at(table.iy)] * x.work_px[x.at(table.ix)]).sum())
    starts = _starts(table, sweep_tiles)
    if windows is None:
        return SweepFigures(len(table), len(starts), output, None, None)
    reach = [min((size - 2) // tile_px + 1, side - 1) for size, side in zip(windows.size, sweep_tiles, strict=True)]
    down, right = _Runs.of(y, sweep_tiles[0], reach[0]), _Runs.of(x, sweep_tiles[1], reach[1])
    count = _union_count(table, starts, sweep_tiles, (down, right))
    return SweepFigures(len(table), len(starts), output, count, _input_px(table, starts, (y, x), windows))


def _starts(table: TileTable, sweep_tiles: tuple[int, int]) -> NDArray[np.intp]:
    by, bx = table.iy // sweep_tiles[0], table.ix // sweep_tiles[1]
    new = (by[1:] != by[:-1]) | (bx[1:] != bx[:-1])
    return np.flatnonzero(np.append(True, new))


@dataclass(frozen=True)
class _Runs:
    """Along one axis: how many windows meet exactly the tiles p to p + d of p's block."""

    first: int
    counts: Ints
    """(reach + 1, tiles) by d and p."""
    block: int

    @classmethod
    def of(cls, span: _Spans, block: int, reach: int) -> _Runs:
        n = len(span.low)
        place = (span.first + np.arange(n)) % block
        far = np.iinfo(np.int64).max
        # A window that also meets the tile before p, or after q, in the same block belongs to another run.
        before = np.where(place == 0, -far, np.append(-far, span.high[:-1]))
        after = np.where(place == block - 1, far, np.append(span.low[1:], far))
        counts = np.zeros((reach + 1, n), dtype=np.int64)
        for d in range(min(reach + 1, n)):
            p, q = slice(0, n - d), slice(d, n)
            low = np.maximum(np.maximum(span.low[q], before[p]), span.low[p])
            high = np.minimum(np.minimum(span.high[p], after[q]), span.high[q])
            counts[d, p] = np.where(place[p] + d < block, np.maximum(high - low, 0), 0)
        return cls(span.first, counts, block)

    def of_blocks(self, blocks: Ints, d: int) -> Ints:
        """Counts (blocks, tiles of a block) for runs of d + 1 tiles; 0 where there are no tiles."""
        at = blocks[:, None] * self.block + np.arange(self.block) - self.first
        inside = (at >= 0) & (at < self.counts.shape[1])
        return np.where(inside, self.counts[d][np.where(inside, at, 0)], 0)


def _union_count(
    table: TileTable, starts: NDArray[np.intp], sweep_tiles: tuple[int, int], runs: tuple[_Runs, _Runs]
) -> int:
    rows, cols = sweep_tiles
    step = max(1, _CHUNK_CELLS // (rows * cols))
    ends = np.append(starts, len(table))
    total = 0
    for first in range(0, len(starts), step):
        edges = ends[first : first + step + 1]
        part = table[slice(int(edges[0]), int(edges[-1]))]
        sweep = np.repeat(np.arange(len(edges) - 1), np.diff(edges))
        present = np.zeros((len(edges) - 1, rows, cols), dtype=bool)
        present[sweep, part.iy % rows, part.ix % cols] = True
        blocks = [
            np.asarray(index[edges[:-1] - edges[0]] // side, dtype=np.int64)
            for index, side in ((part.iy, rows), (part.ix, cols))
        ]
        total += _met(present, (blocks[0], blocks[1]), runs)
    return total


def _met(present: NDArray[np.bool_], blocks: tuple[Ints, Ints], runs: tuple[_Runs, _Runs]) -> int:
    down, right = runs
    total = 0
    tall = present
    for d in range(len(down.counts)):
        tall = tall | _shifted(present, d, axis=1)
        weight = down.of_blocks(blocks[0], d)
        both = tall
        for r in range(len(right.counts)):
            both = both | _shifted(tall, r, axis=2)
            total += int(np.einsum("sij,si,sj->", both, weight, right.of_blocks(blocks[1], r)))
    return total


def _shifted(present: NDArray[np.bool_], by: int, axis: int) -> NDArray[np.bool_]:
    """Tile p + ``by`` in the place of tile p, nothing beyond the block."""
    out = np.zeros_like(present)
    if axis == 1:
        out[:, : out.shape[1] - by] = present[:, by:]
    else:
        out[:, :, : out.shape[2] - by] = present[:, :, by:]
    return out


def _input_px(table: TileTable, starts: NDArray[np.intp], spans: tuple[_Spans, _Spans], windows: WindowLattice) -> int:
    sides = []
    for span, index, size, stride in zip(spans, (table.iy, table.ix), windows.size, windows.stride, strict=True):
        at = span.at(index)
        low = np.minimum.reduceat(span.low[at], starts)
        high = np.maximum.reduceat(span.high[at], starts)
        sides.append((high - 1 - low) * stride + size)
    return int((sides[0] * sides[1]).sum())
