"""One tile, from planes of scores to its fragment.

Pixels are looked at in strips, so that memory follows the strip and not the number of planes; pieces are cut from
the runs of all strips together. What is found in a tile depends on its pixels and the halo around them alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from geowatch.sites.fragment import Fragment
from geowatch.track.again import seen_again
from geowatch.track.assembly import Assembly
from geowatch.track.coarse import candidates
from geowatch.track.found import Found, found_in, joined, pieces_of
from geowatch.track.layers import layers, row_bytes
from geowatch.track.links import Links, links
from geowatch.track.observed import Series, observe
from geowatch.track.search import STACK_BYTES, Planes, Search, strips

if TYPE_CHECKING:
    from geowatch.grid.lattice import PixelBox
    from geowatch.grid.tiles import Tile

__all__ = ["find"]


def find(
    search: Search,
    planes: Planes,
    tile: Tile,
    box: PixelBox,
    pause: Callable[[], None] = lambda: None,
    stack_bytes: int = STACK_BYTES,
) -> Fragment:
    """Return what ``box``, a tile's core within the region's bounds, holds.

    Args:
        search: What is looked for.
        planes: Where scores come from; beyond the region they give fill.
        tile: The tile.
        box: Its pixels.
        pause: Called now and then; it may raise to stop the work.
        stack_bytes: Memory for the planes of one strip; it changes no value.
    """
    found = _searched(search, planes, box, pause, stack_bytes)
    made = Assembly.of(
        box,
        [pieces_of(layer, joined(parts), search.connectivity) for layer, parts in sorted(found.items())],
        weak=search.mode != "footprint",
        border=search.border,
    )
    series = Series.join(_observed(search, planes, made, pause), planes.class_count)
    owned = list(made.owned(search.day_of)) if search.mode == "linked" else []
    linked = links(owned, search.link_days)
    return Fragment(
        tile=tile, box=box, **made.columns(), again_day=seen_again(owned, made.count),
        series_piece=series.piece, series_plane=series.plane, series_px=series.px, series_sums=series.sums,
        link_a=linked.a, link_b=linked.b, link_px=linked.px, link_gap_px=linked.gap_px, **_ends(linked),
    )  # fmt: skip


def _ends(linked: Links) -> dict[str, Any]:
    """Return the columns that lead on to earlier and later planes."""
    held = {name: getattr(linked, name) for name in ("first", "begun", "last", "left")}
    columns: dict[str, Any] = {f"{name}_piece": each.owner for name, each in held.items()}
    runs = {name: each.runs for name, each in held.items()} | {"dark": linked.dark}
    return columns | {f"{name}_{of}": getattr(each, of) for name, each in runs.items() for of in ("y", "x0", "x1")}


def _observed(search: Search, planes: Planes, made: Assembly, pause: Callable[[], None]) -> list[Series]:
    """Look at each piece: at all planes where it was found in all of them, else at its own."""
    if search.mode == "footprint":
        return observe(planes, search.planes, made.all_pieces(), pause)
    return [series for plane in made.planes for series in observe(planes, [plane], made.pieces_on(plane), pause)]


def _searched(
    search: Search, planes: Planes, box: PixelBox, pause: Callable[[], None], stack_bytes: int
) -> dict[tuple[int, int], list[Found]]:
    """Return by (plane, kind) what each strip holds, top to bottom."""
    found: dict[tuple[int, int], list[Found]] = defaultdict(list)
    halo = search.halo_px
    cut = strips(box, row_bytes(search, planes, box.width), stack_bytes)
    around = candidates(search, planes, box.pad(halo)) if box else None
    for strip in cut:
        near = strip.pad(halo)
        allowed = None if around is None else around.pixels(near)
        for group in search.groups:
            pause()
            for layer in layers(search, planes, group, near, allowed):
                found[layer.plane, layer.kind].append(found_in(layer, strip, search))
    return found
