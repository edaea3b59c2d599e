"""Real windows of a run's imagery, on which backends are compared and timed before one is chosen."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np

from geowatch.errors import ImageryError
from geowatch.predict.strips import Strips
from geowatch.read.reader import FrameReader
from geowatch.stages.parts import TimeBlock
from geowatch.stages.timing import dressed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geowatch.grid.lattice import PixelBox
    from geowatch.grid.windows import WindowLattice
    from geowatch.package.manifest import Manifest
    from geowatch.predict.recipe import NormPin
    from geowatch.predict.strips import Strip
    from geowatch.stages.parts import Part

__all__ = ["sample_windows"]

#: Windows that are looked at at least; those of most contrast, which hold several classes, are taken.
_LOOKED_AT = 12


def sample_windows(
    manifest: Manifest, windows: WindowLattice, parts: Sequence[Part], count: int, norm: NormPin | None = None
) -> dict[str, NDArray[np.float32]]:
    """Return at most ``count`` prepared windows (N, C, H, W) for each input, the same for the same run.

    ``norm`` is the normalisation that was given by hand.

    Raises:
        ImageryError: where no window has any valid pixel.
    """
    manifest = dressed(manifest, norm)
    # The first plane that sees most of the series: others may hold little but what fills missing dates.
    fullest = max(parts, key=lambda part: len(part.frames))
    strips = [strip for part in (fullest,) for strip in _strips(manifest, windows, part, max(_LOOKED_AT, count), norm)]
    strips = [strip for strip in strips if strip.keep.any()]
    if not strips:
        raise ImageryError(
            "the imagery has no valid pixel in the windows that were looked at",
            hint="check --nodata, --date and the region",
        )
    strips.sort(key=_contrast, reverse=True)
    names = [spec.name for spec in manifest.inputs]
    return {name: np.stack([s.inputs[k] for s in strips[:count]]) for k, name in enumerate(names)}


def _strips(manifest: Manifest, windows: WindowLattice, part: Part, most: int, norm: NormPin | None) -> list[Strip]:
    down, right = windows.touching(part.extent & part.grid.bounds)
    places = [(ky, kx) for ky in down for kx in right] if len(down) * len(right) <= most else _spread(down, right, most)
    with ExitStack() as stack:
        block = TimeBlock(part.grid, part.time, (part,), 1)
        opened = (FrameReader(plan, cache_bytes=32 << 20, remote=part.remote) for plan in block.frames)
        readers = tuple(map(stack.enter_context, opened))
        look = block.look(readers, manifest.bands, manifest.inputs, norm)
        return [Strips(look, windows, range(kx, kx + 1), _everywhere).row(ky) for ky, kx in places]


def _spread(down: range, right: range, count: int) -> list[tuple[int, int]]:
    """Return ``count`` places spread over the lattice, row by row."""
    total = len(down) * len(right)
    chosen = [(2 * k + 1) * total // (2 * count) for k in range(count)]
    return [(down[place // len(right)], right[place % len(right)]) for place in chosen]


def _everywhere(box: PixelBox) -> NDArray[np.bool_]:
    return np.ones(box.shape, bool)


def _contrast(strip: Strip) -> float:
    return float(sum(plane[:, strip.keep].std() for plane in strip.inputs))
