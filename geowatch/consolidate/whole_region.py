"""From fragments to decided sites: grid by grid, batch by batch."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from geowatch.consolidate.candidates import candidates_of
from geowatch.consolidate.decided import decide
from geowatch.consolidate.joins import join_tiles
from geowatch.consolidate.splitting import split
from geowatch.consolidate.zones import candidates_across, near_border

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from geowatch.consolidate.candidates import Candidates
    from geowatch.consolidate.decided import Decided
    from geowatch.consolidate.joins import Seams, Whole
    from geowatch.consolidate.keeping import Keeping
    from geowatch.consolidate.phases import PhaseModel
    from geowatch.consolidate.succession import Succession
    from geowatch.consolidate.terms import Rules, Terms
    from geowatch.grid.areas import Ints
    from geowatch.sites.fragment import Fragment

__all__ = ["Consolidation", "chunked", "numbers_of", "order_of"]

#: Pieces and runs that are joined at once: enough that no step costs more than its content.
CHUNK_PIECES, CHUNK_RUNS, CHUNK_TILES = 16_384, 1 << 18, 1024


def chunked(fragments: Iterable[tuple[int, Fragment]]) -> Iterator[list[tuple[int, Fragment]]]:
    """Yield fragments with their places, as many at a time as are joined at once."""
    held: list[tuple[int, Fragment]] = []
    pieces = runs = 0
    for place, fragment in fragments:
        held.append((place, fragment))
        pieces, runs = pieces + fragment.piece_count, runs + len(fragment.run_y)
        if pieces >= CHUNK_PIECES or runs >= CHUNK_RUNS or len(held) >= CHUNK_TILES:
            yield held
            held, pieces, runs = [], 0, 0
    if held:
        yield held


@dataclass
class Consolidation:
    """Decides on the sites of a region."""

    terms: Terms
    """What was tracked."""
    rules: Rules
    """What is a site."""
    model: PhaseModel | None = None
    """How phases follow each other."""
    simplify: float = 0.0
    """Units of the CRS by which corners may move."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Candidates that became no sites, by reason."""
    succession: Succession | None = None
    """An earlier run that this one goes on with; ``terms`` are then those of both."""
    keeping: Keeping | None = None
    """Takes what a later run may go on with."""
    absorbed: list[Ints] = field(default_factory=list)
    """Sites of the earlier run, by age, that were taken in by older ones."""
    _waiting: list[Whole] = field(default_factory=list)

    def sites(self, grid: int, seams: Seams, fragments: Iterable[tuple[int, Fragment]]) -> Iterator[Decided]:
        """Yield the sites of a grid as soon as they are whole.

        Args:
            grid: Place of the grid in the plan.
            seams: Its tiles.
            fragments: Fragments with their places in ``seams``, ascending.
        """
        for whole in self._joined(grid, seams, fragments):
            waits = near_border(whole, self.terms)
            if waits.any():
                self._waiting.append(whole.take(waits))
                whole = whole.take(~waits)  # noqa: PLW2901  # what is left of it
            yield from self._decided(candidates_of(whole, self.terms, self.rules))

    def _joined(self, grid: int, seams: Seams, fragments: Iterable[tuple[int, Fragment]]) -> Iterator[Whole]:
        """Yield groups that are whole, together with what goes on of an earlier run."""
        terms, earlier = self.terms, self.succession
        told = chunked(fragments if earlier is None else earlier.told(grid, fragments))
        for whole in join_tiles(told, seams, grid, terms.connectivity, dated=terms.split_days is not None):
            parts = split(whole, grid, terms, self.rules)
            yield parts if earlier is None else earlier.sort_out(grid, parts)
        if earlier is not None:
            yield earlier.rejoined(grid)

    def rest(self) -> Iterator[Decided]:
        """Yield the sites that waited at a zone's border, once all grids are done."""
        if self._waiting:
            yield from self._decided(candidates_across(self._waiting, self.terms, self.rules))
            self._waiting.clear()

    def _decided(self, candidates: Candidates) -> Iterator[Decided]:
        verdict = decide(candidates, self.terms, self.rules, self.model, self.simplify)
        self.left_out += verdict.left_out
        self.absorbed.append(candidates.kin.absorbed[:, 1])
        if self.keeping is not None:
            self.keeping.keep(candidates, verdict, self.terms, self.rules)
        if len(verdict.sites):
            yield verdict.sites


def order_of(rows: NDArray[Any]) -> Ints:
    """Return the order in which sites are numbered: by birth, grid, row and column of the first pixel, class.

    Two images of one day may show the same pixel first: then the earlier plane goes first, whichever came first.
    """
    return np.lexsort(tuple(rows[name] for name in ("plane", "kind", "x", "y", "grid", "birth")))


def numbers_of(rows: NDArray[Any], first: int = 0) -> Ints:
    """Return the number of each site, from ``first`` on."""
    numbers = np.empty(len(rows), dtype=np.int64)
    numbers[order_of(rows)] = first + np.arange(len(rows))
    return numbers
