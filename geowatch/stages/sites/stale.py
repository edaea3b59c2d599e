"""Files of sites that are no more: what an earlier call made and this one did not, once the tables are others.

A folder in which the GeoPackage shows last week's sites and the GeoParquet today's would be wrong without saying so.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING

from geowatch.sites.schema import REGION_ID, SITE_ID
from geowatch.stages.sites.tables import OBSERVATIONS, SITES, stored_digest
from geowatch.store import LocalStore

if TYPE_CHECKING:
    from geowatch.store import Store

__all__ = ["made_of_tables", "prune_folders", "remove_stale", "table_digests"]

#: What is made of the tables; the joined maps are made of the heatmap, and stay.
_FILES = {
    "sites/observations.parquet", "sites/report.html", "sites/sites.csv", "sites/sites.fgb", "sites/sites.geojson",
    "sites/sites.gpkg", "sites/sites.parquet", "sites/sites.png", "sites/summary.csv",
}  # fmt: skip
#: Folders of it, and what names it gives there: others are somebody else's.
_FOLDERS = {
    "sites/site_models": SITE_ID,
    "sites/region_models": REGION_ID,
    "sites/stac": re.compile(r"^(collection|.+-(sites|joined)|(.+-)?map(-.+)?)$"),
}


def made_of_tables(store: Store, prefix: str = "sites/") -> list[str]:
    """Return the keys of what is there that was made of the tables, of those that start with ``prefix``."""
    return [key for key in store.list(prefix) if _is_made_of_tables(key)]


def _is_made_of_tables(key: str) -> bool:
    """Whether an object has the key of something that is made of the tables.

    >>> _is_made_of_tables("sites/sites.gpkg"), _is_made_of_tables("sites/site_models/KR_R001_0000.geojson")
    (True, True)
    >>> _is_made_of_tables("sites/sites.qgz"), _is_made_of_tables("sites/site_models/mine.geojson")
    (False, False)
    """
    folder, _, name = key.rpartition("/")
    stem, _, kind = name.rpartition(".")
    names = _FOLDERS.get(folder)
    return key in _FILES or (names is not None and kind in {"geojson", "json"} and names.search(stem) is not None)


def prune_folders(store: Store) -> None:
    """Remove folders of what is made of the tables where nothing is left in them."""
    if isinstance(store, LocalStore):
        for folder in _FOLDERS:
            store.prune(folder)


def table_digests(store: Store) -> dict[str, str]:
    """Return the sha256 of each table that is there, by key."""
    return {key: stored_digest(store, key) for key in (SITES, OBSERVATIONS) if store.size(key) is not None}


def remove_stale(store: Store, before: dict[str, str], made: Collection[str]) -> str | None:
    """Remove what was made of other tables and not made now; return what to say of it.

    Args:
        store: The run folder.
        before: `table_digests` before the tables were written.
        made: Keys of what was made of the tables since.
    """
    others = bool(before) and before != table_digests(store)
    stale = [key for key in made_of_tables(store) if key not in made] if others else []
    for key in stale:
        store.delete(key)
    prune_folders(store)
    if not stale:
        return None
    rest = f" and {len(stale) - 1} other {'file' if len(stale) == 2 else 'files'}" if len(stale) > 1 else ""
    return f"{stale[0]}{rest} showed earlier sites and went; --outputs names what is made"
