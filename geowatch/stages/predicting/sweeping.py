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
from geowatch.predict.scoring import Seen
from geowatch.predict.strips import Strips
from geowatch.stages.predicting.filling import Filling
from geowatch.stages.predicting.gathering import Gathering
from geowatch.stages.working.process import give_back_memory
from geowatch.stitch.band import Band, unit_weights
from geowatch.stitch.cores import Core, CoreRow, coarser
from geowatch.stitch.device_band import DeviceBand
from geowatch.stitch.in_memory import InMemory
from geowatch.stitch.publish import publish_core

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from geowatch.grid.blend import Blend
    from geowatch.grid.tiles import Tile
    from geowatch.predict.scoring import Network
    from geowatch.predict.strips import Look, Strip, View
    from geowatch.stages.predicting.gathering import ByHead
    from geowatch.stitch.cover import Cover
    from geowatch.stitch.heatmap import HeadLayout, HeatmapLayout
    from geowatch.store import Store
    from geowatch.store.markers import Marker

__all__ = ["Figures", "Sweeper"]

#: Strips that are read ahead of the network; batches that are being prepared or scored at a time; batches and rows of
#: cores that are being worked on behind it. Never more: memory is planned.
_STRIPS_AHEAD, _BATCHES_AHEAD, _BATCHES_BEHIND, _CORE_ROWS_BEHIND = 1, 2, 1, 1

#: A batch, and what is seen in it: arrays are NumPy's on the host, torch's on a device.
Scored = tuple["Sequence[Cut]", Seen]


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
    block: int
    """The first time block; the look's views are its planes and those of the next."""
    blocks: int
    """How many time blocks are computed in this pass."""
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
                writer.put(list(_core_row(self, tile).cores()))
            filling = Filling(self.layout, worked, self.blocks)
            found = self._gathering()

            def hand_on(cores: list[Core]) -> None:
                writer.put(found.into(cores) if self.layout.boxes else cores)

            for span in _runs(sorted(needed)):
                self._pass(span, needed, _Into(filling, found, hand_on), figures)
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
        publish, found = self._publisher(figures), whole.gather(self._gathering())
        for tile in tiles:
            publish(found.into(whole.cores(tile)) if self.layout.boxes else whole.cores(tile))
        self._tell(figures)
        return figures

    def _gathering(self) -> Gathering:
        return Gathering(self.layout, self.block)

    def _publisher(self, figures: Figures) -> Callable[[list[Core]], None]:
        def publish_one(core: Core) -> Marker:
            return publish_core(self.store, self.layout, core, self.block + core.block, self.recipe)

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

    def _pass(self, span: range, needed: dict[int, list[int]], into: _Into, figures: Figures) -> None:
        """Slide over a run of window rows; hand on each row of cores when its last row of pixels is in."""
        adding = _Adding(self, into, _columns(span, needed))
        with Behind(adding.add, depth=_BATCHES_BEHIND, name="gw-stitch") as adder:
            batches = cut_batches(self._rows(span, needed, figures), self.network.batch)
            # A network with dropout is not shared between threads.
            threads = 1 if self.network.dropout else _BATCHES_AHEAD
            for scored in ahead(self._score, batches, name="gw-score", depth=_BATCHES_AHEAD, threads=threads):
                self._count(scored[0], figures)
                adder.put(scored)
        for cores in into.filling.close():
            into.hand_on(cores)

    def _rows(self, span: range, needed: dict[int, list[int]], figures: Figures) -> Iterator[Row]:
        """Yield rows of windows, those of all views in turn; windows under which nothing is kept are left out."""
        windows = self.network.windows
        strips = Strips(self.look, windows, _columns(span, needed), self.cover.mask)
        for ky, shown in zip(span, ahead(strips.rows, span, name="gw-read", depth=_STRIPS_AHEAD), strict=True):
            if self.stopping():
                raise InterruptedRunError("stopped on request", hint="run the same command again to resume")
            for view, strip in enumerate(shown):
                kept = strip.kept(needed[ky], windows)
                figures.skipped += len(needed[ky]) - len(kept)
                yield Row(ky, kept, strip, view)
            self._tell(figures)

    def _count(self, batch: Sequence[Cut], figures: Figures) -> None:
        height, width = self.network.windows.size
        count = sum(len(cut.kx) for cut in batch)
        figures.windows += count
        figures.seen_px += count * height * width

    def _score(self, batch: Sequence[Cut]) -> Scored:
        """Return the batch with what is seen in it; nothing where it has no window."""
        where = places(batch)
        if not where:
            return batch, Seen(())
        feed = gather(batch, self.network.windows, self.look.inputs)
        if device_of(self.network) is None:
            return batch, self.network.look(feed, where)
        return batch, Seen(device_scores(self.network, feed, where))


