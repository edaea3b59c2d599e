"""Pieces of many tiles in one table: the columns of fragments, put one after another and taken apart again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from geowatch.grid.areas import dense, unite
from geowatch.grid.runs import Runs, contacts
from geowatch.sites.fragment import NEVER
from geowatch.sites.pieces import Pieces

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.grid.areas import Ints
    from geowatch.grid.runs import Connectivity
    from geowatch.sites.fragment import Fragment

__all__ = [
    "ENDED", "Found", "collapsed", "group_of", "largest", "names_of", "no_kin", "references", "smallest", "sums",
    "touching",
]  # fmt: skip

#: Stands for the sites of an earlier run that ended.
ENDED = -2

_GROUPS = {
    "run_": ("run_piece",),
    "series_": ("series_piece",),
    "link_": ("link_a", "link_b"),
    "first_": ("first_piece",),
    "begun_": ("begun_piece",),
    "last_": ("last_piece",),
    "left_": ("left_piece",),
    "edge_": ("edge_piece",),
    "bond_": ("bond_a", "bond_b"),
    "kin_": ("kin_piece",),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Found(Pieces):
    """Pieces of any number of tiles, with the grid of each, and what binds them to sites of an earlier run.

    Rows of runs, series, links and edges name pieces by their place in this table.
    """

    grid: NDArray[np.int16]
    """Of each piece: its grid, by place among the plan's."""
    bond_a: NDArray[np.int32]
    """Of each bond: a piece of an earlier run."""
    bond_b: NDArray[np.int32]
    """Another of the same candidate, whatever links them."""
    kin_piece: NDArray[np.int32]
    """Of each kinship with a site of an earlier run: the piece."""
    kin_site: NDArray[np.int32]
    """The site, by age; `ENDED` for any of those that ended."""
    kin_px: Ints
    """Pixels that speak for it."""
    kin_own: NDArray[np.bool_]
    """Whether the piece is that site's own past."""

    def __len__(self) -> int:
        return len(self.plane)

    @classmethod
    def of(cls, fragment: Fragment, grid: int) -> Found:
        """Return the pieces of a fragment."""
        columns = {name: getattr(fragment, name) for name in names_of() if name != "grid" and name not in no_kin()}
        return cls(grid=np.full(fragment.piece_count, grid, dtype=np.int16), **columns, **no_kin())

    @classmethod
    def join(cls, tables: Sequence[Found]) -> Found:
        """Return the pieces of several tables, one after another."""
        if len(tables) == 1:
            return tables[0]
        shift = np.concatenate([[0], np.cumsum([len(table) for table in tables])])
        columns: dict[str, Any] = {}
        for name in names_of():
            parts = [getattr(table, name) for table in tables]
            if name in references():
                parts = [part + np.int32(by) for part, by in zip(parts, shift, strict=False)]
            columns[name] = np.concatenate(parts)
        return cls(**columns)

    def take(self, kept: NDArray[np.bool_]) -> Found:
        """Return some pieces with all that belongs to them; links need both of their ends."""
        if kept.all():
            return self
        number = np.cumsum(kept, dtype=np.int32) - np.int32(1)
        columns: dict[str, Any] = {}
        for name in names_of():
            values = getattr(self, name)
            columns[name] = values[self._rows(name, kept)]
        for name in references():
            columns[name] = number[columns[name]]
        return replace(self, **columns)

    def on_grids(self, number: NDArray[np.int16]) -> Found:
        """Return the pieces with their grids numbered anew: ``number`` is the new one of each."""
        return replace(self, grid=number[self.grid])

    def _rows(self, name: str, kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
        group = next((group for group in _GROUPS if name.startswith(group)), None)
        if group is None:
            return kept
        rows: list[NDArray[np.bool_]] = [kept[getattr(self, reference)] for reference in _GROUPS[group]]
        return rows[0] if len(rows) == 1 else rows[0] & rows[1]


def collapsed(found: Found, component: NDArray[np.integer]) -> Found:
    """Return one piece for each component, which are numbered from 0 on: all of its figures and pixels together."""
    n = int(component.max()) + 1 if len(component) else 0
    lead = np.lexsort((found.x, found.y, component))
    lead = lead[np.append(True, np.diff(component[lead]) > 0)[: len(lead)]]
    columns: dict[str, Any] = {name: getattr(found, name)[lead] for name in ("grid", "plane", "kind", "y", "x")}
    columns |= {
        name: sums(component, getattr(found, name), n) for name in ("area_px", "strong_px", "score_sum", "day_sum")
    }
    columns["peak"] = largest(component, found.peak, n).astype(np.int32)
    columns["again_day"] = smallest(component, found.again_day, n).astype(np.int32)
    for group in ("run", "first", "begun", "last", "left"):
        runs = [getattr(found, f"{group}_{name}") for name in ("piece", "y", "x0", "x1")]
        whole = unite(component[runs[0]], *runs[1:])
        named = zip(("piece", "y", "x0", "x1"), (whole.owner, whole.y, whole.x0, whole.x1), strict=True)
        columns |= {f"{group}_{name}": values.astype(np.int32) for name, values in named}
    columns |= _added(found, "series", (component[found.series_piece], found.series_plane), ("px", "sums"))
    columns |= _added(found, "link", (component[found.link_a], component[found.link_b]), ("px", "gap_px"))
    edges = np.lexsort((found.edge_side, found.edge_x, found.edge_y, component[found.edge_piece]))
    columns |= {name: getattr(found, name)[edges] for name in ("edge_y", "edge_x", "edge_side", "edge_share")}
    columns["edge_piece"] = component[found.edge_piece][edges].astype(np.int32)
    kin = {name: getattr(found, name) for name in no_kin()}
    for name in ("bond_a", "bond_b", "kin_piece"):
        kin[name] = component[kin[name]].astype(np.int32)
    return Found(**columns, **kin)


def _added(
    found: Found, group: str, keys: tuple[NDArray[np.integer], NDArray[np.integer]], values: tuple[str, ...]
) -> dict[str, NDArray[Any]]:
    """Return the columns of a group with rows of equal keys added up, in the order of the keys."""
    names = ("a", "b") if group == "link" else ("piece", "plane")
    at = dense(*keys)
    rows, first = np.unique(at, return_index=True)
    columns = {f"{group}_{name}": key[first].astype(np.int32) for name, key in zip(names, keys, strict=True)}
    return columns | {
        f"{group}_{name}": sums(at, getattr(found, f"{group}_{name}"), len(rows)) for name in values
    }  # fmt: skip


def touching(found: Found, connectivity: Connectivity) -> tuple[Ints, Ints]:
    """Return pairs of pieces of one grid and plane that touch, whatever tiles they lie in; a pair may come twice."""
    runs = Runs(found.run_y, found.run_x0, found.run_x1)
    order = runs.order()
    first, second = contacts(runs[order], connectivity)
    owner = found.run_piece[order].astype(np.int64)
    apart = owner[first] != owner[second]
    return owner[first[apart]], owner[second[apart]]


def no_kin() -> dict[str, NDArray[Any]]:
    """Return the columns of bonds and kinship with no row."""
    kinds = {
        "bond_a": np.int32,
        "bond_b": np.int32,
        "kin_piece": np.int32,
        "kin_site": np.int32,
        "kin_px": np.int64,
        "kin_own": np.bool_,
    }
    return {name: np.zeros(0, kind) for name, kind in kinds.items()}


def group_of(name: str) -> str:
    """Return the column whose rows a column has: of pieces, runs, series, links, and so on."""
    group = next((group for group in _GROUPS if name.startswith(group)), None)
    return "plane" if group is None else _GROUPS[group][0]


@cache
def names_of() -> tuple[str, ...]:
    """Return the columns."""
    return tuple(each.name for each in fields(Found))


@cache
def references() -> frozenset[str]:
    """Return the columns that name pieces."""
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


def smallest(owner: NDArray[np.integer], values: NDArray[np.integer], owners: int) -> Ints:
    """Return the smallest value of each owner; `NEVER` without any."""
    out = np.full(owners, NEVER, dtype=np.int64)
    np.minimum.at(out, owner, values)
    return out


def largest(owner: NDArray[np.integer], values: NDArray[np.integer], owners: int) -> Ints:
    """Return the largest value of each owner; 0 without any."""
    out = np.zeros(owners, dtype=np.int64)
    np.maximum.at(out, owner, values)
    return out
