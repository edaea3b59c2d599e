"""One sweep, from pixels to published cores. A plain loop, Dask and every cluster call this same function.

The pass slides down over rows of windows: the strip of prepared input is read one row ahead, the network scores the
row, the band adds up, finished rows fill the cores, and full cores are published while the next rows are computed.
"""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import reduce
from itertools import pairwise
from operator import or_
from typing import TYPE_CHECKING

import numpy as np

from geowatch.errors import InterruptedRunError
from geowatch.grid.lattice import PixelBox
from geowatch.predict.prefetch import ahead
from geowatch.predict.strips import Strips
from geowatch.stages.process import give_back_memory
from geowatch.stitch.band import Band
from geowatch.stitch.cores import Core, CoreRow
from geowatch.stitch.in_memory import InMemory
from geowatch.stitch.publish import publish_core

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from geowatch.grid.tiles import Tile
    from geowatch.predict.scoring import Network, Scored
    from geowatch.predict.strips import Look, Strip
    from geowatch.stitch.cover import Cover
    from geowatch.stitch.heatmap import HeatmapLayout
    from geowatch.store import Store

__all__ = ["Figures", "Sweeper"]


@dataclass(slots=True)
class Figures:
    """What a sweep did."""

    tiles: int = 0
    """Tiles published."""
    windows: int = 0
    """Windows that the network saw."""
    skipped: int = 0
    """Windows left out, as nothing under them is kept."""
    valid_px: int = 0
    """Pixels with scores."""
    write_bytes: int = 0
    """Bytes published."""
    read_bytes: int = 0
    """Bytes of decoded imagery."""


@dataclass(frozen=True, slots=True)
class Sweeper:
    """Everything that one look at one grid needs, made once a process."""

    store: Store
    layout: HeatmapLayout
    cover: Cover
    look: Look
    time: int
    network: Network
    weights: NDArray[np.float32]
    recipe: str
    stopping: Callable[[], bool] = field(default=lambda: False)
    watch: Callable[[Figures], None] = field(default=lambda _figures: None)

    def run(self, tiles: tuple[Tile, ...]) -> Figures:
        """Compute and publish ``tiles``.

        Raises:
            InterruptedRunError: when asked to stop; what is published stays.
        """
        figures = Figures()
        with ThreadPoolExecutor(1, thread_name_prefix="gw-write") as writer:
            pending: list[Future[None]] = []
            for row in self._core_rows(tiles, figures):
                # One row of cores is written while the next is computed, never more: memory is planned.
                while pending:
                    pending.pop().result()
                pending.append(writer.submit(self._publish, row, figures))
            while pending:
                pending.pop().result()
        return figures

    def run_in_memory(self, tiles: tuple[Tile, ...]) -> Figures:
        """Compute and publish ``tiles`` with all of their scores in memory; the same values as `run`."""
        figures = Figures()
        needed = self._needed_windows(tiles)
        work = reduce(or_, (self._work(tile) for tile in tiles), PixelBox(0, 0, 0, 0))
        keep = np.zeros(work.shape, bool)
        windows = self.network.windows
        whole = [InMemory(len(h.classes), windows, self.weights, work) for h in self.layout.heads]
        for ky, columns in sorted(needed.items()):
            if self.stopping():
                raise InterruptedRunError("stopped on request", hint="run the same command again to resume")
            strip = Strips(self.look, windows, range(columns[0], columns[-1] + 1), self.cover.mask).row(ky)
            seen = strip.box & work
            keep[seen.within(work)] = strip.keep[seen.within(strip.box)]
            for scored in self._scored(ky, columns, strip, figures):
                for head, scores in zip(whole, scored.heads, strict=True):
                    for kx, window in zip(scored.kx, scores, strict=True):
                        head.add(ky, kx, window)
        row = _Filling(self, {})
        for tile in tiles:
            self._publish(row.whole(tile, whole, keep), figures)
        return figures

    def _publish(self, cores: list[Core], figures: Figures) -> None:
        for core in cores:
            marker = publish_core(self.store, self.layout, core, self.time, self.recipe)
            figures.tiles += 1
            figures.valid_px += marker.valid_px
            figures.write_bytes += sum(stored.size_bytes for stored in marker.objects)
        give_back_memory()
        self._tell(figures)

    def _tell(self, figures: Figures) -> None:
        figures.read_bytes = sum(reader.bytes_read for reader in self.look.readers)
        self.watch(figures)

    def _core_rows(self, tiles: tuple[Tile, ...], figures: Figures) -> Iterator[list[Core]]:
        """Yield finished cores, a row of tiles at a time."""
        needed = self._needed_windows(tiles)
        rows: dict[int, list[Tile]] = defaultdict(list)
        for tile in sorted(tiles):
            if self._work(tile):
                rows[tile.iy].append(tile)
            else:
                yield list(CoreRow(self.layout.grid, (tile,), self.layout.heads).cores())
        for span in _runs(sorted(needed)):
            yield from self._pass(span, needed, rows, figures)

    def _work(self, tile: Tile) -> PixelBox:
        return self.layout.grid.work(tile) & self.look.extent

    def _needed_windows(self, tiles: tuple[Tile, ...]) -> dict[int, list[int]]:
        """Return for each row of windows the columns of those that touch a tile's work."""
        found: dict[int, set[int]] = defaultdict(set)
        for tile in tiles:
            down, right = self.network.windows.touching(self._work(tile))
            for ky in down:
                found[ky].update(right)
        return {ky: sorted(kx) for ky, kx in found.items() if kx}

    def _pass(
        self, span: range, needed: dict[int, list[int]], rows: dict[int, list[Tile]], figures: Figures
    ) -> Iterator[list[Core]]:
        """Slide over a run of window rows; yield each row of cores when its last row of pixels is in."""
        every = sorted({kx for ky in span for kx in needed[ky]})
        columns = range(every[0], every[-1] + 1)
        strips = Strips(self.look, self.network.windows, columns, self.cover.mask)
        width = self.network.windows.size[1]
        x = columns[0] * self.network.windows.stride[1], columns[-1] * self.network.windows.stride[1] + width
        bands = [Band(len(h.classes), self.network.windows, self.weights, x) for h in self.layout.heads]
        filling = _Filling(self, rows)
        for ky, strip in zip(span, ahead(strips.row, span), strict=True):
            if self.stopping():
                raise InterruptedRunError("stopped on request", hint="run the same command again to resume")
            self._score(ky, needed[ky], strip, bands, figures)
            down = self.network.windows.stride[0]
            box = PixelBox(strip.box.y0, strip.box.x0, strip.box.y0 + down, strip.box.x1)
            yield from filling.put(box, tuple(band.finish() for band in bands), strip.keep[:down])
        yield from filling.close()

    def _score(self, ky: int, columns: list[int], strip: Strip, bands: list[Band], figures: Figures) -> None:
        for scored in self._scored(ky, columns, strip, figures):
            for band, scores in zip(bands, scored.heads, strict=True):
                band.add(scored.kx, scores)

    def _scored(self, ky: int, columns: list[int], strip: Strip, figures: Figures) -> Iterator[Scored]:
        """Score the windows of a row under which any pixel is kept."""
        kept = [kx for kx in columns if strip.keep[self._inside(ky, kx, strip)].any()]
        figures.skipped += len(columns) - len(kept)
        for scored in self.network.score(ky, kept, strip):
            figures.windows += len(scored.kx)
            yield scored
        self._tell(figures)

    def _inside(self, ky: int, kx: int, strip: Strip) -> tuple[slice, slice]:
        return self.network.windows.box(ky, kx).within(strip.box)


