"""Where bytes are: stores, atomic publishing and the documents of a run folder."""

from geowatch.store.base import Store
from geowatch.store.local import LocalStore
from geowatch.store.opening import open_store

__all__ = ["LocalStore", "Store", "open_store"]