@dataclass(frozen=True, slots=True)
class _Into:
    """Where what is finished goes."""

    filling: Filling
    """Rows of cores."""
    found: Gathering
    """Boxes of tiles."""
    hand_on: Callable[[list[Core]], None]
    """Takes a row of cores when it is full."""


class _Adding:
    """Scores on their way into cores: they add up in bands, one a view and head, and leave as finished rows."""

    def __init__(self, sweeper: Sweeper, into: _Into, columns: range) -> None:
        windows = sweeper.network.windows
        hull = windows.box(0, columns[0]) | windows.box(0, columns[-1])
        self._stride = windows.stride[0]
        self._into = into
        self._views = sweeper.look.planes
        self._heads = sweeper.layout.heads
        self._objects: list[list[ByHead]] = [[] for _ in self._views]
        columns_px = hull.x0, hull.x1
        told = [head for head in self._heads if head.kind != "seen"]
        self._bands = [[_band(sweeper, h, columns_px, len(v.planes)) for h in told] for v in self._views]

    def add(self, scored: Scored) -> None:
        """Take a batch; hand on the rows of cores that it completes."""
        batch, seen = scored
        start = 0
        for cut in batch:
            stop = start + len(cut.kx)
            for band, scores in zip(self._bands[cut.row.view], seen.layers, strict=bool(seen.layers)):
                band.add(cut.kx, scores[start:stop])
            self._objects[cut.row.view] += seen.objects[start:stop]
            start = stop
            if cut.last:
                self._finish(cut.row.strip, cut.row.view)

    def _finish(self, strip: Strip, view: int) -> None:
        self._gather(strip, view)
        keeps = strip.keeps_above(strip.box.y0 + self._stride)
        bands, y = self._bands[view], 0
        for pieces in self._finished(bands, strip.box.width):
            rows = pieces[0].shape[1] * self._heads[0].reduction
            box = PixelBox(strip.box.y0 + y, strip.box.x0, strip.box.y0 + y + rows, strip.box.x1)
            self._put(view, box, pieces, [keep[y : y + rows] for keep in keeps])
            y += rows
        for band in bands:
            band.move_on()

    def _finished(self, bands: Sequence[Band | DeviceBand], width: int) -> Iterator[tuple[NDArray[Any], ...]]:
        """Yield the finished rows of each head; where a network looked that gives boxes alone has no band."""
        if len(bands) == len(self._heads):
            yield from zip(*(band.finished() for band in bands), strict=True)
            return
        told = zip(*(band.finished() for band in bands), strict=True) if bands else ((),)
        for pieces in told:
            high = pieces[0].shape[1] * self._heads[-1].reduction if pieces else self._stride
            yield np.ones((1, high, width), np.float32), *pieces

    def _gather(self, strip: Strip, view: int) -> None:
        """Hand the boxes of a row of windows on to the tiles that own them."""
        found, self._objects[view] = self._objects[view], []
        if found:
            self._into.found.put(found, strip.keep, strip.box, _only_plane(self._views[view]))

    def _put(
        self, view: int, box: PixelBox, pieces: tuple[NDArray[Any], ...], keeps: Sequence[NDArray[np.bool_]]
    ) -> None:
        """Hand finished rows of a view on to the planes that it gives."""
        planes = self._views[view].planes
        final = max(number for number, plane in enumerate(planes) if plane is not None)
        for number, (plane, keep) in enumerate(zip(planes, keeps, strict=True)):
            last = view == len(self._views) - 1 and number == final
            scores = tuple(_plane_of(h, piece, number) for h, piece in zip(self._heads, pieces, strict=True))
            if plane is not None:
                for cores in self._into.filling.put(box, scores, keep, plane, last=last):
                    self._into.hand_on(cores)


