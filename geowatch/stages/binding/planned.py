"""A plan in words: what it covers, and what it will cost as far as that is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geowatch.stages.working.amounts import in_pixels

if TYPE_CHECKING:
    from geowatch.grid.estimate import Estimate
    from geowatch.grid.plan import Plan

__all__ = ["summary"]


def summary(plan: Plan) -> list[tuple[str, str]]:
    """Return a plan as (label, value) pairs for people; what is not known yet is left out."""
    cost = plan.estimate
    rows, cols = plan.sweep_tiles
    sweeps = f"{cost.sweeps:,} sweep{'' if cost.sweeps == 1 else 's'} of up to {rows} x {cols}"
    lines: list[tuple[str, str | None]] = [
        ("plan", plan.id),
        ("region", plan.region.id if plan.region else "all of the images"),
        *[("grid", _grid_line(plan, at)) for at in range(len(plan.grids))],
        ("tiles", f"{cost.tiles:,} of {plan.tile_px} px, in {sweeps}"),
        ("output", in_pixels(cost.output_px)),
        ("windows", _known(cost.windows, "{:,}")),
        ("redundancy", _known(cost.redundancy, "{:.2f} pixels computed for each pixel of output")),
        ("reads", _bytes(cost.read_bytes, "decoded")),
        ("writes", _bytes(cost.write_bytes, "before compression")),
        ("memory", _memory(cost)),
        ("time", None if cost.seconds is None else f"{_duration(cost.seconds)} on one {cost.machine}"),
        ("price", _known(cost.price, f"{{:,.2f}} {cost.currency}") if cost.price else None),
    ]
    return [(label, value) for label, value in lines if value is not None]


def _grid_line(plan: Plan, at: int) -> str:
    grid, tiles = plan.grids[at], plan.tiles[at]
    height, width = grid.bounds.shape
    pixel = f"{grid.lattice.step_x:g} x {abs(grid.lattice.step_y):g}"
    return f"{grid.id}: {tiles.count:,} tiles, bounds of {height:,} x {width:,} px, pixels of {pixel}"


def _known(value: float | None, form: str) -> str | None:
    return None if value is None else form.format(value)


def _memory(cost: Estimate) -> str | None:
    if cost.least_memory_bytes is None:
        return _bytes(cost.memory_bytes, "a worker")
    return f"{_bytes(cost.least_memory_bytes, 'to')} {_bytes(cost.memory_bytes, 'a worker; --memory bounds it')}"


def _bytes(size: int | None, what: str) -> str | None:
    if size is None:
        return None
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if size >= scale:
            return f"{size / scale:,.1f} {unit} {what}"
    return f"{size / 1e3:,.1f} kB {what}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:,.1f} h"
