"""Neighbours that are joined in plain steps: what `geowatch.consolidate.joining` must come to, pair by pair."""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush


@dataclass
class OneByOne:
    """Takes the cheapest offer of all, one after the other."""

    days: list[int]
    px: list[int]
    m2: list[float]
    split_days: int
    least_m2: float
    into: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.into = list(range(len(self.px)))

    def run(self, pairs: list[tuple[int, int]]) -> None:
        while offers := [offer for pair in pairs if (offer := self.offer(*pair)) is not None]:
            heapify(offers)
            while offers:
                cost, one, other = heappop(offers)
                offer = self.offer(one, other)
                if offer is None:
                    continue
                if offer[0] > cost:
                    heappush(offers, offer)
                else:
                    self.join(*offer[1:])
            pairs = sorted({(self.part(one), self.part(other)) for one, other in pairs})

    def part(self, atom: int) -> int:
        while self.into[atom] != atom:
            atom = self.into[atom]
        return atom

    def offer(self, one: int, other: int) -> tuple[float, int, int] | None:
        one, other = sorted((self.part(one), self.part(other)))
        a, b = self.px[one], self.px[other]
        apart = abs(self.days[one] / a - self.days[other] / b)
        stays = apart >= self.split_days and min(self.m2[one], self.m2[other]) >= self.least_m2
        return None if one == other or stays else (a * b / (a + b) * apart * apart, one, other)

    def join(self, one: int, other: int) -> None:
        self.into[other] = one
        for column in (self.days, self.px, self.m2):
            column[one] += column[other]