def _plane_of(head: HeadLayout, scores: NDArray[Any], number: int) -> NDArray[Any]:
    """Return the scores (K, h, w) of one date of a view, from those of all its dates (T K, h, w)."""
    count = len(head.classes)
    return scores[number * count : (number + 1) * count]


def _only_plane(view: View) -> int:
    """Return the plane of a view of a network with boxes, which gives one."""
    return next(plane for plane in view.planes if plane is not None)


def _core_row(sweeper: Sweeper, tile: Tile) -> CoreRow:
    layout = sweeper.layout
    return CoreRow(layout.grid, (tile,), layout.heads, layout.block, sweeper.blocks)


def _band(sweeper: Sweeper, head: HeadLayout, columns: tuple[int, int], dates: int) -> Band:
    windows = sweeper.network.windows.coarser(head.reduction)
    weights = unit_weights(sweeper.blend, windows)
    across = columns[0] // head.reduction, columns[1] // head.reduction
    device = device_of(sweeper.network)
    if device is None:
        return Band(dates * len(head.classes), windows, weights, across)
    return DeviceBand(head, windows, weights, across, device, dates=dates)


class _Whole:
    """All scores of a region at once."""

    def __init__(self, sweeper: Sweeper, work: PixelBox) -> None:
        windows = sweeper.network.windows
        self._sweeper = sweeper
        # As far as windows reach, so that it starts and ends where coarser pixels do.
        self._box = windows.hull(work)
        self._views = sweeper.look.planes
        self._keeps = [[np.zeros(self._box.shape, bool) for _ in view.planes] for view in self._views]
        self._objects: list[list[ByHead]] = [[] for _ in self._views]
        self._heads: list[list[InMemory]] = [[] for _ in self._views]
        for head in sweeper.layout.heads:
            coarse = windows.coarser(head.reduction)
            weights = unit_weights(sweeper.blend, coarse)
            box = coarser(self._box, head.reduction)
            for view, heads in zip(self._views, self._heads, strict=True):
                heads.append(InMemory(len(view.planes) * len(head.classes), coarse, weights, box))
                heads[-1].scores[:] = head.kind == "seen"

    def seen(self, row: Row) -> Row:
        """Note which pixels of a row are kept."""
        box = row.strip.box & self._box
        for mine, theirs in zip(self._keeps[row.view], row.strip.keeps_above(row.strip.box.y1), strict=True):
            mine[box.within(self._box)] = theirs[box.within(row.strip.box)]
        return row

    def add(self, batch: Sequence[Cut], seen: Seen) -> None:
        """Take what is seen in a batch."""
        views = [cut.row.view for cut in batch for _ in cut.kx]
        for view, boxes in zip(views, seen.objects, strict=bool(seen.objects)):
            self._objects[view].append(boxes)
        told = (number for number, head in enumerate(self._sweeper.layout.heads) if head.kind != "seen")
        for number, scores in zip(told, seen.layers, strict=bool(seen.layers)):
            for view, (ky, kx), window in zip(views, places(batch), scores, strict=True):
                self._heads[view][number].add(ky, kx, window)

    def gather(self, found: Gathering) -> Gathering:
        """Hand all boxes on to the tiles that own them."""
        for view, keeps, boxes in zip(self._views, self._keeps, self._objects, strict=True):
            if boxes:
                found.put(boxes, keeps[0], self._box, _only_plane(view))
        return found

    def cores(self, tile: Tile) -> list[Core]:
        """Return a tile's core, of scores that are complete."""
        row = _core_row(self._sweeper, tile)
        for view, heads, keeps in zip(self._views, self._heads, self._keeps, strict=True):
            for number, (plane, keep) in enumerate(zip(view.planes, keeps, strict=True)):
                own = zip(self._sweeper.layout.heads, heads, strict=True)
                if plane is not None:
                    row.put(self._box, tuple(_plane_of(h, each.scores, number) for h, each in own), keep, plane)
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
