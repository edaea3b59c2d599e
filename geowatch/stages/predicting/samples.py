"""Real windows of a run's imagery, on which backends are compared and timed before one is chosen.

Where clouds or nodata hide all of it there are none, and no window will be computed either; then windows as a network
sees what is masked stand in, so that a run of a cloudy week goes on, and what they show is not remembered.
"""

from __future__ import annotations

from contextlib import ExitStack
from itertools import islice, product
from typing import TYPE_CHECKING

import numpy as np

from geowatch.predict.strips import Strips
from geowatch.read.reader import FrameReader
from geowatch.stages.binding.parts import TimeBlock
from geowatch.stages.predicting.timing import dressed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from geowatch.grid.lattice import PixelBox
    from geowatch.grid.windows import WindowLattice
    from geowatch.package.manifest import Manifest
    from geowatch.predict.recipe import NormPin
    from geowatch.predict.strips import Strip
    from geowatch.stages.binding.parts import Part

__all__ = ["SAMPLE_CACHE_BYTES", "masked_windows", "sample_windows"]

#: Windows that are looked at at least; those of most contrast, which hold several classes, are taken.
_LOOKED_AT = 12
#: Memory for stored blocks that these windows share, over all frames.
SAMPLE_CACHE_BYTES = 128 << 20


def sample_windows(
    manifest: Manifest, windows: WindowLattice, parts: Sequence[Part], count: int, norm: NormPin | None = None
) -> dict[str, NDArray[np.float32]] | None:
    """Return at most ``count`` prepared windows (N, C, H, W) for each input, the same for the same run.

    None where no window of any plane has a valid pixel. ``norm`` is the normalisation that was given by hand.
    """
    manifest = dressed(manifest, norm)
    strips = sorted(_valid(manifest, windows, parts, max(_LOOKED_AT, count), norm), key=_contrast, reverse=True)
    if not strips:
        return None
    names = [spec.name for spec in manifest.inputs]
    return {name: np.stack([s.inputs[k] for s in strips[:count]]) for k, name in enumerate(names)}


def masked_windows(manifest: Manifest, size: tuple[int, int]) -> dict[str, NDArray[np.float32]]:
    """Return windows (N, C, H, W) for each input as the network sees those in which every pixel is masked."""
    count = manifest.batch or 2
    return {s.name: np.full((count, len(s.channels), *size), s.fill, np.float32) for s in manifest.inputs}


def _valid(
    manifest: Manifest, windows: WindowLattice, parts: Sequence[Part], most: int, norm: NormPin | None
) -> list[Strip]:
    """Return windows of one plane, at most ``most``, that have valid pixels; none where no plane has any."""
    # First the planes that see most of the series: others may hold little but what fills missing dates. A plane may
    # lie under cloud from side to side, and then another is taken; few windows may miss what little is clear.
    ordered = sorted(parts, key=lambda part: -len(part.frames))
    for spread in (most, None):
        for part in ordered:
            valid = (strip for strip in _strips(manifest, windows, part, spread, norm) if strip.keep.any())
            if strips := list(islice(valid, most)):
                return strips
    return []


def _strips(
    manifest: Manifest, windows: WindowLattice, part: Part, most: int | None, norm: NormPin | None
) -> Iterator[Strip]:
    """Yield windows of a plane, at most ``most``, spread over it; None for every one."""
    down, right = windows.touching(part.extent & part.grid.bounds)
    few = most is None or len(down) * len(right) <= most
    places = product(down, right) if few else _spread(down, right, most or 1)
    with ExitStack() as stack:
        block = TimeBlock(part.grid, part.time, (part,), 1)
        size = min(32 << 20, SAMPLE_CACHE_BYTES // max(1, len(block.frames)))
        opened = (FrameReader(plan, cache_bytes=size, remote=part.remote) for plan in block.frames)
        readers = tuple(map(stack.enter_context, opened))
        look = block.look(readers, manifest.bands, manifest.inputs, norm)
        for ky, kx in places:
            yield Strips(look, windows, range(kx, kx + 1), _everywhere).row(ky)


def _spread(down: range, right: range, count: int) -> Iterator[tuple[int, int]]:
    """Yield ``count`` places spread over the lattice, row by row."""
    total = len(down) * len(right)
    for k in range(count):
        row, column = divmod((2 * k + 1) * total // (2 * count), len(right))
        yield down[row], right[column]


def _everywhere(box: PixelBox) -> NDArray[np.bool_]:
    return np.ones(box.shape, bool)


def _contrast(strip: Strip) -> float:
    return float(sum(plane[:, strip.keep].std() for plane in strip.inputs))
