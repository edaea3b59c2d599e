"""Joined maps of a region that spans several zones: classes and salient score, each as one cloud-optimised GeoTIFF.

A series becomes one map by a stated rule, pixel by pixel; the latest date unless told.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np
from pyproj import CRS

from geowatch.errors import ConfigError
from geowatch.grid.crs import canonical_crs, project
from geowatch.grid.lattice import Lattice
from geowatch.predict.recipe import read_recipe
from geowatch.stages.binding.imagery import read_bound
from geowatch.stages.mapping.deliverables import file_digest, writable
from geowatch.stages.sites.over_time import LATEST, Dates, shown
from geowatch.stages.stitch import planes_of
from geowatch.stitch.cog import CogSpec, cog_writer
from geowatch.stitch.joined import Joined, Layer
from geowatch.stitch.maps import NO_CLASS, legend_of
from geowatch.stitch.stac import MapItem, stac_item
from geowatch.track.document import default_salient

if TYPE_CHECKING:
    from geowatch.grid.lattice import PixelBox
    from geowatch.grid.plan import Plan
    from geowatch.stages.mapping.deliverables import Plane
    from geowatch.stages.sites.deliver_config import DeliverConfig
    from geowatch.stages.sites.order import Order
    from geowatch.stitch.heatmap import HeadLayout
    from geowatch.store import Store

__all__ = ["MAP", "SCORE", "check_mosaic", "joined_item", "joined_place", "wants_mosaic", "write_mosaic"]

MAP, SCORE = "sites/map.tif", "sites/score.tif"
"""Keys of the joined maps."""
#: Side of the blocks in which maps are joined.
_BLOCK_PX = 512
#: A joined map has at most this many times the pixels of the grids' bounds: beyond, most of it would be empty.
_EMPTIEST = 20
_COG = "image/tiff; application=geotiff; profile=cloud-optimized"
_METRES_PER_DEGREE = 111_319.490793


def write_mosaic(order: Order) -> None:
    """Write the joined maps where the region spans several zones, or another CRS is asked for."""
    if not wants_mosaic(order.plan, order.wanted):
        return
    try:
        planes = _planes(order.store, order.plan)
        lattice, box = joined_place(order.plan, order.wanted.mosaic_crs)
    except ConfigError as error:
        order.leave_out("mosaic", MAP, error)
        return
    layers = [_layer(order, each) for each in planes]
    _write(order, Joined(lattice, tuple(layers)), box, planes)


def _layer(order: Order, planes: list[Plane]) -> Layer:
    """Return what is shown of a grid."""
    newest = planes[-1]
    times = tuple(plane.time for plane in _looked_at(order, planes))
    dates = Dates(newest.mosaic, newest.head, times, _salient(order, newest.head))
    return Layer(newest.grid, newest.head, newest.tiles, shown(dates, order.wanted.mosaic_aggregate))


def _looked_at(order: Order, planes: list[Plane]) -> list[Plane]:
    """Return the planes of a grid that a map of all dates is made of: those that were tracked, if any were.

    A map of the latest date alone shows the heatmap's, tracked or not.
    """
    tracking, grid = order.tracking, planes[0].grid.id
    tracked = tracking.of_grid(grid) if tracking and tracking.head == planes[0].head.name else None
    if order.wanted.mosaic_aggregate == LATEST or tracked is None:
        return planes
    return [plane for plane in planes if plane.time in tracked.planes] or planes


def wants_mosaic(plan: Plan, wanted: DeliverConfig) -> bool:
    """Whether there is something to join, or another CRS or another rule is asked for."""
    return (
        len(plan.grids) > 1
        or wanted.mosaic_crs is not None
        or wanted.mosaic_aggregate != LATEST
        or wanted.asks("mosaic")
    )


def check_mosaic(store: Store, plan: Plan, wanted: DeliverConfig) -> None:
    """Raise ConfigError where joined maps cannot be made."""
    _planes(store, plan)
    joined_place(plan, wanted.mosaic_crs)


def joined_item(order: Order) -> bytes:
    """Return the joined maps as a STAC item whose files lie beside it."""
    every, (lattice, box) = _planes(order.store, order.plan), joined_place(order.plan, order.wanted.mosaic_crs)
    planes, how = [each[-1] for each in every], order.wanted.mosaic_aggregate
    legend = legend_of(planes[0].head)
    item = MapItem(
        id=f"{order.region_id}-joined".replace(" ", "-"),
        lattice=lattice,
        box=box,
        time=max((t for p in planes if (t := p.mosaic.layout.times[p.time]) is not None), default=None),
        assets={"map": ("map.tif", _COG), "score": ("score.tif", _COG)},
        classes=tuple(zip(legend.names, legend.colors, strict=True)),
        properties={"gw:recipe": planes[0].mosaic.recipe, **({} if how == LATEST else {"gw:aggregate": how})},
    )
    return stac_item(item)


def _salient(order: Order, head: HeadLayout) -> tuple[int, ...]:
    """Return the places of the classes that were tracked, or that would be."""
    named = order.tracking.salient if order.tracking else default_salient(head.classes)
    places = tuple(place for place, name in enumerate(head.classes) if name in named)
    return places or tuple(range(len(head.classes)))


def _planes(store: Store, plan: Plan) -> list[list[Plane]]:
    """Return each grid's planes of the first head of scores, the oldest first."""
    recipe = read_recipe(store)
    if recipe is None or read_bound(store) is None:
        raise ConfigError("the run has no heatmap to join", hint="gw predict makes it")
    planes = [plane for plane in planes_of(store, recipe) if plane.head.kind == "scores"]
    mine = [plane for plane in planes if plane.head.name == planes[0].head.name]
    every = ([plane for plane in mine if plane.grid.id == grid.id] for grid in plan.grids)
    return [each for each in every if each]


