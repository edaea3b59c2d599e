"""Planes in memory, and what the fragments of any tiling amount to when they are put together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geowatch.grid.lattice import PixelBox
from geowatch.grid.runs import Runs, components, seam_contacts
from geowatch.grid.tiles import Tile
from geowatch.sites.fragment import Fragment
from geowatch.track.finding import find
from geowatch.track.scores import Scale
from geowatch.track.search import Search

BYTES = Scale("uint8", 254, 255)


@dataclass(frozen=True)
class ArrayPlanes:
    """Planes of stored values (T, K, H, W) in memory; beyond them is fill."""

    stored: NDArray[np.generic]
    box: PixelBox
    scale: Scale = BYTES

    @property
    def class_count(self) -> int:
        return int(self.stored.shape[1])

    def box_numbers(self, plane: int, box: PixelBox) -> None:
        """No boxes."""

    def read(self, plane: int, box: PixelBox, classes: tuple[int, ...]) -> NDArray[np.generic]:
        out = np.full((len(classes), *box.shape), self.scale.fill, self.stored.dtype)
        part = box & self.box
        if part:
            out[(slice(None), *part.within(box))] = self.stored[plane][(list(classes), *part.within(self.box))]
        return out


def track_tiles(
    search: Search, planes: ArrayPlanes, tile_px: int, bounds: PixelBox | None = None, stack_bytes: int = 1 << 20
) -> list[Fragment]:
    """Find what each tile of a raster holds."""
    bounds = bounds or planes.box
    cores = bounds.blocks(tile_px)
    tiles = [Tile("g", core.y0 // tile_px, core.x0 // tile_px) for core in cores]
    return [
        find(search, planes, tile, core & bounds, stack_bytes=stack_bytes)
        for tile, core in zip(tiles, cores, strict=True)
    ]


@dataclass(frozen=True)
class Component:
    """A piece of the whole raster."""

    plane: int
    kind: int
    pixels: frozenset[tuple[int, int]]
    strong_px: int
    score_sum: int
    peak: int
    day_sum: int
    series: tuple[tuple[int, int, tuple[int, ...]], ...]
    edges: frozenset[tuple[int, int, int, int]]


Links = dict[tuple[Component, Component], tuple[int, int]]
"""Pixels that components share: hidden in between, and over a gap."""


def put_together(
    fragments: Sequence[Fragment], connectivity: int, *, weak: bool = True, split_days: int | None = None
) -> tuple[set[Component], Links]:
    """Join the pieces of fragments across seams; without ``weak``, leave out components without a strong pixel.

    With ``split_days``, only pieces of one stretch of days are joined.
    """
    firsts = np.cumsum([0, *(each.piece_count for each in fragments)])
    number = components(int(firsts[-1]), *_touching(fragments, firsts, connectivity, split_days))
    members = defaultdict(list)
    for fragment, first in zip(fragments, firsts, strict=False):
        for piece in range(fragment.piece_count):
            members[int(number[first + piece])].append((fragment, piece))
    made = {label: _component(parts) for label, parts in members.items()}
    links: Links = {}
    for fragment, first in zip(fragments, firsts, strict=False):
        columns = (fragment.link_a, fragment.link_b, fragment.link_px, fragment.link_gap_px)
        for a, b, px, gap_px in zip(*(column.tolist() for column in columns), strict=True):
            pair = made[int(number[first + a])], made[int(number[first + b])]
            before = links.get(pair, (0, 0))
            links[pair] = before[0] + px, before[1] + gap_px
    kept = {each for each in made.values() if weak or each.strong_px}
    return kept, links


def _touching(
    fragments: Sequence[Fragment], firsts: NDArray[np.intp], connectivity: int, split_days: int | None
) -> Iterable[NDArray[np.int64]]:
    """Return pairs of pieces, numbered over all fragments, that touch on one plane, kind, box and stretch of days."""

    def keys(each: Fragment) -> NDArray[np.int64]:
        stretch = each.day_sum // each.area_px // (split_days or 1)
        return np.stack([each.plane, each.kind, each.box_number, stretch]).astype(np.int64)

    layers = {tuple(layer) for each in fragments for layer in keys(each).T.tolist()}
    pairs = [np.zeros((2, 0), np.int64)]
    for layer in layers:
        runs, owner = [], []
        for fragment, first in zip(fragments, firsts, strict=False):
            mine = (keys(fragment) == np.array(layer)[:, None]).all(axis=0)
            mine = mine[fragment.run_piece]
            runs.append(Runs(fragment.run_y[mine], fragment.run_x0[mine], fragment.run_x1[mine]))
            owner.append(fragment.run_piece[mine].astype(np.int64) + first)
        pairs.append(np.stack(seam_contacts(Runs.join(runs), np.concatenate(owner), connectivity)))
    return np.concatenate(pairs, axis=1)


def _component(parts: Sequence[tuple[Fragment, int]]) -> Component:
    pixels, edges = set(), set()
    series: dict[int, list[NDArray[np.int64]]] = defaultdict(list)
    for fragment, piece in parts:
        at = fragment.run_piece == piece
        runs = zip(fragment.run_y[at].tolist(), fragment.run_x0[at].tolist(), fragment.run_x1[at].tolist(), strict=True)
        mine = {(y, x) for y, x0, x1 in runs for x in range(x0, x1)}
        assert len(mine) == fragment.area_px[piece]
        assert min(mine) == (fragment.y[piece], fragment.x[piece])
        pixels |= mine
        seen = fragment.series_piece == piece
        for plane, px, sums in zip(
            fragment.series_plane[seen].tolist(), fragment.series_px[seen], fragment.series_sums[seen], strict=True
        ):
            series[plane].append(np.array([px, *sums]))
        of = fragment.edge_piece == piece
        columns = (fragment.edge_y, fragment.edge_x, fragment.edge_side, fragment.edge_share)
        edges |= set(zip(*(column[of].tolist() for column in columns), strict=True))
    totals = {plane: np.sum(values, axis=0).tolist() for plane, values in series.items()}
    return Component(
        plane=int(parts[0][0].plane[parts[0][1]]),
        kind=int(parts[0][0].kind[parts[0][1]]),
        pixels=frozenset(pixels),
        strong_px=sum(int(f.strong_px[p]) for f, p in parts),
        score_sum=sum(int(f.score_sum[p]) for f, p in parts),
        peak=max(int(f.peak[p]) for f, p in parts),
        day_sum=sum(int(f.day_sum[p]) for f, p in parts),
        series=tuple((plane, px, tuple(sums)) for plane, (px, *sums) in sorted(totals.items())),
        edges=frozenset(edges),
    )
