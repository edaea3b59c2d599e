"""Where compiled networks are kept, where nobody says so: the shell alone looks at the environment."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from geowatch.stages.predicting.config import PredictConfig

__all__ = ["default_cache", "with_cache"]

C = TypeVar("C", bound="PredictConfig")


def default_cache() -> str:
    """Return the folder that GW_CACHE names, else ``gw`` in the user's folder of caches."""
    named = os.environ.get("GW_CACHE")
    if named:
        return named
    base = os.environ.get("XDG_CACHE_HOME")
    return str((Path(base) if base else Path.home() / ".cache") / "gw")


def with_cache(config: C) -> C:
    """Fill in the folder of compiled networks."""
    return config if config.cache is not None else replace(config, cache=default_cache())
