"""Columns of pieces: connected pixels of one plane and kind, with their figures, in a tile or in many.

Tables of a group stand side by side: runs, observations, links and edges name pieces by their number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Pieces"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Pieces:
    """Columns of NumPy, one group a table.

    All pixels are lattice pixels. What begins with ``first``, ``begun``, ``last`` and ``left`` is there in linked
    pieces alone: it tells a run of later dates how pieces go on.
    """

    plane: NDArray[np.int32]
    """Of each piece: its place on the time axis; -1 for scores aggregated over time."""
    kind: NDArray[np.int16]
    """Of each piece: index of its class; 0 where classes are joined."""
    y: NDArray[np.int32]
    """Of each piece: row of its first pixel."""
    x: NDArray[np.int32]
    """Of each piece: column of its first pixel in row-major order."""
    area_px: NDArray[np.int64]
    """Of each piece: pixels."""
    strong_px: NDArray[np.int64]
    """Of each piece: pixels whose score reaches the high threshold."""
    score_sum: NDArray[np.int64]
    """Of each piece: sum of scores over its pixels, in score units."""
    peak: NDArray[np.int32]
    """Of each piece: largest score, in score units."""
    day_sum: NDArray[np.int64]
    """Of each piece: sum of its pixels' days, since 1970-01-01; 0 where pixels are not dated. With dates, a footprint
    is cut into pieces of pixels that were active within one stretch of time."""
    again_day: NDArray[np.int32]
    """Of each linked piece: day (since 1970-01-01) of the first later plane that has a score of any of its pixels, or
    `NEVER`."""

    run_piece: NDArray[np.int32]
    """Of each run of pixels: its piece."""
    run_y: NDArray[np.int32]
    """Of each run: its row."""
    run_x0: NDArray[np.int32]
    """Of each run: first column."""
    run_x1: NDArray[np.int32]
    """Of each run: column after the last."""

    series_piece: NDArray[np.int32]
    """Of each observation: the piece that was looked at."""
    series_plane: NDArray[np.int32]
    """Of each observation: place on the time axis."""
    series_px: NDArray[np.int64]
    """Of each observation: pixels of the piece that have scores then."""
    series_sums: NDArray[np.int64]
    """Of each observation: sums of scores over them by class, shape (observations, K), in score units."""

    link_a: NDArray[np.int32]
    """Of each link: the earlier piece."""
    link_b: NDArray[np.int32]
    """Of each link: the later piece."""
    link_px: NDArray[np.int64]
    """Of each link: pixels that both have, and that no plane between saw."""
    link_gap_px: NDArray[np.int64]
    """Of each link: pixels that both have, and that planes between saw as part of no piece; they count where no other
    piece follows the earlier one before."""

    first_piece: NDArray[np.int32]
    """Of each run of pixels that no earlier plane saw: its piece."""
    first_y: NDArray[np.int32]
    """Its row."""
    first_x0: NDArray[np.int32]
    """First column."""
    first_x1: NDArray[np.int32]
    """Column after the last."""

    begun_piece: NDArray[np.int32]
    """Of each run of pixels that earlier planes saw as part of no piece, where links over days may lead: its piece."""
    begun_y: NDArray[np.int32]
    """Its row."""
    begun_x0: NDArray[np.int32]
    """First column."""
    begun_x1: NDArray[np.int32]
    """Column after the last."""

    last_piece: NDArray[np.int32]
    """Of each run of pixels that were part of a piece when they were last seen: that piece."""
    last_y: NDArray[np.int32]
    """Its row."""
    last_x0: NDArray[np.int32]
    """First column."""
    last_x1: NDArray[np.int32]
    """Column after the last."""

    left_piece: NDArray[np.int32]
    """Of each run of pixels that were seen without the piece that they were part of, from where links over days may
    lead on: that piece."""
    left_y: NDArray[np.int32]
    """Its row."""
    left_x0: NDArray[np.int32]
    """First column."""
    left_x1: NDArray[np.int32]
    """Column after the last."""

    edge_piece: NDArray[np.int32]
    """Of each pixel edge on an outline: its piece. Edges are there only with sub-pixel outlines."""
    edge_y: NDArray[np.int32]
    """Of each edge: row of the pixel inside."""
    edge_x: NDArray[np.int32]
    """Of each edge: column of the pixel inside."""
    edge_side: NDArray[np.uint8]
    """Of each edge: the side of that pixel, 0 top, 1 right, 2 bottom, 3 left."""
    edge_share: NDArray[np.uint16]
    """Of each edge: where the threshold lies between the pixel's centre (0) and its neighbour's (65535)."""
