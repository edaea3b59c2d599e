"""One sweep, from pixels to published cores. A plain loop, Dask and every cluster call this same function.

The pass slides down over rows of windows. Four things go on at once, each in a thread of its own, with short queues
between them: strips of prepared input are read ahead, the network scores batches of windows, scores add up in the
band and finished rows are quantised into cores, full cores are compressed and published.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import reduce
from itertools import chain, pairwise
from operator import or_
from typing import TYPE_CHECKING

import numpy as np

from geowatch.errors import InterruptedRunError
from geowatch.grid.lattice import PixelBox
from geowatch.predict.batches import Cut, Row, cut_batches, gather, places
from geowatch.predict.on_device import device_of, device_scores
from geowatch.predict.pipeline import Behind, ahead
from geowatch.predict.strips import Strips
from geowatch.stages.filling import Filling
from geowatch.stages.process import give_back_memory
from geowatch.stitch.band import Band, unit_weights
from geowatch.stitch.cores import Core, CoreRow, coarser
from geowatch.stitch.device_band import DeviceBand
from geowatch.stitch.in_memory import InMemory
from geowatch.stitch.publish import publish_core

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

    from geowatch.grid.blend import Blend
    from geowatch.grid.tiles import Tile
    from geowatch.predict.scoring import Network
    from geowatch.predict.strips import Look, Strip
    from geowatch.stitch.cover import Cover
    from geowatch.stitch.heatmap import HeadLayout, HeatmapLayout
    from geowatch.store import Store
    from geowatch.store.markers import Marker

__all__ = ["Figures", "Sweeper"]

#: Strips that are read ahead of the network; batches that are being prepared or scored at a time; batches and rows of
#: cores that are being worked on behind it. Never more: memory is planned.
_STRIPS_AHEAD, _BATCHES_AHEAD, _BATCHES_BEHIND, _CORE_ROWS_BEHIND = 1, 2, 1, 1

#: One array a head, (N, K, h, w): NumPy's on the host, torch's on a device.
Layers = tuple["Any", ...]


@dataclass(slots=True)
class Figures:
    """What a sweep did."""

    tiles: int = 0
    """Tiles published."""
    windows: int = 0
    """Windows that the network saw."""
    seen_px: int = 0
    """Pixels of those windows: one that lies in two windows counts twice."""
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
    blend: Blend
    recipe: str
    stopping: Callable[[], bool] = field(default=lambda: False)
    watch: Callable[[Figures], None] = field(default=lambda _figures: None)

    def run(self, tiles: tuple[Tile, ...]) -> Figures:
        """Compute and publish ``tiles``.

        Raises:
            InterruptedRunError: when asked to stop; what is published stays.
        """
        figures = Figures()
        needed = self._needed_windows(tiles)
        with Behind(self._publisher(figures), depth=_CORE_ROWS_BEHIND, name="gw-write") as writer:
            worked = [tile for tile in tiles if self._work(tile)]
            for tile in sorted(set(tiles) - set(worked)):
                writer.put(list(CoreRow(self.layout.grid, (tile,), self.layout.heads).cores()))
            filling = Filling(self.layout, worked)
            for span in _runs(sorted(needed)):
                self._pass(span, needed, filling, writer.put, figures)
        self._tell(figures)
        return figures

    def run_in_memory(self, tiles: tuple[Tile, ...]) -> Figures:
        """Compute and publish ``tiles`` with all of their scores in memory; the same values as `run`."""
        figures = Figures()
        needed = self._needed_windows(tiles)
        work = reduce(or_, (self._work(tile) for tile in tiles), PixelBox(0, 0, 0, 0))
        whole = _Whole(self, work)
        rows = chain.from_iterable(self._rows(range(ky, ky + 1), needed, figures) for ky in sorted(needed))
        for batch in cut_batches(map(whole.seen, rows), self.network.batch):
            whole.add(*self._score(batch))
            self._count(batch, figures)
        publish = self._publisher(figures)
        for tile in tiles:
            publish(whole.cores(tile))
        self._tell(figures)
        return figures

    def _publisher(self, figures: Figures) -> Callable[[list[Core]], None]:
        def publish_one(core: Core) -> Marker:
            return publish_core(self.store, self.layout, core, self.time, self.recipe)

        def publish(cores: list[Core]) -> None:
            # Two at a time: when the network is done with a sweep, a core of the machine would idle.
            with ThreadPoolExecutor(2, thread_name_prefix="gw-publish") as pool:
                for marker in pool.map(publish_one, cores):
                    figures.tiles += 1
                    figures.valid_px += marker.valid_px
                    figures.write_bytes += sum(stored.size_bytes for stored in marker.objects)
            give_back_memory()

        return publish

    def _tell(self, figures: Figures) -> None:
        figures.read_bytes = sum(reader.bytes_read for reader in self.look.readers)
        self.watch(figures)

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
        self,
        span: range,
        needed: dict[int, list[int]],
        filling: Filling,
        hand_on: Callable[[list[Core]], None],
        figures: Figures,
    ) -> None:
        """Slide over a run of window rows; hand on each row of cores when its last row of pixels is in."""
        adding = _Adding(self, filling, hand_on, _columns(span, needed))
        with Behind(adding.add, depth=_BATCHES_BEHIND, name="gw-stitch") as adder:
            batches = cut_batches(self._rows(span, needed, figures), self.network.batch)
            # A network with dropout is not shared between threads.
            threads = 1 if self.network.dropout else _BATCHES_AHEAD
            for scored in ahead(self._score, batches, name="gw-score", depth=_BATCHES_AHEAD, threads=threads):
                self._count(scored[0], figures)
                adder.put(scored)
        for cores in filling.close():
            hand_on(cores)

    def _rows(self, span: range, needed: dict[int, list[int]], figures: Figures) -> Iterator[Row]:
        """Yield rows of windows with what is kept of them; windows under which nothing is kept are left out."""
        windows = self.network.windows
        strips = Strips(self.look, windows, _columns(span, needed), self.cover.mask)
        for ky, strip in zip(span, ahead(strips.row, span, name="gw-read", depth=_STRIPS_AHEAD), strict=True):
            if self.stopping():
                raise InterruptedRunError("stopped on request", hint="run the same command again to resume")
            kept = strip.kept(needed[ky], windows)
            figures.skipped += len(needed[ky]) - len(kept)
            yield Row(ky, kept, strip)
            self._tell(figures)

    def _count(self, batch: Sequence[Cut], figures: Figures) -> None:
        height, width = self.network.windows.size
        count = sum(len(cut.kx) for cut in batch)
        figures.windows += count
        figures.seen_px += count * height * width

    def _score(self, batch: Sequence[Cut]) -> tuple[Sequence[Cut], Layers]:
        """Return the batch with its scores; without any where it has no window."""
        where = places(batch)
        if not where:
            return batch, ()
        feed = gather(batch, self.network.windows, self.look.inputs)
        return batch, self._layers(feed, where)

    def _layers(self, feed: Mapping[str, NDArray[np.float32]], where: Sequence[tuple[int, int]]) -> Layers:
        if device_of(self.network) is None:
            return self.network.scores(feed, where)
        return device_scores(self.network, feed, where)


class _Adding:
    """Scores on their way into cores: they add up in bands, one a head, and leave as finished rows."""

    def __init__(
        self, sweeper: Sweeper, filling: Filling, hand_on: Callable[[list[Core]], None], columns: range
    ) -> None:
        windows = sweeper.network.windows
        hull = windows.box(0, columns[0]) | windows.box(0, columns[-1])
        self._stride = windows.stride[0]
        self._filling = filling
        self._hand_on = hand_on
        self._bands = [_band(sweeper, head, (hull.x0, hull.x1)) for head in sweeper.layout.heads]
        self._reductions = [head.reduction for head in sweeper.layout.heads]

    def add(self, scored: tuple[Sequence[Cut], Layers]) -> None:
        """Take a batch; hand on the rows of cores that it completes."""
        batch, layers = scored
        start = 0
        for cut in batch:
            stop = start + len(cut.kx)
            for band, scores in zip(self._bands, layers, strict=bool(layers)):
                band.add(cut.kx, scores[start:stop])
            start = stop
            if cut.last:
                self._finish(cut.row.strip)

    def _finish(self, strip: Strip) -> None:
        keep = strip.keep_above(strip.box.y0 + self._stride)
        y = 0
        for pieces in zip(*(band.finished() for band in self._bands), strict=True):
            rows = pieces[0].shape[1] * self._reductions[0]
            box = PixelBox(strip.box.y0 + y, strip.box.x0, strip.box.y0 + y + rows, strip.box.x1)
            for cores in self._filling.put(box, pieces, keep[y : y + rows]):
                self._hand_on(cores)
            y += rows
        for band in self._bands:
            band.move_on()


def _band(sweeper: Sweeper, head: HeadLayout, columns: tuple[int, int]) -> Band:
    windows = sweeper.network.windows.coarser(head.reduction)
    weights = unit_weights(sweeper.blend, windows)
    across = columns[0] // head.reduction, columns[1] // head.reduction
    device = device_of(sweeper.network)
    if device is None:
        return Band(len(head.classes), windows, weights, across)
    return DeviceBand(head, windows, weights, across, device)


class _Whole:
    """All scores of a region at once."""

    def __init__(self, sweeper: Sweeper, work: PixelBox) -> None:
        windows = sweeper.network.windows
        self._layout = sweeper.layout
        # As far as windows reach, so that it starts and ends where coarser pixels do.
        self._box = windows.hull(work)
        self._keep = np.zeros(self._box.shape, bool)
        self._heads = []
        for head in sweeper.layout.heads:
            coarse = windows.coarser(head.reduction)
            weights = unit_weights(sweeper.blend, coarse)
            self._heads.append(InMemory(len(head.classes), coarse, weights, coarser(self._box, head.reduction)))

    def seen(self, row: Row) -> Row:
        """Note which pixels of a row are kept."""
        box = row.strip.box & self._box
        self._keep[box.within(self._box)] = row.strip.keep[box.within(row.strip.box)]
        return row

    def add(self, batch: Sequence[Cut], layers: Layers) -> None:
        """Take the scores of a batch."""
        for head, scores in zip(self._heads, layers, strict=bool(layers)):
            for (ky, kx), window in zip(places(batch), scores, strict=True):
                head.add(ky, kx, window)

    def cores(self, tile: Tile) -> list[Core]:
        """Return a tile's core, of scores that are complete."""
        row = CoreRow(self._layout.grid, (tile,), self._layout.heads)
        row.put(self._box, tuple(head.scores for head in self._heads), self._keep)
        return list(row.cores())


def _columns(span: range, needed: dict[int, list[int]]) -> range:
    """Return all columns between the first and the last that a row of ``span`` needs."""
    return range(min(needed[ky][0] for ky in span), max(needed[ky][-1] for ky in span) + 1)


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
