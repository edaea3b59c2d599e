"""Sections of the page about time and places: series, tracking, consolidation, cubes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks import prose

__all__ = ["Table", "tables"]

Table = tuple[str, str, tuple[str, ...], list[tuple[str, ...]]]
"""Title, words, head and rows."""


def tables(document: Mapping[str, Any]) -> Iterator[Table]:
    """Yield the sections of those parts that were measured."""
    for name, (title, words, head, row) in _PARTS.items():
        part = document.get(name)
        if not part or not part["done"]:
            continue
        rows = part["facts"]["rows"]
        named = rows.items() if isinstance(rows, dict) else ((f"{each['tiles']:,}", each) for each in rows)
        yield title, words, head, [cells for case, each in named for cells in row(case, each)]


def _series(case: str, run: Mapping[str, float]) -> Iterator[tuple[str, ...]]:
    dates, _, way = case.partition(" dates, ")
    yield (
        dates, way, f"{run['cpu_s']:.1f}", f"{run['ms_a_plane']:.0f}", f"{run['reads_an_image']:.2f}",
        f"{run['peak_mb']:,.0f}",
    )  # fmt: skip


def _track(case: str, run: Mapping[str, float]) -> Iterator[tuple[str, ...]]:
    side, _, way = case.partition(" px, ")
    yield (
        f"{side}²", way, f"{run['mpx_a_second']:.1f}", f"{run['mpx_a_cpu_second']:.1f}", f"{run['whole_s']:.1f}",
        f"{run['pieces']:,}", f"{run['peak_mb']:,.0f}",
    )  # fmt: skip


def _consolidate(case: str, run: Mapping[str, float]) -> Iterator[tuple[str, ...]]:
    speed = run["polygons"] / run["seconds"]
    yield case, f"{run['polygons']:,}", f"{run['seconds']:.1f}", f"{speed:,.0f}", f"{run['peak_mb']:,.0f}"


def _cube(case: str, settings: Mapping[str, Mapping[str, float]]) -> Iterator[tuple[str, ...]]:
    for setting, run in settings.items():
        images, cube = run["images_s"], run["cube_s"]
        worked = run["images_cpu_s"] / run["cube_cpu_s"]
        yield case, setting, f"{1e3 * images:.1f}", f"{1e3 * cube:.1f}", f"{images / cube:.1f}", f"{worked:.1f}"


_PARTS: dict[str, tuple[str, str, tuple[str, ...], Any]] = {
    "series": (
        "Small regions, long series", prose.SERIES,
        ("dates", "", "processor s", "ms a plane", "reads an image", "MB"), _series,
    ),
    "track": (
        "Tracking", prose.TRACK,
        ("heatmap", "", "Mpx/s", "Mpx a processor s", "whole s", "pieces", "MB"), _track,
    ),
    "consolidate": ("Consolidation", prose.CONSOLIDATE, ("tiles", "polygons", "s", "polygons/s", "MB"), _consolidate),
    "cube": (
        "Aligned cubes", prose.CUBE, ("grid", "", "images ms", "cube ms", "ratio", "processor ratio"), _cube,
    ),
}  # fmt: skip
