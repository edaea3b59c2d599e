"""Figures of merit of maps, pure: counts go in block by block and add up, figures come out at the end.

No figure needs all pixels at once, so memory follows the number of classes and never the raster.
"""

from __future__ import annotations

from geowatch.metrics.calibration import BINS, Calibration
from geowatch.metrics.confusion import Confusion
from geowatch.metrics.curves import STEPS, ScoreCurves
from geowatch.metrics.risk import ErrorCurve

__all__ = ["BINS", "STEPS", "Calibration", "Confusion", "ErrorCurve", "ScoreCurves"]