def joined_place(plan: Plan, mosaic_crs: str | None) -> tuple[Lattice, PixelBox]:
    """Return the joined map's lattice, with pixels as large as the finest grid's, and its pixels.

    Raises:
        ConfigError: for a run without a place on the globe, or a map that would be nearly empty.
    """
    region, finest = plan.region, min(grid.lattice.resolution for grid in plan.grids)
    if region is None or any(grid.lattice.crs is None for grid in plan.grids):
        raise ConfigError(
            "the run has no region on the globe, so its map cannot be put into another CRS",
            hint="plan with a region, or leave out mosaic and --mosaic-crs",
        )
    crs = canonical_crs(mosaic_crs or "EPSG:4326")
    lattice = Lattice.at(crs, _resolution(crs, str(plan.grids[0].lattice.crs), finest))
    box = lattice.box_covering(project(region.geometry, crs, lattice.resolution).bounds)
    known_px = sum(grid.bounds.area_px for grid in plan.grids)
    if box.area_px > _EMPTIEST * known_px + _BLOCK_PX**2:
        raise ConfigError(
            f"a joined map in {crs} would be {box.width:,} x {box.height:,} px, nearly all of it empty",
            hint="give a CRS made for the place with --mosaic-crs; EPSG:4326 is cut at 180 degrees",
        )
    return lattice, box


def _resolution(crs: str, source: str, resolution: float) -> float:
    """Return a pixel's size in units of a CRS, six digits."""
    here, there = CRS.from_user_input(source), CRS.from_user_input(crs)
    return float(f"{resolution * _metres(here) / _metres(there):.6g}")


def _metres(crs: CRS) -> float:
    """Return how long a unit of a CRS is."""
    return _METRES_PER_DEGREE if crs.is_geographic else float(crs.axis_info[0].unit_conversion_factor)


def _write(order: Order, joined: Joined, box: PixelBox, planes: list[list[Plane]]) -> None:
    specs = dict(zip((MAP, SCORE), _specs(joined, box, _tags(order, planes)), strict=True))
    with ExitStack() as stack:
        files = {key: stack.enter_context(order.store.stage(key)) for key in specs}
        with ExitStack() as writing:
            writers = [writing.enter_context(cog_writer(spec, files[key])) for key, spec in specs.items()]
            for block in box.blocks(_BLOCK_PX):
                part = block & box
                classes, scores = joined.block(part)
                for writer, values in zip(writers, (classes, writable(scores)), strict=True):
                    if (classes != NO_CLASS).any():
                        writer.write(part, values[np.newaxis])
        order.digests |= {key: file_digest(path) for key, path in files.items()}


def _tags(order: Order, planes: list[list[Plane]]) -> tuple[tuple[str, str], ...]:
    """Return what a map says of its making: of the latest date its frames, else the rule, and frames by grid."""
    how, recipe = order.wanted.mosaic_aggregate, planes[0][0].mosaic.recipe
    used = [each[-1:] if how == LATEST else _looked_at(order, each) for each in planes]
    frames = ",".join(f"{plane.grid.id}:{plane.frame.frame_id}" for each in used for plane in each)
    told = () if how == LATEST else (("GW_AGGREGATE", how),)
    return ("GW_RECIPE", recipe), ("GW_FRAMES", frames), *told


def _specs(joined: Joined, box: PixelBox, tags: tuple[tuple[str, str], ...]) -> tuple[CogSpec, CogSpec]:
    layer, lattice = joined.layers[0], joined.lattice
    form = layer.shows.form
    kind = "float32" if form.stored == "float16" else form.stored
    place = box, lattice.affine_of(box), lattice.crs
    return (
        CogSpec(*place, (layer.head.name,), "uint8", NO_CLASS, legend=legend_of(layer.head), tags=tags),
        CogSpec(*place, ("salient score",), kind, form.none, form.scale, tags=tags),
    )
