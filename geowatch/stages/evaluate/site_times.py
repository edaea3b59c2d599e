"""Time lines of an evaluation of sites, truth above proposals, and curves over swept thresholds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw
from PIL.ImageColor import getrgb

from geowatch.consolidate.output.report.svg import PHASE_COLORS
from geowatch.metrics.sites.rollup import best_together, curve_together
from geowatch.sites.model import PHASES
from geowatch.stages.evaluate.site_map import GRID, MARKS, Color
from geowatch.stitch.paper import INK, PAPER, SOFT, as_png, font, lettered

if TYPE_CHECKING:
    from geowatch.metrics.sites import RegionScores, Thresholds
    from geowatch.metrics.sites.bas import Assignment
    from geowatch.metrics.sites.reading import ScoredSite, Seen

__all__ = ["draw_curve", "draw_times"]

_PHASE_COLORS: dict[str, Color] = {phase: getrgb(PHASE_COLORS[phase])[:3] for phase in PHASES}
_NO_PHASE: Color = getrgb(PHASE_COLORS["Unknown"])[:3]
_LEFT, _RIGHT, _TOP, _WIDTH, _ROW = 250, 40, 100, 760, 40
#: Sites that are drawn at most.
_MOST = 40
_WORDS = {"tp": "found", "fn": "missed", "fp": "negative, found", "0": "ignored"}


@dataclass(frozen=True, slots=True)
class _Bar:
    """A site's or a group's days and phases."""

    first: int
    last: int
    seen: tuple[Seen, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A row: a true site and what it took, or a proposal that none took."""

    name: str
    says: str
    color: Color
    truth: _Bar | None
    proposed: tuple[_Bar, ...]


