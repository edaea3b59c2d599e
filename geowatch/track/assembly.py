"""The pieces of all layers of a tile, numbered through, as a fragment's columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from geowatch.grid.runs import Runs, at_sides
from geowatch.track.found import Pieces
from geowatch.track.links import Owned
from geowatch.track.observed import Outlined
from geowatch.track.outlines import Edges

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.grid.borders import Border
    from geowatch.grid.lattice import PixelBox

__all__ = ["Assembly"]


@dataclass(frozen=True, eq=False, slots=True)
class _Layer:
    """A layer's pieces, less those that are dropped."""

    pieces: Pieces
    """All of them."""
    keep: NDArray[np.intp]
    """Those that are kept."""
    number: NDArray[np.int32]
    """Of each piece: its number in the fragment; -1 for those that are dropped."""

    @property
    def owner(self) -> NDArray[np.int32]:
        """Of each run: the number of its piece, or -1."""
        return np.asarray(self.number[self.pieces.labels], np.int32)

    def owned(self, day: int) -> Owned:
        """Return the runs in row-major order, with their pieces."""
        return Owned(self.pieces.runs, self.owner, self.pieces.unseen, day)

    def runs(self) -> tuple[Runs, NDArray[np.int32]]:
        """Return runs and their pieces, one piece after the other."""
        order = np.argsort(self.owner, kind="stable")
        order = order[np.searchsorted(self.owner[order], 0) :]
        return self.pieces.runs[order], self.owner[order]

    def edges(self) -> tuple[Edges, NDArray[np.int32]]:
        """Return edges and their pieces, one piece after the other."""
        edges = self.pieces.edges
        owner = self._owner_at(edges.y, edges.x)
        order = np.argsort(owner, kind="stable")
        order = order[np.searchsorted(owner[order], 0) :]
        return Edges(edges.y[order], edges.x[order], edges.side[order], edges.share[order]), owner[order]

    def _owner_at(self, y: NDArray[np.int32], x: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the pieces of pixels that all lie in runs."""
        runs = self.pieces.runs
        if not len(y):
            return np.zeros(0, np.int32)
        low, width = int(runs.x0.min()), int(runs.x1.max()) - int(runs.x0.min())
        begins = runs.y.astype(np.int64) * width + (runs.x0 - low)
        return self.owner[np.searchsorted(begins, y.astype(np.int64) * width + (x - low), side="right") - 1]


@dataclass(frozen=True, eq=False, slots=True)
class Assembly:
    """The pieces of a tile."""

    layers: tuple[_Layer, ...]
    """Layers in order of (plane, kind)."""

    @classmethod
    def of(cls, box: PixelBox, each: Sequence[Pieces], *, weak: bool, border: Border | None = None) -> Assembly:
        """Number the pieces of all layers.

        Args:
            box: The tile's pixels.
            each: The layers in order of (plane, kind).
            weak: Whether to keep pieces without a strong pixel that reach no side of the tile and no border: all that
                touches such a piece is a whole component already, and one without a strong pixel is no site.
            border: Where another grid goes on.
        """
        layers, before = [], 0
        for pieces in each:
            keep = np.flatnonzero(np.ones(len(pieces), bool) if weak else _alive(pieces, box, border))
            number = np.full(len(pieces), -1, np.int32)
            number[keep] = np.arange(before, before + len(keep), dtype=np.int32)
            layers.append(_Layer(pieces, keep, number))
            before += len(keep)
        return cls(tuple(layers))

    @property
    def planes(self) -> list[int]:
        """Planes that have pieces, ascending."""
        return sorted({layer.pieces.plane for layer in self.layers if len(layer.keep)})

    @property
    def count(self) -> int:
        """Pieces."""
        return sum(len(layer.keep) for layer in self.layers)

    def owned(self, days: Mapping[int, int]) -> Iterator[Owned]:
        """Yield the runs of each layer, for linking; ``days`` are those of planes."""
        return (layer.owned(days[layer.pieces.plane]) for layer in self.layers)

    def all_pieces(self) -> Outlined:
        """Return every piece with its runs."""
        return _outlined(self.layers)

    def pieces_on(self, plane: int) -> Outlined:
        """Return the pieces of one plane with their runs."""
        return _outlined([layer for layer in self.layers if layer.pieces.plane == plane])

    def columns(self) -> dict[str, Any]:
        """Return the fragment's columns of pieces, runs and edges."""
        owned = [layer.runs() for layer in self.layers]
        runs = Runs.join([runs for runs, _ in owned])
        return {
            "plane": self._of_layers("plane", np.int32),
            "kind": self._of_layers("kind", np.int16),
            "y": self._of_first_runs("y"),
            "x": self._of_first_runs("x0"),
            "area_px": self._of_pieces("area_px", np.int64),
            "strong_px": self._of_pieces("strong_px", np.int64),
            "score_sum": self._of_pieces("score_sum", np.int64),
            "peak": self._of_pieces("peak", np.int32),
            "day_sum": self._of_pieces("day_sum", np.int64),
            "box_number": self._of_pieces("number", np.int32),
            "run_piece": _whole([owner for _, owner in owned], np.int32),
            "run_y": runs.y,
            "run_x0": runs.x0,
            "run_x1": runs.x1,
            **self._edge_columns(),
        }

    def _of_layers(self, name: str, kind: type[np.generic]) -> NDArray[Any]:
        return _whole([np.full(len(each.keep), getattr(each.pieces, name), kind) for each in self.layers], kind)

    def _of_pieces(self, name: str, kind: type[np.generic]) -> NDArray[Any]:
        return _whole([getattr(each.pieces, name)[each.keep] for each in self.layers], kind)

    def _of_first_runs(self, name: str) -> NDArray[Any]:
        return _whole([getattr(each.pieces.runs, name)[each.pieces.first[each.keep]] for each in self.layers], np.int32)

    def _edge_columns(self) -> dict[str, Any]:
        found = [layer.edges() for layer in self.layers]
        kinds: dict[str, type[np.generic]] = {"y": np.int32, "x": np.int32, "side": np.uint8, "share": np.uint16}
        columns = {f"edge_{n}": _whole([getattr(edges, n) for edges, _ in found], kind) for n, kind in kinds.items()}
        return {"edge_piece": _whole([owner for _, owner in found], np.int32), **columns}


def _alive(pieces: Pieces, box: PixelBox, border: Border | None) -> NDArray[np.bool_]:
    alive = pieces.strong_px > 0
    alive[pieces.labels[at_sides(pieces.runs, box)]] = True
    if border is not None:
        weak = np.flatnonzero(~alive[pieces.labels])
        runs = pieces.runs[weak]
        alive[pieces.labels[weak[border.near(runs.y, runs.x0, runs.x1)]]] = True
    bodies = np.zeros(len(pieces.runs), bool)
    bodies[pieces.body[alive]] = True
    return np.asarray(bodies[pieces.body])


def _outlined(layers: Sequence[_Layer]) -> Outlined:
    each = [layer.runs() for layer in layers]
    owner = _whole([owner for _, owner in each], np.int32)
    starts = np.flatnonzero(np.diff(owner, prepend=-1)) if len(owner) else np.zeros(0, np.intp)
    return Outlined(owner[starts].astype(np.int32), Runs.join([runs for runs, _ in each]), starts)


def _whole(parts: Sequence[NDArray[Any]], kind: type[np.generic]) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, kind), *parts]).astype(kind, copy=False)
