"""How much is measured: the full set for the published page, or a small one that shows that everything runs."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FULL", "QUICK", "Scale"]


@dataclass(frozen=True)
class Scale:
    """Sizes and repetitions of one session."""

    name: str
    """Folder of its results."""
    sides_px: tuple[int, ...]
    """Sides of the rasters that are predicted end to end."""
    memory_px: tuple[int, ...]
    """Sides of the rasters at which memory is measured."""
    window_sides_px: tuple[int, ...]
    """Sides of the windows that are compared."""
    rounds: int
    """Rounds of an interleaved session."""
    short_rounds: int
    """Rounds where one run tells much."""
    plan_tiles: int
    """Tiles of the large plan."""
    peer_settings: tuple[tuple[int, bool], ...]
    """Settings that are tried for each peer and way of joining windows: batch, and whether channels come last."""

    @property
    def main_px(self) -> int:
        """Side of the raster that the targets are about."""
        return self.sides_px[-1]


FULL = Scale(
    name="full", sides_px=(4096, 8192), memory_px=(4096, 8192, 16384, 32768), window_sides_px=(256, 512, 1024),
    rounds=5, short_rounds=3, plan_tiles=10_000_000,
    peer_settings=((1, True), (4, True), (16, True), (4, False)),
)  # fmt: skip

QUICK = Scale(
    name="quick", sides_px=(1024,), memory_px=(1024, 2048), window_sides_px=(256, 512),
    rounds=2, short_rounds=1, plan_tiles=100_000, peer_settings=((4, True),),
)  # fmt: skip