def draw_times(scores: RegionScores) -> bytes:
    """Return the time lines of the subset ``overall`` as PNG."""
    best = scores.subsets["overall"].best
    entries = list(_entries(best))
    shown = entries[:_MOST]
    first, last = scores.region.start.toordinal(), scores.region.end.toordinal()
    page = Image.new("RGB", (_LEFT + _WIDTH + _RIGHT, _TOP + _ROW * max(len(shown), 1) + 80), PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((28, 20), f"{scores.region.id}: when sites were active", INK, font(22))
    rest = f"; {len(entries) - len(shown)} more are not drawn" if len(entries) > len(shown) else ""
    draw.text((28, 50), f"upper bar: truth, lower bar: proposals{rest}", SOFT, font(14))
    _draw_years(draw, first, last, len(shown))
    for number, entry in enumerate(shown):
        _draw_entry(draw, entry, _TOP + number * _ROW, (first, last))
    if not shown:
        draw.text((_LEFT + _WIDTH / 2, _TOP + 12), "no site to show", SOFT, font(14), anchor="ma")
    _draw_phases(draw, _TOP + _ROW * max(len(shown), 1) + 40)
    return as_png(page)


def _entries(best: Assignment) -> Iterator[_Entry]:
    """Yield true sites that count or were found, the important ones first, then false alarms."""
    order = {"tp": 0, "fn": 1, "fp": 2, "0": 3}
    counted = [each for each in best.detections if each.mark in order and (each.mark != "0" or each.members)]
    for each in sorted(counted, key=lambda one: (order[one.mark], one.truth.id)):
        bar = _Bar(*(each.truth.interval or (each.truth.start, each.truth.end)), each.truth.kept)
        found = tuple(map(_bar, each.members))
        yield _Entry(each.truth.site.id, _WORDS[each.mark], MARKS[each.mark], bar, found)
    for site in best.unclaimed:
        yield _Entry(site.site.id, "false alarm", MARKS["fp"], None, (_bar(site),))


def _bar(site: ScoredSite) -> _Bar:
    return _Bar(site.start, site.end, site.kept)


def _draw_years(draw: ImageDraw.ImageDraw, first: int, last: int, rows: int) -> None:
    bottom = _TOP + _ROW * max(rows, 1)
    years = range(date.fromordinal(first).year, min(date.fromordinal(last).year + 2, date.max.year + 1))
    for year in years:
        day = date(year, 1, 1).toordinal()
        if first <= day <= last:
            x = _x(day, first, last)
            draw.line((x, _TOP - 8, x, bottom), GRID, 1)
            draw.text((x, bottom + 6), str(year), SOFT, font(12), anchor="ma")
    draw.rectangle((_LEFT, _TOP - 8, _LEFT + _WIDTH, bottom), outline=GRID)


def _x(day: int, first: int, last: int) -> float:
    share = (day - first) / max(last - first + 1, 1)
    return _LEFT + _WIDTH * min(1.0, max(0.0, share))


def _draw_entry(draw: ImageDraw.ImageDraw, entry: _Entry, top: int, region: tuple[int, int]) -> None:
    draw.text((_LEFT - 10, top + 3), entry.name, INK, font(13), anchor="ra")
    draw.text((_LEFT - 10, top + 18), entry.says, entry.color, font(12), anchor="ra")
    if entry.truth:
        _draw_bar(draw, entry.truth, (top + 4, top + 14), region)
    height = 12 / max(len(entry.proposed), 1)
    for number, bar in enumerate(entry.proposed):
        _draw_bar(draw, bar, (top + 18 + number * height, top + 17 + (number + 1) * height), region)


def _draw_bar(draw: ImageDraw.ImageDraw, bar: _Bar, y: tuple[float, float], region: tuple[int, int]) -> None:
    """Draw days in the colour of the phase that was seen last."""
    if bar.last < bar.first:
        return
    changes = [(each.day, _color(each)) for each in bar.seen if each.day <= bar.last]
    before = [color for day, color in changes if day <= bar.first]
    steps = [(bar.first, before[-1] if before else _NO_PHASE), *(step for step in changes if step[0] > bar.first)]
    ends = [*(day for day, _ in steps[1:]), bar.last + 1]
    for (day, color), end in zip(steps, ends, strict=True):
        left, right = _x(day, *region), max(_x(end, *region), _x(day, *region) + 1)
        draw.rectangle((left, y[0], right, max(y[1], y[0])), fill=color)


def _color(seen: Seen) -> Color:
    """Return the colour of an observation's latest phase."""
    known = [phase for phase in PHASES if phase in seen.phases]
    return _PHASE_COLORS[known[-1]] if known else _NO_PHASE


def _draw_phases(draw: ImageDraw.ImageDraw, top: int) -> None:
    x = _LEFT
    for name, color in (*_PHASE_COLORS.items(), ("unknown or not given", _NO_PHASE)):
        draw.rectangle((x, top + 2, x + 18, top + 14), fill=color)
        draw.text((x + 24, top), name, INK, font(13))
        x += 44 + int(font(13).getlength(name))


_SIDE, _EDGE = 330, 80
_LINES: tuple[tuple[str, Color], ...] = (
    ("precision", (221, 107, 32)), ("recall", (47, 133, 90)), ("F1", (43, 108, 176)),
)  # fmt: skip
_NAMES = {
    "min_area_m2": "smallest area, m²", "min_score": "smallest confidence", "tau": "tau: overlap of a date",
    "rho": "rho: share of dates", "tiop": "overlap of the proposal's days", "tiot": "overlap of the truth's days",
    "ttiop": "tiop of transient sites", "ttiot": "tiot of transient sites",
}  # fmt: skip


def draw_curve(scores: Sequence[RegionScores]) -> bytes:
    """Return precision, recall and F1 over each swept threshold, the others as at the best row, as PNG."""
    curve = dict(curve_together(scores, "overall"))
    best = best_together(scores, "overall")
    panels = [(name, _along(curve, best, name)) for name in (each.name for each in fields(best))]
    panels = [(name, points) for name, points in panels if len(points) > 1]
    page = Image.new("RGB", (max(1, len(panels)) * (_SIDE + _EDGE) + _EDGE, _SIDE + 190), PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((28, 18), f"Thresholds: best F1 {curve[best][2]:.3f}", INK, font(22))
    x = _EDGE
    for label, color in _LINES:
        draw.line((x, 62, x + 26, 62), color, 3)
        draw.text((x + 34, 54), label, INK, font(13))
        x += 120
    for number, (name, points) in enumerate(panels):
        _draw_curves(draw, points, (_EDGE + number * (_SIDE + _EDGE), 96), (_NAMES[name], getattr(best, name)))
    return as_png(page)


def _along(
    curve: dict[Thresholds, tuple[float, float, float]], best: Thresholds, name: str
) -> list[tuple[float, tuple[float, float, float]]]:
    """Return the points of the curve on which only one threshold differs from the best."""
    others = [each.name for each in fields(best) if each.name != name]
    same = (at for at in curve if all(getattr(at, other) == getattr(best, other) for other in others))
    return sorted((getattr(at, name), curve[at]) for at in same)


def _draw_curves(
    draw: ImageDraw.ImageDraw,
    points: list[tuple[float, tuple[float, float, float]]],
    corner: tuple[int, int],
    named: tuple[str, float],
) -> None:
    left, top = corner
    low, high = points[0][0], points[-1][0]
    places = [left + _SIDE * (value - low) / (high - low) for value, _ in points]
    for k in range(6):
        y = top + _SIDE * k / 5
        draw.line((left, y, left + _SIDE, y), GRID, 1)
        draw.text((left - 8, y), f"{1 - k / 5:.1f}", SOFT, font(12), anchor="rm")
    at = left + _SIDE * (named[1] - low) / (high - low)
    draw.line((at, top, at, top + _SIDE), SOFT, 1)
    draw.text((at, top - 4), f"best {named[1]:g}", SOFT, font(12), anchor="ms")
    for k, (_, color) in enumerate(_LINES):
        line = [(x, top + _SIDE * (1 - figures[k])) for x, (_, figures) in zip(places, points, strict=True)]
        draw.line(line, color, 3, joint="curve")
        for x, y in line:
            draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=color)
    _label_values(draw, list(zip(places, (value for value, _ in points), strict=True)), top + _SIDE + 8)
    draw.rectangle((left, top, left + _SIDE, top + _SIDE), outline=SOFT)
    draw.text((left + _SIDE / 2, top + _SIDE + 34), lettered(named[0]), INK, font(13), anchor="ma")


def _label_values(draw: ImageDraw.ImageDraw, places: list[tuple[float, float]], y: float) -> None:
    """Write as many values as fit."""
    free = -1e9
    for x, value in places:
        width = font(12).getlength(f"{value:g}")
        if x - width / 2 > free:
            draw.text((x, y), f"{value:g}", SOFT, font(12), anchor="ma")
            free = x + width / 2 + 8
