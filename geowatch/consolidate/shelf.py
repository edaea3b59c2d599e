"""A shelf: sites are put on it as they are decided on, and taken in the order in which they are written.

What is short stays in memory (some 100 bytes a site); outlines, pixels and observations lie in files that are read
where they are needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geowatch.consolidate.decided import EVENT, RUN, SITE, Decided, gathered, seen_dtype
from geowatch.grid.areas import Ints
from geowatch.grid.wkb import Wkb

__all__ = ["Long", "Shelf"]


class Long:
    """A column of many rows for each site, in a file."""

    def __init__(self, path: Path, dtype: np.dtype[Any]) -> None:
        """Begin a file."""
        self.dtype = dtype
        self._path = path
        self._counts: list[Ints] = []
        self._start: Ints = np.zeros(1, dtype=np.int64)
        self._file = path.open("wb", buffering=1 << 20)

    def add(self, values: NDArray[Any], start: Ints) -> None:
        """Put the rows of sites behind those that are there; those of a site begin at its entry of ``start``."""
        self._file.write(np.ascontiguousarray(values).view(np.uint8).data)
        self._counts.append(np.diff(start))

    @property
    def start(self) -> Ints:
        """Where the rows of each site start."""
        if self._counts:
            self._start = np.concatenate([self._start, self._start[-1] + np.cumsum(np.concatenate(self._counts))])
            self._counts.clear()
        return self._start

    def take(self, at: NDArray[np.integer]) -> tuple[NDArray[Any], Ints]:
        """Return the rows of some sites, and where those of each begin."""
        self._file.flush()
        if not self.start[-1]:
            return np.zeros(0, self.dtype), np.zeros(len(at) + 1, np.int64)
        return gathered(np.memmap(self._path, self.dtype, "r"), self.start, at)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Shelf:
    """Sites in the order in which they came, for the one who takes them in another."""

    def __init__(self, folder: Path, classes: int) -> None:
        """Open a shelf with its files in ``folder``; ``classes`` is the K of the scores."""
        self._rows: list[NDArray[Any]] = []
        kinds: dict[str, Any] = {
            "outlines": np.uint8,
            "runs": RUN,
            "seen": seen_dtype(classes),
            "shapes": np.uint8,
            "events": EVENT,
        }
        self._long = {name: Long(folder / name, np.dtype(kind)) for name, kind in kinds.items()}

    def add(self, sites: Decided) -> None:
        """Put sites behind those that are there."""
        if not len(sites):
            return
        self._rows.append(sites.rows)
        self._long["outlines"].add(sites.outlines.content, sites.outlines.start)
        for name in ("runs", "seen", "shapes", "events"):
            self._long[name].add(getattr(sites, name), getattr(sites, f"{name}_start"))

    @property
    def rows(self) -> NDArray[Any]:
        """What is known of all sites."""
        if len(self._rows) != 1:
            self._rows = [np.concatenate([np.zeros(0, SITE), *self._rows])]
        return self._rows[0]

    def take(self, at: NDArray[np.integer]) -> Decided:
        """Return some sites, in this order."""
        outlines, outlines_start = self._long["outlines"].take(at)
        columns: dict[str, Any] = {}
        for name in ("runs", "seen", "shapes", "events"):
            columns[name], columns[f"{name}_start"] = self._long[name].take(at)
        return Decided(rows=self.rows[at], outlines=Wkb(outlines, outlines_start), **columns)

    def shares(self, order: Ints, sites: int, rows: int) -> Iterator[Ints]:
        """Cut an order into shares of at most so many sites, with at most so many rows of a column (or one site)."""
        if not len(order):
            return
        lengths = np.max([np.diff(column.start)[order] for column in self._long.values()], axis=0)
        place = np.cumsum(lengths)
        first = 0
        while first < len(order):
            fit = int(np.searchsorted(place, (place[first - 1] if first else 0) + rows, side="right"))
            after = max(first + 1, min(first + sites, fit))
            yield order[first:after]
            first = after

    def close(self) -> None:
        """Close the files."""
        for column in self._long.values():
            column.close()