class _Filling:
    """The row of cores that is being filled; finished rows are cut where rows of tiles meet."""

    def __init__(self, sweeper: Sweeper, rows: dict[int, list[Tile]]) -> None:
        self._grid = sweeper.layout.grid
        self._heads = sweeper.layout.heads
        self._rows = rows
        self._open: CoreRow | None = None

    def put(
        self, box: PixelBox, scores: tuple[NDArray[np.float32], ...], keep: NDArray[np.bool_]
    ) -> Iterator[list[Core]]:
        """Take finished rows ``box``; yield the cores that they complete."""
        size = self._grid.tile_px
        for iy in range(box.y0 // size, (box.y1 - 1) // size + 1):
            row = self._row(iy)
            if row is None:
                continue
            part = box & row.box & self._grid.bounds
            if part:
                place = part.within(box)
                row.put(part, tuple(values[(slice(None), *place)] for values in scores), keep[place])
            if box.y1 >= row.box.y1:
                yield from self.close()

    def close(self) -> Iterator[list[Core]]:
        """Yield the open row's cores, if there is one."""
        if self._open is not None:
            row, self._open = self._open, None
            yield list(row.cores())

    def whole(self, tile: Tile, heads: list[InMemory], keep: NDArray[np.bool_]) -> list[Core]:
        """Return a tile's core out of scores that are complete."""
        row = CoreRow(self._grid, (tile,), self._heads)
        part = row.box & self._grid.bounds & heads[0].box
        if part:
            place = part.within(heads[0].box)
            row.put(part, tuple(head.scores[(slice(None), *place)] for head in heads), keep[place])
        return list(row.cores())

    def _row(self, iy: int) -> CoreRow | None:
        if self._open is None and iy in self._rows:
            # Taken out of the list: a row of cores opens once.
            self._open = CoreRow(self._grid, tuple(self._rows.pop(iy)), self._heads)
        if self._open is not None and self._open.tiles[0].iy == iy:
            return self._open
        return None


def _runs(values: list[int]) -> Iterator[range]:
    """Yield the runs of consecutive numbers.

    >>> list(_runs([1, 2, 5]))
    [range(1, 3), range(5, 6)]
    """
    if not values:
        return
    start = values[0]
    for left, right in pairwise(values):
        if right != left + 1:
            yield range(start, left + 1)
            start = right
    yield range(start, values[-1] + 1)
