"""The report of a run's sites: facts gathered from the tables and from what the stages left in the run folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from shapely.geometry import Polygon

from geowatch.consolidate.output.report.facts import Coverage, MapFacts, ReportFacts, Score, Step
from geowatch.consolidate.output.report.page import report_page
from geowatch.consolidate.output.report.pick import Picked, pick
from geowatch.consolidate.output.report.text import many
from geowatch.consolidate.output.summary import total
from geowatch.grid.antimeridian import west_of, whole
from geowatch.grid.crs import project
from geowatch.predict.recipe import read_recipe
from geowatch.stages.predicting.recipes import package_name
from geowatch.stages.sites.backdrop import DEGREES, find_picture, framed
from geowatch.stages.sites.order import Order
from geowatch.stages.sites.picture import draw_sites
from geowatch.stages.stitch import COVERAGE
from geowatch.version import __version__

if TYPE_CHECKING:
    from geowatch.consolidate.output.report.facts import Frame
    from geowatch.sites.model import Area
    from geowatch.stages.sites.backdrop import Picture

__all__ = ["FILES", "PICTURE", "REPORT", "write_pages"]

#: What the files beside the report are, by key.
FILES = {
    "sites/sites.parquet": "GeoParquet: every site, for GeoPandas, DuckDB and QGIS",
    "sites/observations.parquet": "GeoParquet: every site on every date",
    "sites/sites.gpkg": "GeoPackage: sites, observations, and sites by date, for QGIS and ArcGIS",
    "sites/sites.fgb": "FlatGeobuf: every site with a spatial index, for large maps and the web",
    "sites/sites.geojson": "GeoJSON in longitude and latitude, for the web",
    "sites/sites.csv": "a line for each site, for spreadsheets",
    "sites/summary.csv": "a line for each class and status",
    "sites/sites.png": "the map as a picture",
    "sites/map.tif": "the classes of all zones in one cloud-optimised GeoTIFF",
    "sites/score.tif": "the salient score of all zones in one cloud-optimised GeoTIFF",
    "sites/stac/collection.json": "STAC collection of maps and sites",
}
#: Figures of an evaluation that are shown, and what they mean.
_FIGURES = {
    "f1": ("F1", "harmonic mean of precision and recall"),
    "precision": ("Precision", "share of the sites found that are true"),
    "recall": ("Recall", "share of the true sites that were found"),
    "tp": ("Found", "true sites that were found"),
    "fp": ("False alarms", "sites found that are none"),
    "fn": ("Missed", "true sites that were not found"),
    "ffpa": ("False area", "share of the region that is covered by false alarms"),
}
_PIECE_BYTES = 1 << 22
_EVALUATION = ("evaluation/evaluation.json", "evaluation.json")


REPORT, PICTURE = "sites/report.html", "sites/sites.png"
"""Keys of the page and of the picture."""


def write_pages(order: Order) -> None:
    """Write ``sites/sites.png`` and ``sites/report.html``, those of them that are wanted."""
    if not (order.wanted.wants("picture") or order.wanted.wants("report")):
        return
    picked = pick(order.sites, order.observations, west=_west(order))
    picture = find_picture(order, picked)
    facts = _facts(order, picked, picture)
    if order.wanted.wants("picture"):
        order.put(PICTURE, draw_sites(facts, picture))
    if order.wanted.wants("report"):
        order.put(REPORT, report_page(replace(facts, files=tuple(_files(order)))))


def _facts(order: Order, picked: Picked, picture: Picture | None) -> ReportFacts:
    region = order.plan.region
    counts = order.counts
    days = (*order.looked_at, *(picked.days or ()))
    return ReportFacts(
        title=order.region_id,
        start=(region.start if region else None) or min(days, default=None),
        end=(region.end if region else None) or max(days, default=None),
        steps=tuple(_steps(order, total(counts).sites)),
        counts=counts,
        sites=picked.sites,
        times=_times(order) or len(picked.dates),
        map=map_facts(order, picked, framed(picture)),
        observations=picked.observations,
        time_lines=order.wanted.report_sites,
        starts=picked.starts,
        ends=picked.ends,
        coverage=_coverage(order),
        earlier=order.earlier,
        left_out=order.gaps.get("left_out", {}),
        untracked=tuple(order.gaps.get("missing_tiles", ())),
        scoreless=tuple(order.gaps.get("gaps_in_scores", ())),
        bare=tuple(order.gaps.get("grids_without_imagery", ())),
        scores=tuple(_scores(order)),
        models=_models(order, picked),
        simulated=order.simulated,
        lineage=tuple(_lineage(order)),
        colors=_colors(order),
    )


def map_facts(order: Order, picked: Picked, picture: Frame | None) -> MapFacts:
    """Return the frame of a map in the sites' CRS: the region's bounds, else the sites'."""
    crs = order.sites.crs
    outline = _region(order, crs)
    boxes = [outline.bounds] if outline is not None else [shape.bounds for shape in _grid_boxes(order)]
    bounds = shapely.total_bounds([shapely.box(*box) for box in boxes]).tolist()
    down = crs is None and order.plan.grids[0].lattice.step_y > 0
    return MapFacts(
        outline, (bounds[0], bounds[1], bounds[2], bounds[3]), crs, _metres(bounds, crs), down, picture, picked.others
    )


def _region(order: Order, crs: str | None) -> Area | None:
    if order.plan.region is None or crs is None:
        return None
    geometry = order.plan.region.geometry
    return whole(geometry) if crs in DEGREES else project(geometry, crs, order.plan.grids[0].lattice.resolution)


def _west(order: Order) -> float | None:
    """Return where a map in degrees begins that crosses the antimeridian; None for all others."""
    if order.plan.region is None or order.sites.crs not in DEGREES:
        return None
    return west_of(np.array([order.plan.region.geometry], dtype=object))


