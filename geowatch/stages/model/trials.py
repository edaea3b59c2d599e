"""Windows of some imagery for a package that belongs to no run: to gate, time and calibrate with."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

from geowatch.errors import ImageryError
from geowatch.grid.windows import WindowLattice
from geowatch.stages.binding.imagery import bind
from geowatch.stages.binding.parts import parts_of
from geowatch.stages.predicting.samples import sample_windows
from geowatch.stages.predicting.timing import TimeConfig, settle_series
from geowatch.stages.tile import TileConfig, tile
from geowatch.store import open_store
from geowatch.store.plans import read_plan

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from geowatch.package import Package
    from geowatch.stages.binding.imagery import ImageryConfig
    from geowatch.stages.working.events import Events

__all__ = ["image_windows"]


def image_windows(
    package: Package, imagery: ImageryConfig, size: tuple[int, int], count: int, events: Events
) -> dict[str, NDArray[np.float32]]:
    """Return at most ``count`` prepared windows (N, C, H, W) of imagery for each input, those of most contrast first.

    Raises:
        ImageryError: where the imagery cannot be read, lacks bands, or has no valid pixel.
    """
    with tempfile.TemporaryDirectory(prefix="gw-trial-") as folder:
        tile(TileConfig(run=folder, imagery=imagery))
        store = open_store(folder)
        plan = read_plan(store)
        bound = bind(store, imagery, plan.grids, plan.region, package.manifest, events)
        series = settle_series(TimeConfig(), None, package.manifest)
        parts = parts_of(plan, bound, package.manifest.dates, series)
        windows = WindowLattice.of(size, package.manifest.window.overlap)
        found = sample_windows(package.manifest, windows, parts, count)
    if found is None:
        raise ImageryError(
            f"no image of {', '.join(imagery.images)} has a valid pixel",
            hint="give images that are not all cloud or nodata, or check --nodata and --mask",
        )
    return found
