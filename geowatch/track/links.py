"""Links: which pieces of one plane share pixels with which pieces of the next.

Where nothing was seen in between (a cloud), a pixel remembers the piece that it was last part of: pieces before and
after a gap are linked by the pixels that were hidden all the while. Where asked for, a pixel that was seen without its
piece remembers it for some days, too; such pixels of a link are counted apart, since whether they count hangs on whole
components. For a run that goes on with this one, it is kept which pixels were first seen as part of a piece, which of
them still remember one at the end, and which were never seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from geowatch.grid.runs import Runs, overlaps

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Held", "Links", "Owned", "links"]


@dataclass(frozen=True, eq=False, slots=True)
class Owned:
    """The runs of one plane, and whose they are."""

    runs: Runs
    """Runs in row-major order."""
    owner: NDArray[np.int32]
    """Of each run: its piece, numbered over all planes."""
    unseen: Runs
    """Where the plane has no score."""
    day: int = 0
    """Day of the plane."""


@dataclass(frozen=True, eq=False, slots=True)
class Held:
    """Pixels of pieces, sorted by (piece, y, x0)."""

    owner: NDArray[np.int32]
    """Of each run: its piece."""
    runs: Runs
    """The runs."""

    @classmethod
    def of(cls, parts: Sequence[_Pixels]) -> Held:
        """Return all of them in order."""
        whole = _Pixels.join(parts)
        order = np.lexsort((whole.runs.x0, whole.runs.y, whole.owner))
        return cls(whole.owner[order], whole.runs[order])


@dataclass(frozen=True, eq=False, slots=True)
class Links:
    """Links as columns, sorted by (a, b), and what leads on to planes before the first and after the last."""

    a: NDArray[np.int32]
    """Earlier pieces."""
    b: NDArray[np.int32]
    """Later pieces."""
    px: NDArray[np.int64]
    """Pixels that both have, and that no plane between saw."""
    gap_px: NDArray[np.int64]
    """Pixels that both have, and that planes between saw as part of no piece."""
    first: Held
    """Pixels of pieces that no earlier plane saw."""
    begun: Held
    """Pixels of pieces that earlier planes saw as part of none, where links may lead there from before the first."""
    last: Held
    """Pixels that are part of a piece at the end, or were when they were last seen."""
    left: Held
    """Pixels that were seen without the piece that they were part of, where links may lead on."""
    dark: Runs
    """Pixels that no plane saw."""


def links(planes: Iterable[Owned], link_days: int | None = None) -> Links:
    """Link the planes of a tile, oldest first.

    Args:
        planes: The planes.
        link_days: How many days a pixel remembers the piece that it was part of when it is seen without; None not at
            all.

    >>> from geowatch.grid.runs import runs_of
    >>> row = lambda *pixels: runs_of(np.array([pixels], bool))
    >>> seen, piece = Runs.join([]), lambda n: np.array([n], np.int32)
    >>> planes = [Owned(row(1, 1, 1, 0), piece(0), seen, 0), Owned(row(0, 1, 0, 0), piece(1), row(1, 0, 0, 0), 5),
    ...           Owned(row(1, 1, 1, 1), piece(2), seen, 9)]
    >>> found = links(planes)
    >>> list(zip(found.a.tolist(), found.b.tolist(), found.px.tolist()))
    [(0, 1, 1), (0, 2, 1), (1, 2, 1)]
    >>> links(planes, 9).gap_px.tolist(), links(planes, 8).gap_px.tolist()
    ([0, 1, 0], [0, 0, 0])
    """
    parts: list[NDArray[np.int64]] = []
    last, first = _Pixels.none(), list[_Pixels]()
    gap = None if link_days is None else _Gap(link_days)
    dark: Runs | None = None
    for plane in planes:
        now = _Pixels.of(plane)
        first.append(now if dark is None else now.within(dark))
        parts.append(_parts(last, now))
        if gap is not None:
            parts.append(gap.linked(plane.day, now, dark)[[0, 1, 3, 2]])
            gap.remember(plane.day, last, now, plane.unseen)
        dark = plane.unseen if dark is None else _shared(dark, plane.unseen)[0]
        last = _Pixels.join([now, last.within(plane.unseen)])
    begun, left = ([], []) if gap is None else (gap.begun, [gap.left])
    a, b, px = _added(parts)
    return Links(
        a, b, *px, Held.of(first), Held.of(begun), Held.of([last]), Held.of(left), _NO_RUNS if dark is None else dark
    )  # fmt: skip


def _parts(before: _Pixels, now: _Pixels) -> NDArray[np.int64]:
    """Return (earlier piece, later piece, shared pixels, 0) where remembered pieces meet those of a plane, (4, n)."""
    i, j, px = overlaps(before.runs, now.runs)
    return np.stack([before.owner[i].astype(np.int64), now.owner[j].astype(np.int64), px, np.zeros_like(px)])


def _added(
    parts: Sequence[NDArray[np.int64]],
) -> tuple[NDArray[np.int32], NDArray[np.int32], tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return the links that parts add up to: earlier pieces, later ones, and pixels of both kinds."""
    a, b, px, gap_px = np.concatenate([np.zeros((4, 0), np.int64), *parts], axis=1)
    span = int(b.max()) + 1 if len(b) else 1
    pair, group = np.unique(a * span + b, return_inverse=True)
    shared = np.zeros(len(pair), np.int64), np.zeros(len(pair), np.int64)
    np.add.at(shared[0], group, px)
    np.add.at(shared[1], group, gap_px)
    return (pair // span).astype(np.int32), (pair % span).astype(np.int32), shared


_NO_RUNS = Runs.join([])


@dataclass(frozen=True, eq=False, slots=True)
class _Pixels:
    """Pixels of pieces of any planes, in row-major order."""

    runs: Runs
    owner: NDArray[np.int32]
    """Of each run: its piece."""
    day: NDArray[np.int64]
    """Of each run: the day of its piece."""

    @classmethod
    def of(cls, plane: Owned) -> _Pixels:
        return cls(plane.runs, plane.owner, np.full(len(plane.owner), plane.day, np.int64))

    @classmethod
    def none(cls) -> _Pixels:
        return cls(_NO_RUNS, np.zeros(0, np.int32), np.zeros(0, np.int64))

    @classmethod
    def join(cls, parts: Sequence[_Pixels]) -> _Pixels:
        """Return all of them; no two share a pixel of one piece."""
        parts = [cls.none(), *parts]
        runs = Runs.join([part.runs for part in parts])
        order = runs.order()
        owner, day = (np.concatenate([getattr(part, name) for part in parts]) for name in ("owner", "day"))
        return cls(runs[order], owner[order], day[order])

    def __getitem__(self, at: NDArray[np.bool_]) -> _Pixels:
        return _Pixels(self.runs[at], self.owner[at], self.day[at])

    def within(self, other: Runs) -> _Pixels:
        """Return those that others have, too."""
        runs, of = _shared(self.runs, other)
        return _Pixels(runs, self.owner[of], self.day[of])

    def beyond(self, other: Runs) -> _Pixels:
        """Return those that others do not have."""
        return self.within(_between(other, self.runs)) if len(other) else self


@dataclass(eq=False, slots=True)
class _Gap:
    """What pixels remember that were seen without their piece."""

    days: int
    """For how long."""
    left: _Pixels = field(default_factory=_Pixels.none)
    """These pixels, and the pieces that they were part of."""
    begun: list[_Pixels] = field(default_factory=list)
    """Pixels of pieces that earlier planes saw as part of none."""
    _had: Runs = _NO_RUNS
    """Pixels that were part of any piece, as long as that matters."""
    _start: int | None = None
    """Day of the first plane."""

    def linked(self, day: int, now: _Pixels, dark: Runs | None) -> NDArray[np.int64]:
        """Return the parts of links from what is remembered to a plane; ``dark`` no plane before it saw."""
        self._start = day if self._start is None else self._start
        self.left = self._near(day, self.left)
        if day - self._start <= self.days:  # no piece before the first plane reaches further
            new = now.beyond(self._had)
            if dark is not None:
                self.begun.append(new.beyond(dark))
            self._had = _both(self._had, new.runs)
        return _parts(self.left, now)

    def remember(self, day: int, last: _Pixels, now: _Pixels, unseen: Runs) -> None:
        """Take in a plane; ``last`` is what was part of a piece before it, or hidden since."""
        gone = self._near(day, last).beyond(_both(now.runs, unseen))
        self.left = _Pixels.join([gone, self.left.beyond(now.runs)])

    def _near(self, day: int, pixels: _Pixels) -> _Pixels:
        """Return the pixels of pieces from which links reach a day."""
        return pixels[pixels.day >= day - self.days]


def _shared(one: Runs, other: Runs) -> tuple[Runs, NDArray[np.intp]]:
    """Return the pixels that both have in row-major order, and the run of ``one`` that each comes from."""
    i, j, _ = overlaps(one, other)
    runs = Runs.of(one.y[i], np.maximum(one.x0[i], other.x0[j]), np.minimum(one.x1[i], other.x1[j]))
    order = runs.order()
    return runs[order], i[order]


def _both(one: Runs, other: Runs) -> Runs:
    """Return the pixels of either; no pixel is of both."""
    runs = Runs.join([one, other])
    return runs[runs.order()]


def _between(runs: Runs, near: Runs) -> Runs:
    """Return what lies between and beside runs, in the rows and as far as the columns of others.

    >>> from geowatch.grid.runs import runs_of
    >>> found = _between(runs_of(np.array([[0, 1, 0, 1], [0, 0, 0, 0]], bool)), runs_of(np.ones((2, 4), bool)))
    >>> list(zip(found.y.tolist(), found.x0.tolist(), found.x1.tolist()))
    [(0, 0, 1), (0, 2, 3), (1, 0, 4)]
    """
    rows = np.unique(near.y)
    runs = runs[np.isin(runs.y, rows)]
    low, high = (np.full(len(rows), edge, np.int32) for edge in (near.x0.min(initial=0), near.x1.max(initial=0)))
    y = np.concatenate([rows, runs.y])
    begins, ends = np.concatenate([low, runs.x1]), np.concatenate([high, runs.x0])
    # Row by row the first free stretch begins at the low end, and the last one ends at the high end.
    order, by_end = np.lexsort((begins, y)), np.lexsort((ends, y))
    free = Runs.of(y[order], begins[order], ends[by_end])
    return free[free.x1 > free.x0]