def _grid_boxes(order: Order) -> list[Polygon]:
    return [shapely.box(*grid.lattice.bounds(grid.bounds)) for grid in order.plan.grids]


def _metres(bounds: list[float], crs: str | None) -> tuple[float, float] | None:
    """Return how long a unit of x and of y is in the middle of the bounds."""
    if crs is None:
        return None
    from pyproj import CRS, Geod, Transformer

    left, bottom, right, top = bounds
    x, y = (left + right) / 2, (bottom + top) / 2
    step = max(right - left, top - bottom) / 1000
    known = CRS.from_user_input(crs)
    move = Transformer.from_crs(known, "OGC:CRS84", always_xy=True)
    lon, lat = move.transform([x, x + step, x], [y, y, y + step])
    geod = Geod(ellps="WGS84")
    _, _, across = geod.inv(lon[0], lat[0], lon[1], lat[1])
    _, _, along = geod.inv(lon[0], lat[0], lon[2], lat[2])
    return across / step, along / step


@dataclass(frozen=True, slots=True)
class _Document:
    """A JSON document of the run, or nothing where it is absent or damaged."""

    content: dict[str, Any]

    @classmethod
    def of(cls, order: Order, key: str) -> _Document | None:
        if order.store.size(key) is None:
            return None
        try:
            found = json.loads(order.store.get(key))
        except ValueError:
            return None
        return cls(found) if isinstance(found, dict) else None


def _steps(order: Order, sites: int) -> list[Step]:
    plan, steps = order.plan, []
    grids = f" on {len(plan.grids)} grids" if len(plan.grids) > 1 else ""
    steps.append(Step("tile", f"{many(plan.tile_count, 'tile')} of {plan.tile_px} px{grids}"))
    if read_recipe(order.store) is not None:
        steps.append(Step("predict", package_name(order.store)))
    coverage = _coverage(order)
    if coverage is not None:
        steps.append(Step("stitch", f"{coverage.scored_px / max(1, coverage.region_px):.1%} has scores"))
    tracking = order.tracking
    if tracking is not None:
        steps.append(Step("track", f"{tracking.mode}, {', '.join(tracking.salient)}"))
    steps.append(Step("consolidate", many(sites, "site")))
    if _evaluation(order) is not None:
        steps.append(Step("evaluate", "against the truth"))
    return steps


def _times(order: Order) -> int:
    """Return the dates that tracking looked at, or 0 where the run does not say."""
    grids = order.tracking.grids if order.tracking else ()
    return len({grid.times[plane] for grid in grids for plane in grid.planes})


def _coverage(order: Order) -> Coverage | None:
    found = _Document.of(order, COVERAGE)
    if found is None:
        return None
    planes, bare = found.content.get("planes", []), found.content.get("grids_without_imagery", {})
    names = ("region_px", "scored_px", "no_imagery_px", "gap_px")
    sums = {name: sum(plane[name] for plane in planes) for name in names}
    missing = dict.fromkeys(name for plane in planes for name in plane["missing_tiles"])
    missing |= dict.fromkeys(order.tracking.gaps if order.tracking else ())
    return Coverage(**sums, planes=len(planes), missing=tuple(missing), bare=tuple(bare))


def _evaluation(order: Order) -> _Document | None:
    return next((found for key in _EVALUATION if (found := _Document.of(order, key)) is not None), None)


def _scores(order: Order) -> list[Score]:
    found = _evaluation(order)
    if found is None:
        return []
    figures = found.content.get("summary", {})
    return [Score(name, _figure(figures[key]), means) for key, (name, means) in _FIGURES.items() if key in figures]


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def _made(order: Order) -> Callable[[str], bool]:
    """Return whether a file is one of the order's, or of the run's where only pages are written anew."""
    others = set(order.digests) - {PICTURE, REPORT}
    return others.__contains__ if others else lambda key: order.store.size(key) is not None


def _files(order: Order) -> list[tuple[str, int, str]]:
    made, store = _made(order), order.store
    region = f"sites/region_models/{order.region_id}.geojson"
    known = FILES | {region: "SMART region model; site models beside it"}
    return [
        (key.removeprefix("sites/"), store.size(key) or 0, what)
        for key, what in known.items()
        if made(key) or key in order.digests
    ]


def _models(order: Order, picked: Picked) -> dict[str, str]:
    made = _made(order)
    named = {site.id: f"site_models/{order.region_id}_{site.number:04d}.geojson" for site in picked.sites}
    return {site: href for site, href in named.items() if made(f"sites/{href}")}


def _lineage(order: Order) -> list[tuple[str, str]]:
    recipe = read_recipe(order.store)
    known = {
        "plan": order.plan.id,
        "recipe": recipe.digest if recipe else None,
        "tracking": order.tracking.digest if order.tracking else None,
        "sites.parquet, sha256": _digest(order, "sites/sites.parquet"),
        "code": f"gw-geowatch {__version__}",
    }
    return [(name, value) for name, value in known.items() if value]


def _digest(order: Order, key: str) -> str | None:
    """Return the sha256 of a file of the run, or None where there is none."""
    size = order.store.size(key)
    if key in order.digests or size is None:
        return order.digests.get(key)
    digest = sha256()
    for start in range(0, size, _PIECE_BYTES):
        digest.update(order.store.get(key, start, _PIECE_BYTES))
    return digest.hexdigest()


def _colors(order: Order) -> dict[str, str]:
    recipe = read_recipe(order.store)
    heads = [head for head in recipe.heads if head.kind == "scores"] if recipe else []
    return {name: color for head in heads for name, color in zip(head.classes, head.colors, strict=False)}
