"""Pieces of many tiles in one table: the columns of fragments, put one after another and taken apart again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.grid.areas import Ints
    from geowatch.sites.fragment import Fragment

__all__ = ["Found", "largest", "sums"]

_GROUPS = {
    "run_": ("run_piece",),
    "series_": ("series_piece",),
    "link_": ("link_a", "link_b"),
    "first_": ("first_piece",),
    "last_": ("last_piece",),
    "edge_": ("edge_piece",),
}


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Found:
    """Pieces of any number of tiles: the columns of `Fragment`, and the grid of each piece.

    Rows of runs, series, links and edges name pieces by their place in this table.
    """

    grid: NDArray[np.int16]
    """Of each piece: its grid, by place among the plan's."""
    plane: NDArray[np.int32]
    """Place on the time axis; -1 for scores aggregated over time."""
    kind: NDArray[np.int16]
    """Class."""
    y: NDArray[np.int32]
    """Row of the first pixel."""
    x: NDArray[np.int32]
    """Column of the first pixel."""
    area_px: Ints
    """Pixels."""
    strong_px: Ints
    """Pixels at or above the high threshold."""
    score_sum: Ints
    """Sum of scores, in score units."""
    peak: NDArray[np.int32]
    """Largest score, in score units."""
    run_piece: NDArray[np.int32]
    """Of each run: its piece."""
    run_y: NDArray[np.int32]
    """Row."""
    run_x0: NDArray[np.int32]
    """First column."""
    run_x1: NDArray[np.int32]
    """Column after the last."""
    series_piece: NDArray[np.int32]
    """Of each observation: its piece."""
    series_plane: NDArray[np.int32]
    """Place on the time axis."""
    series_px: Ints
    """Pixels with scores."""
    series_sums: Ints
    """Sums of scores by class, (observations, K)."""
    link_a: NDArray[np.int32]
    """Of each link: the earlier piece."""
    link_b: NDArray[np.int32]
    """The later piece."""
    link_px: Ints
    """Pixels that both have."""
    first_piece: NDArray[np.int32]
    """Of each run of pixels that no earlier plane saw: its piece."""
    first_y: NDArray[np.int32]
    """Row."""
    first_x0: NDArray[np.int32]
    """First column."""
    first_x1: NDArray[np.int32]
    """Column after the last."""
    last_piece: NDArray[np.int32]
    """Of each run of pixels that were part of a piece when they were last seen: that piece."""
    last_y: NDArray[np.int32]
    """Row."""
    last_x0: NDArray[np.int32]
    """First column."""
    last_x1: NDArray[np.int32]
    """Column after the last."""
    edge_piece: NDArray[np.int32]
    """Of each edge of an outline: its piece."""
    edge_y: NDArray[np.int32]
    """Row of the pixel inside."""
    edge_x: NDArray[np.int32]
    """Column of the pixel inside."""
    edge_side: NDArray[np.uint8]
    """Side of that pixel."""
    edge_share: NDArray[np.uint16]
    """Where the threshold lies between its centre and its neighbour's."""

    def __len__(self) -> int:
        return len(self.plane)

    @classmethod
    def of(cls, fragment: Fragment, grid: int) -> Found:
        """Return the pieces of a fragment."""
        columns = {name: getattr(fragment, name) for name in _names() if name != "grid"}
        return cls(grid=np.full(fragment.piece_count, grid, dtype=np.int16), **columns)

    @classmethod
    def join(cls, tables: Sequence[Found]) -> Found:
        """Return the pieces of several tables, one after another."""
        if len(tables) == 1:
            return tables[0]
        shift = np.concatenate([[0], np.cumsum([len(table) for table in tables])])
        columns: dict[str, Any] = {}
        for name in _names():
            parts = [getattr(table, name) for table in tables]
            if name in _references():
                parts = [part + np.int32(by) for part, by in zip(parts, shift, strict=False)]
            columns[name] = np.concatenate(parts)
        return cls(**columns)

    def take(self, kept: NDArray[np.bool_]) -> Found:
        """Return some pieces with all that belongs to them; links need both of their ends."""
        if kept.all():
            return self
        number = np.cumsum(kept, dtype=np.int32) - np.int32(1)
        columns: dict[str, Any] = {}
        for name in _names():
            values = getattr(self, name)
            columns[name] = values[self._rows(name, kept)]
        for name in _references():
            columns[name] = number[columns[name]]
        return replace(self, **columns)

    def _rows(self, name: str, kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
        group = next((group for group in _GROUPS if name.startswith(group)), None)
        if group is None:
            return kept
        rows: list[NDArray[np.bool_]] = [kept[getattr(self, reference)] for reference in _GROUPS[group]]
        return rows[0] if len(rows) == 1 else rows[0] & rows[1]


@cache
def _names() -> tuple[str, ...]:
    return tuple(each.name for each in fields(Found))


@cache
def _references() -> frozenset[str]:
    return frozenset(name for names in _GROUPS.values() for name in names)


def sums(owner: NDArray[np.integer], values: NDArray[np.integer], owners: int) -> Ints:
    """Return the exact sum of the values of each owner, (owners, ...).

    >>> sums(np.array([1, 0, 1]), np.array([5, 6, 7]), 3).tolist()
    [6, 12, 0]
    """
    out = np.zeros((owners, *values.shape[1:]), dtype=np.int64)
    if not len(owner):
        return out
    if (owner[1:] < owner[:-1]).any():
        order = np.argsort(owner, kind="stable")
        owner, values = owner[order], values[order]
    first = np.flatnonzero(np.append(True, owner[1:] != owner[:-1]))
    out[owner[first]] = np.add.reduceat(values.astype(np.int64, copy=False), first, axis=0)
    return out


def largest(owner: NDArray[np.integer], values: NDArray[np.integer], owners: int) -> Ints:
    """Return the largest value of each owner; 0 without any."""
    out = np.zeros(owners, dtype=np.int64)
    np.maximum.at(out, owner, values)
    return out
