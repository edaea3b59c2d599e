"""From a run's address to its store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from geowatch.errors import ConfigError
from geowatch.store.local import LocalStore

if TYPE_CHECKING:
    from geowatch.store.base import Store

__all__ = ["open_store"]


def open_store(address: str | Path, *, fsync: bool = False) -> Store:
    """Return the store at ``address``: a folder, made when first written to.

    Raises:
        ConfigError: for an address of a kind that this version cannot store to.
    """
    text = str(address)
    if "://" in text and not text.startswith("file://"):
        scheme = text.partition("://")[0]
        raise ConfigError(f"no store for '{scheme}://' ({text})", hint="give a folder, such as --run ./gw-run")
    return LocalStore(Path(text.removeprefix("file://")), fsync=fsync)
