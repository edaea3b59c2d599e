"""Joining what tiles found: pieces that touch across a seam are one component.

Tiles come in row-major order, some at a time. Only runs on the sides of a tile can touch a neighbour's, so only
these are compared, and only with what the next tiles bring. As soon as no side of a component looks at a tile that
is still to come, the component is whole and leaves; memory follows one row of tiles' sides and what is still open.
Components of consecutive times that share pixels belong to one group, and a group leaves as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from geowatch.consolidate.found import Found, touching
from geowatch.grid.areas import Spans, dense, meet
from geowatch.grid.runs import components

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.grid.areas import Ints
    from geowatch.grid.runs import Connectivity
    from geowatch.grid.tiles import Column
    from geowatch.sites.fragment import Fragment

__all__ = ["Seams", "Whole", "join_tiles"]

_NONE = -1


@dataclass(frozen=True, eq=False, slots=True)
class Seams:
    """Which tiles there are, in row-major order, and until when their sides may be touched."""

    iy: Column
    """Rows of tiles, sorted."""
    ix: Column
    """Columns of tiles, sorted within a row."""
    right: Ints
    """Of each tile: place of the tile to the right, -1 for none."""
    below: Ints
    """Of each tile: place of the last tile below that may touch it, -1 for none."""

    @classmethod
    def of(cls, iy: Column, ix: Column, connectivity: int = 4) -> Seams:
        """Return the seams of tiles in any order."""
        order = np.lexsort((ix, iy))
        iy, ix = iy[order], ix[order]
        width = int(ix.max() - ix.min()) + 3 if len(ix) else 1
        codes = iy.astype(np.int64) * width + (ix - (ix.min() if len(ix) else 0) + 1)

        def place(shift: int) -> Ints:
            at = np.searchsorted(codes, codes + shift)
            there = at < len(codes)
            there[there] = codes[at[there]] == (codes + shift)[there]
            return np.where(there, at, _NONE)

        corners = (-1, 0, 1) if connectivity == 8 else (0,)
        below = np.max([place(width + corner) for corner in corners], axis=0) if len(codes) else codes
        return cls(iy, ix, place(1), below)

    def __len__(self) -> int:
        return len(self.iy)


@dataclass(frozen=True, eq=False, slots=True)
class Whole:
    """Pieces of groups that are complete."""

    found: Found
    """The pieces."""
    component: Ints
    """Of each piece: its component, from 0 on: pieces of one plane, class and detected box that touch."""
    group: Ints
    """Of each piece: its group, from 0 on: components that follow each other in time."""
    number: NDArray[np.int32] | None = None
    """Of each piece: its detected box, 0 for none; None where there are no boxes."""

    @property
    def boxes(self) -> NDArray[np.int32]:
        """Of each piece: its detected box, 0 for none."""
        return np.zeros(len(self.found), np.int32) if self.number is None else self.number

    def take(self, kept: NDArray[np.bool_]) -> Whole:
        """Return the pieces of some groups, numbered anew."""
        return Whole(self.found.take(kept), dense(self.component[kept]), dense(self.group[kept]), self.boxes[kept])


@dataclass(frozen=True, eq=False, slots=True)
class _Sides:
    """Runs on the sides of tiles, and what they belong to."""

    plane: Ints
    kind: Ints
    number: Ints
    """Which box of the plane; 0 for none."""
    y: Ints
    x0: Ints
    x1: Ints
    until: Ints
    """Place of the last tile that may touch the run."""
    component: Ints
    group: Ints

    def __getitem__(self, at: NDArray[np.bool_]) -> _Sides:
        return _Sides(*(getattr(self, name)[at] for name in _SIDES))

    def relabelled(self, component: Ints, group: Ints) -> _Sides:
        return replace(self, component=component[self.component], group=group[self.group])

    @classmethod
    def join(cls, parts: Sequence[_Sides]) -> _Sides:
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in _SIDES))

    @classmethod
    def none(cls) -> _Sides:
        return cls(*(np.zeros(0, dtype=np.int64) for _ in _SIDES))


_SIDES = ("plane", "kind", "number", "y", "x0", "x1", "until", "component", "group")


@dataclass(slots=True)
class _Open:
    """What is not whole yet."""

    blocks: list[Whole] = field(default_factory=list)
    """Pieces, with their labels among what is open."""
    components: int = 0
    groups: int = 0
    right: _Sides = field(default_factory=_Sides.none)
    """Sides that wait for the tile to the right."""
    below: _Sides = field(default_factory=_Sides.none)
    """Sides that wait for the tiles below."""


def join_tiles(
    chunks: Iterable[Sequence[tuple[int, Fragment]]],
    seams: Seams,
    grid: int,
    connectivity: Connectivity = 4,
    *,
    dated: bool = False,
) -> Iterator[Whole]:
    """Yield the components of a grid, each when its last tile has come.

    Args:
        chunks: Fragments with their places in ``seams``, in ascending order, some at a time; tiles may be absent
            only where nothing was found in them.
        seams: The tiles of the grid.
        grid: The grid's place in the plan.
        connectivity: 4, or 8 where pixels that meet at a corner touch.
        dated: Whether tiles cut footprints by their days: pieces of a tile may touch, and are one component then.
    """
    held = _Open()
    for chunk in chunks:
        filled = [(place, fragment) for place, fragment in chunk if fragment.piece_count]
        if filled:
            _take_in(held, filled, seams, (grid, connectivity, dated))
        yield from _let_go(held, chunk[-1][0])
    yield from _let_go(held, len(seams))


def _take_in(
    held: _Open, chunk: Sequence[tuple[int, Fragment]], seams: Seams, terms: tuple[int, Connectivity, bool]
) -> None:
    grid, connectivity, dated = terms
    found = Found.join([Found.of(fragment, grid) for _, fragment in chunk])
    component = held.components + np.arange(len(found))
    group = held.groups + np.arange(len(found))
    new = _sides(found, chunk, seams, (component, group))
    right = _Sides.join([held.right, new["right"]])
    below = _Sides.join([held.below, new["below"]])
    one, other = _touching(right, new["left"], below, new["top"], 1 if connectivity == 8 else 0)
    links = (group[found.link_a], group[found.link_b])
    if dated:
        pairs = np.stack(touching(found, connectivity))
        one, other = ((np.concatenate([s[0], component[p]]), s[1]) for s, p in zip((one, other), pairs, strict=True))
        links = (np.concatenate([links[0], group[pairs[0]]]), np.concatenate([links[1], group[pairs[1]]]))
    joined = components(held.components + len(found), one[0], other[0]).astype(np.int64)
    follows = (np.concatenate(both) for both in zip((one[1], other[1]), links, strict=True))
    groups = components(held.groups + len(found), *follows).astype(np.int64)
    number = np.concatenate([fragment.box_number for _, fragment in chunk])
    held.blocks.append(Whole(found, component, group, number))
    _relabel(held, joined, groups)
    held.right, held.below = (sides.relabelled(joined, groups) for sides in (right, below))


def _relabel(held: _Open, components: Ints, groups: Ints) -> None:
    held.blocks = [
        replace(each, component=components[each.component], group=groups[each.group]) for each in held.blocks
    ]
    held.components = int(components.max()) + 1 if len(components) else 0
    held.groups = int(groups.max()) + 1 if len(groups) else 0


def _sides(
    found: Found, chunk: Sequence[tuple[int, Fragment]], seams: Seams, labels: tuple[Ints, Ints]
) -> dict[str, _Sides]:
    counts = np.array([len(fragment.run_piece) for _, fragment in chunk])
    boxes = np.array([fragment.box.to_list() for _, fragment in chunk])
    places = np.array([place for place, _ in chunk])
    y0, x0, y1, x1 = (np.repeat(column, counts) for column in boxes.T)
    at = {
        "left": found.run_x0 == x0, "right": found.run_x1 == x1,
        "top": found.run_y == y0, "below": found.run_y == y1 - 1,
    }  # fmt: skip
    until = {"right": seams.right[places], "below": seams.below[places]}
    number = np.concatenate([fragment.box_number for _, fragment in chunk])
    out = {}
    for name, mask in at.items():
        waits = np.repeat(until[name], counts)[mask] if name in until else np.zeros(int(mask.sum()), dtype=np.int64)
        piece = found.run_piece[mask]
        columns = [found.plane[piece], found.kind[piece], number[piece]]
        columns += [found.run_y[mask], found.run_x0[mask], found.run_x1[mask]]
        columns += [waits, *(label[piece] for label in labels)]
        out[name] = _Sides(*(column.astype(np.int64) for column in columns))
    return out


def _touching(
    right: _Sides, left: _Sides, below: _Sides, top: _Sides, reach: int
) -> tuple[tuple[Ints, Ints], tuple[Ints, Ints]]:
    """Return (component, group) of both sides of each contact."""
    upper, lower = _meeting(
        ((below.plane, below.kind, below.number, below.y + 1), below.x0 - reach, below.x1 + reach),
        ((top.plane, top.kind, top.number, top.y), top.x0, top.x1),
    )
    west, east = _meeting(
        ((right.plane, right.kind, right.number, right.x1), right.y - reach, right.y + 1 + reach),
        ((left.plane, left.kind, left.number, left.x0), left.y, left.y + 1),
    )
    one = tuple(np.concatenate([getattr(below, n)[upper], getattr(right, n)[west]]) for n in ("component", "group"))
    other = tuple(np.concatenate([getattr(top, n)[lower], getattr(left, n)[east]]) for n in ("component", "group"))
    return (one[0], one[1]), (other[0], other[1])


def _meeting(
    a: tuple[tuple[Ints, ...], Ints, Ints], b: tuple[tuple[Ints, ...], Ints, Ints]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    count = len(a[1])
    group = dense(*(np.concatenate(columns) for columns in zip(a[0], b[0], strict=True)))
    return meet(Spans(group[:count], a[1], a[2]), Spans(group[count:], b[1], b[2]))


def _let_go(held: _Open, done: int) -> Iterator[Whole]:
    """Yield what no tile after ``done`` can touch; the rest is numbered anew."""
    held.right, held.below = (sides[sides.until > done] for sides in (held.right, held.below))
    waits = np.zeros(held.groups, dtype=bool)
    waits[held.right.group] = waits[held.below.group] = True
    if waits.all():
        return
    whole, rest = [], []
    for block in held.blocks:
        stays = waits[block.group]
        if not stays.all():
            whole.append(_part(block, ~stays))
        if stays.any():
            rest.append(_part(block, stays))
    held.blocks = rest
    _renumber(held)
    if whole:
        found = Found.join([block.found for block in whole])
        labels = (np.concatenate([getattr(block, name) for block in whole]) for name in ("component", "group"))
        component, group = (dense(label) for label in labels)
        yield Whole(found, component, group, np.concatenate([block.boxes for block in whole]))


def _part(block: Whole, kept: NDArray[np.bool_]) -> Whole:
    return Whole(block.found.take(kept), block.component[kept], block.group[kept], block.boxes[kept])


def _renumber(held: _Open) -> None:
    sizes = {"component": held.components, "group": held.groups}
    maps = {}
    for name, size in sizes.items():
        used = np.zeros(size, dtype=bool)
        for block in held.blocks:
            used[getattr(block, name)] = True
        maps[name] = np.cumsum(used) - 1
        setattr(held, f"{name}s", int(used.sum()))
    component, group = maps["component"], maps["group"]
    held.blocks = [replace(each, component=component[each.component], group=group[each.group]) for each in held.blocks]
    held.right, held.below = (sides.relabelled(component, group) for sides in (held.right, held.below))
