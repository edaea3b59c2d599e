"""Made-up sites near the equator, in cells of 0.001 degree, for tests of the site metrics."""

from __future__ import annotations

from datetime import date

from shapely.geometry import MultiPolygon, Polygon, box

from geowatch.metrics.sites import RegionScores, evaluate_region
from geowatch.sites.model import Observation, RegionModel, Site

NA, SP, AC, PC = "No Activity", "Site Preparation", "Active Construction", "Post Construction"
CELL_KM2 = 0.0123090681


def day(text: str) -> date:
    return date.fromisoformat(text)


def cells(x: float, y: float, width: float = 1, height: float = 1) -> Polygon:
    """Return a rectangle whose corner and sides are counted in cells."""
    return box(x / 1000, y / 1000, (x + width) / 1000, (y + height) / 1000)


def region(first: str = "2015-01-01", last: str = "2020-12-31", **more: object) -> RegionModel:
    return RegionModel("ZZ_R001", cells(0, 0, 100, 100), day(first), day(last), **more)


def seen(when: str | None, place: Polygon | MultiPolygon, phase: str | None = AC, **more: object) -> Observation:
    return Observation(None if when is None else day(when), place, tuple(phase.split(", ")) if phase else (), **more)


def site(number: int, status: str, days: tuple[str | None, str | None], *observations: Observation, **more) -> Site:
    """Return a site of the year 2000's kind; ``days`` are its first and its last, or None."""
    start, end = (None if each is None else day(each) for each in days)
    content = "proposed" if status.startswith("system") else "annotation"
    given = {"originator": "acc" if content == "proposed" else "te", "model_content": content, **more}
    return Site(f"ZZ_R001_{number:04d}", observations[0].geometry, status, start, end, observations, **given)


def truth(number: int, place, first: str, last: str, status: str = "positive_annotated", **more) -> Site:
    """Return a true site that is active from a first to a last day, over on the last."""
    return site(number, status, (first, last), seen(first, place, AC), seen(last, place, PC), **more)


def proposal(number: int, place, first: str, last: str, **more) -> Site:
    return truth(number, place, first, last, "system_confirmed", **more)


def scores(truths, proposals, **more) -> RegionScores:
    return evaluate_region(more.pop("region", region()), truths, proposals, **more)


def overall(truths, proposals, **more):
    """Return the best assignment of the subset ``overall``."""
    return scores(truths, proposals, **more).subsets["overall"].best


def marks(assignment) -> dict[str, str]:
    return {each.truth.site.id[-4:]: each.mark for each in assignment.detections}


def taken(assignment) -> dict[str, list[str]]:
    """Return which proposals each true site took."""
    return {each.truth.site.id[-4:]: [m.site.id[-4:] for m in each.members] for each in assignment.detections}
