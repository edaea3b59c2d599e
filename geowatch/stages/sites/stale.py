"""Files of sites that are no more: what an earlier call made and this one did not, once the tables are others.

A folder in which the GeoPackage shows last week's sites and the GeoParquet today's would be wrong without saying so.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from geowatch.stages.sites.tables import OBSERVATIONS, SITES, stored_digest

if TYPE_CHECKING:
    from geowatch.store import Store

__all__ = ["MADE_OF_TABLES", "remove_stale", "table_digests"]

#: What is made of the tables; the joined maps are made of the heatmap, and stay.
MADE_OF_TABLES = (
    "sites/observations.parquet", "sites/report.html", "sites/site_models/", "sites/region_models/", "sites/sites.csv",
    "sites/sites.fgb", "sites/sites.geojson", "sites/sites.gpkg", "sites/sites.parquet", "sites/sites.png",
    "sites/stac/", "sites/summary.csv",
)  # fmt: skip


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
    if not before or before == table_digests(store):
        return None
    stale = [key for key in store.list("sites/") if key.startswith(MADE_OF_TABLES) and key not in made]
    for key in stale:
        store.delete(key)
    if not stale:
        return None
    others = f" and {len(stale) - 1} other files" if len(stale) > 1 else ""
    return f"{stale[0]}{others} showed earlier sites and went; --outputs names what is made"
