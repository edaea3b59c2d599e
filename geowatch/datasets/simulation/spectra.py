"""What surfaces reflect, from 0 to 1, in the six bands of the simulation.

Typical surface reflectances as spectral libraries have them (USGS splib07, ECOSTRESS), rounded to two digits.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["BANDS", "CLOUD", "GROUNDS", "PLANTS", "ground", "plant"]

#: Bands in their order.
BANDS = ("blue", "green", "red", "nir", "swir16", "swir22")

#: Ground without plants: (reflectance of each band, how much darker it is when wet, 0 to 1).
GROUNDS: Mapping[str, tuple[tuple[float, ...], float]] = MappingProxyType(
    {
        "loam": ((0.08, 0.12, 0.16, 0.23, 0.31, 0.27), 0.35),
        "clay": ((0.06, 0.09, 0.13, 0.19, 0.25, 0.21), 0.40),
        "sand": ((0.12, 0.18, 0.24, 0.30, 0.39, 0.36), 0.25),
        "stubble": ((0.08, 0.12, 0.16, 0.26, 0.33, 0.24), 0.20),
        "litter": ((0.05, 0.06, 0.08, 0.16, 0.20, 0.15), 0.20),
        "subsoil": ((0.12, 0.17, 0.23, 0.29, 0.37, 0.33), 0.30),
        "mud": ((0.06, 0.08, 0.10, 0.13, 0.13, 0.10), 0.20),
        "gravel": ((0.18, 0.22, 0.26, 0.30, 0.35, 0.32), 0.15),
        "concrete": ((0.22, 0.25, 0.27, 0.29, 0.31, 0.29), 0.10),
        "asphalt": ((0.08, 0.09, 0.10, 0.12, 0.14, 0.13), 0.15),
        "metal": ((0.32, 0.34, 0.35, 0.37, 0.38, 0.36), 0.02),
        "tile": ((0.08, 0.11, 0.18, 0.24, 0.28, 0.25), 0.10),
        "water": ((0.05, 0.05, 0.035, 0.02, 0.01, 0.008), 0.0),
        "turbid": ((0.08, 0.10, 0.09, 0.05, 0.02, 0.01), 0.0),
    }
)

#: Full cover of plants.
PLANTS: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "crop": (0.03, 0.06, 0.035, 0.46, 0.20, 0.09),
        "grass": (0.04, 0.07, 0.055, 0.36, 0.22, 0.11),
        "leaves": (0.025, 0.05, 0.03, 0.40, 0.17, 0.07),
        "needles": (0.02, 0.035, 0.025, 0.25, 0.11, 0.05),
    }
)

#: A thick cloud.
CLOUD: tuple[float, ...] = (0.58, 0.57, 0.57, 0.60, 0.45, 0.36)


def ground(name: str) -> NDArray[np.float32]:
    """Return the reflectance (C,) of a ground."""
    return np.asarray(GROUNDS[name][0], np.float32)


def plant(name: str) -> NDArray[np.float32]:
    """Return the reflectance (C,) of plants that cover all."""
    return np.asarray(PLANTS[name], np.float32)
