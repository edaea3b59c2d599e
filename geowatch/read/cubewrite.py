"""Writing a cube: the metadata of a frame, and its blocks, each whole and once.

A block is encoded in memory, its objects are published one by one, each in one step, and then its marker. Doing it
twice, or two runs doing it at once, writes the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from geowatch.read.cubecodec import compressors, encode
from geowatch.read.cubefiles import COUNTS
from geowatch.read.cubeformat import BLOCK_PX, CHUNK_PX, Block, CubeLayout, Plane
from geowatch.read.cubekeys import VERSION
from geowatch.read.cubemarkers import BlockMarker, write_marker
from geowatch.read.reader import BoxReader, Patch
from geowatch.store.base import Store
from geowatch.store.markers import StoredObject
from geowatch.store.shards import join_shard
from geowatch.store.zarr_objects import add_place, add_times, publish_group, zarr_objects

if TYPE_CHECKING:
    import zarr

__all__ = ["publish_block", "publish_frame", "read_block"]


def read_block(layout: CubeLayout, reader: BoxReader, block: Block) -> Patch:
    """Return what is to be stored of a block: its part of the frame's extent, by a reader of the stored plan."""
    return reader.read(block.box & layout.plan.extent)


def publish_block(store: Store, layout: CubeLayout, block: Block, patch: Patch) -> BlockMarker:
    """Publish the objects of a block that `read_block` gave, then its marker."""
    place = (block.box & layout.plan.extent).within(block.box)
    with ThreadPoolExecutor(2, thread_name_prefix="gw-encode") as pool:
        shards = pool.map(lambda plane: _encoded(plane, _stored(layout, plane, patch, place), place), _arrays(layout))
        objects = [_published(store, layout, block, shard) for shard in zip(_arrays(layout), shards, strict=True)]
    listed = tuple(each for each in objects if each is not None)
    marker = BlockMarker(
        frame=layout.key, block=(block.iy, block.ix), valid_px=int(np.count_nonzero(patch.valid)), objects=listed
    )
    write_marker(store, layout, block, marker)
    return marker


def _arrays(layout: CubeLayout) -> tuple[Plane, ...]:
    return (*layout.planes, layout.valid)


def _stored(layout: CubeLayout, plane: Plane, patch: Patch, place: tuple[slice, slice]) -> NDArray[Any]:
    """Return a block (H, W) of an array as it is stored: fill wherever there is no pixel."""
    block = np.full((BLOCK_PX, BLOCK_PX), plane.fill, plane.dtype)
    if plane == layout.valid:
        block[place] = patch.valid
        return block
    values = patch.values[layout.planes.index(plane)]
    np.copyto(block[place], values, casting="unsafe", where=patch.valid)
    return block


def _encoded(plane: Plane, block: NDArray[Any], place: tuple[slice, slice]) -> bytes | None:
    return join_shard(COUNTS, _chunks(plane, block, place))


def _chunks(plane: Plane, block: NDArray[Any], place: tuple[slice, slice]) -> Iterator[tuple[tuple[int, ...], bytes]]:
    """Yield the chunks of a block that are not all fill; beyond ``place`` there is nothing else."""
    for iy, ix in product(*(range(each.start // CHUNK_PX, -(-each.stop // CHUNK_PX)) for each in place)):
        chunk = block[iy * CHUNK_PX : (iy + 1) * CHUNK_PX, ix * CHUNK_PX : (ix + 1) * CHUNK_PX]
        if not (np.isnan(chunk) if plane.dtype.kind == "f" else chunk == plane.fill).all():
            yield (0, iy, ix), encode(chunk)


def _published(
    store: Store, layout: CubeLayout, block: Block, shard: tuple[Plane, bytes | None]
) -> StoredObject | None:
    plane, content = shard
    key = layout.shard_key(plane, block)
    if content is None:
        store.delete(key)  # what was damaged may still lie there
        return None
    store.put(key, content)
    return StoredObject.of(key, content)


def publish_frame(store: Store, layout: CubeLayout) -> None:
    """Publish a frame's metadata and coordinates, unless they are there; the group's own entry comes last."""
    if store.size(f"{layout.group}/zarr.json") is not None:
        return
    publish_group(store, {f"{layout.group}/{key}": content for key, content in _metadata(layout).items()})


def _metadata(layout: CubeLayout) -> dict[str, bytes]:
    plan = layout.plan
    about = {
        "Conventions": "CF-1.11", "title": "gw aligned frame", "gw_version": VERSION, "gw_frame": layout.key,
        "frame": plan.frame_id, "sensor": plan.sensor, "bands": dict(zip(_names(layout), plan.bands, strict=True)),
        "scenes": [scene.scene.id for scene in plan.scenes], "resampling": plan.resampling,
        "composite": plan.composite,
    }  # fmt: skip

    def fill(group: zarr.Group) -> None:
        for plane in _arrays(layout):
            _add_plane(group, layout, plane)
        add_times(group, [plan.scenes[0].scene.time])
        add_place(group, plan.lattice.affine_of(layout.box), layout.box.shape, plan.lattice.crs)

    return zarr_objects(about, fill)


def _names(layout: CubeLayout) -> tuple[str, ...]:
    return tuple(plane.name for plane in layout.planes)


def _add_plane(group: zarr.Group, layout: CubeLayout, plane: Plane) -> None:
    attributes: dict[str, Any] = {"grid_mapping": "spatial_ref", "coordinates": "spatial_ref"}
    if plane.numbers is not None:
        scale, offset = plane.factors
        # Without an offset xarray decodes 16-bit numbers to float32, not float64.
        attributes |= {"scale_factor": scale} | ({"add_offset": offset} if offset else {})
        if plane.numbers.nodata is not None:
            attributes["_FillValue"] = plane.fill
    group.create_array(
        plane.name,
        shape=(1, *layout.box.shape),
        shards=(1, BLOCK_PX, BLOCK_PX),
        chunks=(1, CHUNK_PX, CHUNK_PX),
        dtype=plane.dtype,
        fill_value=plane.fill,
        compressors=compressors(plane.dtype),
        dimension_names=["time", "y", "x"],
        attributes=attributes,
    )
