"""Declared preprocessing: what happens to a window's bands before a network sees them.

The steps are documents in a package's manifest, a closed list of plain arithmetic and never code. Each acts
on every pixel by itself, so a pixel's value does not depend on where a window is cut. They apply in order;
after them come mean and standard deviation (`geowatch.package.preprocess`).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "INDICES",
    "Clip",
    "Index",
    "Log1p",
    "Offset",
    "Scale",
    "Select",
    "Step",
    "index_step",
    "step_channels",
]

#: Well-known normalised differences (a - b) / (a + b), by the field's names for index and bands.
INDICES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "ndvi": ("nir", "red"),  # vegetation; Rouse et al. 1974
        "ndwi": ("green", "nir"),  # open water; McFeeters 1996
        "mndwi": ("green", "swir16"),  # open water among buildings; Xu 2006
        "ndmi": ("nir", "swir16"),  # moisture; Gao 1996
        "ndbi": ("swir16", "nir"),  # built-up land; Zha et al. 2003
        "ndsi": ("green", "swir16"),  # snow; Hall et al. 1995
        "nbr": ("nir", "swir22"),  # burnt land; Key and Benson 2006
    }
)


class _Step(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _ChannelStep(_Step):
    channels: tuple[str, ...] = ()
    """Channels that it acts on; empty means all that exist at this step."""


class Scale(_ChannelStep):
    """Multiply: ``x * factor``."""

    op: Literal["scale"] = "scale"
    """Names the step."""
    factor: float
    """What to multiply by, such as 0.0001 for reflectance kept as whole numbers."""


class Offset(_ChannelStep):
    """Add: ``x + value``."""

    op: Literal["offset"] = "offset"
    """Names the step."""
    value: float
    """What to add."""


class Clip(_ChannelStep):
    """Limit to ``low <= x <= high``."""

    op: Literal["clip"] = "clip"
    """Names the step."""
    low: float
    """Smallest value let through."""
    high: float
    """Largest value let through."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"clip from {self.low:g} to {self.high:g} lets nothing through")
        return self


class Log1p(_ChannelStep):
    """Natural logarithm of ``1 + x``; values below 0 count as 0."""

    op: Literal["log1p"] = "log1p"
    """Names the step."""


class Index(_Step):
    """Append a channel ``(a - b) / (a + b)``, which is 0 where ``a + b`` is 0."""

    op: Literal["index"] = "index"
    """Names the step."""
    name: str
    """Name of the new channel, such as ``ndvi``."""
    a: str
    """Channel that counts positive."""
    b: str
    """Channel that counts negative."""


class Select(_Step):
    """Keep these channels, in this order."""

    op: Literal["select"] = "select"
    """Names the step."""
    channels: tuple[str, ...] = Field(min_length=1)
    """Channels to keep."""


Step = Annotated[Scale | Offset | Clip | Log1p | Index | Select, Field(discriminator="op")]
"""Any one step; ``op`` tells which."""


def index_step(name: str) -> Index:
    """Return the step of a well-known index. Raises ValueError for a name that is not in `INDICES`.

    >>> index_step("ndvi")
    Index(op='index', name='ndvi', a='nir', b='red')
    """
    if name not in INDICES:
        raise ValueError(f"no index is called {name!r}; known are {', '.join(INDICES)}")
    a, b = INDICES[name]
    return Index(name=name, a=a, b=b)


def step_channels(bands: Sequence[str], steps: Sequence[Step]) -> tuple[str, ...]:
    """Return the channels that leave ``steps`` when ``bands`` enter. Raises ValueError for a missing one.

    >>> step_channels(("red", "nir"), (index_step("ndvi"), Select(channels=("ndvi",))))
    ('ndvi',)
    """
    channels = tuple(bands)
    for step in steps:
        needs = (step.a, step.b) if isinstance(step, Index) else step.channels
        missing = [name for name in needs if name not in channels]
        if missing:
            raise ValueError(f"step {step.op!r} needs {missing[0]!r}, but there are {', '.join(channels)}")
        if isinstance(step, Index):
            if step.name in channels:
                raise ValueError(f"index {step.name!r} would make a channel that exists")
            channels = (*channels, step.name)
        elif isinstance(step, Select):
            channels = step.channels
    return channels
