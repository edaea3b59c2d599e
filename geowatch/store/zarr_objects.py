"""Metadata and coordinates of a Zarr group as bytes by key, made in memory, to be published as any other objects.

What is written is a function of the arguments alone, so that any worker may publish it.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import zarr
    from affine import Affine
    from numpy.typing import NDArray

    from geowatch.store.base import Store

__all__ = ["add_place", "add_times", "publish_group", "zarr_objects"]

#: What stands on a time axis where no time is known.
_NO_TIME = -(2**63)


def zarr_objects(attributes: Mapping[str, Any], fill: Callable[[zarr.Group], None]) -> dict[str, bytes]:
    """Return the objects of a group with these attributes and what ``fill`` adds to it, its metadata consolidated."""
    import zarr
    from zarr.errors import ZarrUserWarning
    from zarr.storage import MemoryStore

    memory = MemoryStore()
    fill(zarr.create_group(memory, zarr_format=3, attributes=dict(attributes)))
    with warnings.catch_warnings():
        # Zarr warns that other libraries may not know consolidated metadata; they read the arrays' own.
        warnings.simplefilter("ignore", ZarrUserWarning)
        zarr.consolidate_metadata(memory)
    return asyncio.run(_contents(memory))


async def _contents(memory: zarr.storage.MemoryStore) -> dict[str, bytes]:
    from zarr.core.buffer import default_buffer_prototype

    found: dict[str, bytes] = {}
    async for key in memory.list():
        buffer = await memory.get(key, default_buffer_prototype())
        found[key] = b"" if buffer is None else buffer.to_bytes()
    return found


def publish_group(store: Store, entries: Mapping[str, bytes]) -> None:
    """Publish objects by key, unless they are there already; the group's own entry comes last."""
    for key in sorted(entries, key=lambda k: (k.count("/"), k), reverse=True):
        store.put_if_absent(key, entries[key])


def add_times(group: zarr.Group, times: Sequence[datetime | None]) -> None:
    """Add the time axis: seconds since 1970 (UTC), or the fill value where no time is known."""
    seconds = [_NO_TIME if time is None else int(time.astimezone(UTC).timestamp()) for time in times]
    units = {"units": "seconds since 1970-01-01", "calendar": "standard", "_FillValue": _NO_TIME}
    _add_coordinate(group, "time", np.array(seconds, np.int64), units)


def add_place(group: zarr.Group, affine: Affine, shape: tuple[int, int], crs: str | None, suffix: str = "") -> None:
    """Add the centres of pixels (axes y and x) and the georeference, each under its name and ``suffix``."""
    rows, columns = shape
    _add_coordinate(group, f"y{suffix}", affine.f + (np.arange(rows) + 0.5) * affine.e, {"axis": "Y"})
    _add_coordinate(group, f"x{suffix}", affine.c + (np.arange(columns) + 0.5) * affine.a, {"axis": "X"})
    attributes: dict[str, Any] = {"GeoTransform": " ".join(repr(v) for v in affine.to_gdal())}
    if crs is not None:
        from pyproj import CRS

        wkt = CRS.from_user_input(crs).to_wkt()
        attributes |= {"crs_wkt": wkt, "spatial_ref": wkt}
    group.create_array(f"spatial_ref{suffix}", shape=(), dtype="int64", attributes=attributes)


def _add_coordinate(group: zarr.Group, name: str, values: NDArray[Any], attributes: dict[str, Any]) -> None:
    array = group.create_array(
        name, shape=values.shape, chunks=values.shape, dtype=values.dtype, dimension_names=[name], attributes=attributes
    )
    array[:] = values
