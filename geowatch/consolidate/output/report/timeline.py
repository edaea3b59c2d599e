"""A site's time line: its phases as a bar, its score as a curve, every observation as a dot."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from geowatch.consolidate.output.report.svg import color_of, polyline, said, tag, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from geowatch.consolidate.output.report.facts import Shown, Sighting

__all__ = ["Axis", "axis_of", "draw_axis", "draw_counts", "draw_time_line"]

#: Size of a time line in units of its drawing, and of the bar of phases in it.
WIDTH, HEIGHT = 640.0, 66.0
_CURVE_TOP, _CURVE_BOTTOM = 6.0, 40.0
_BAR_TOP, _BAR_HEIGHT = 46.0, 11.0
#: An observation that shows less of the site than this is drawn hollow.
HALF = 0.5


@dataclass(frozen=True, slots=True)
class Axis:
    """Days along a drawing; all time lines of a page have one."""

    first: date
    """Day at the left."""
    last: date
    """Day at the right."""
    width: float = WIDTH
    """Its length."""

    def at(self, day: date) -> float:
        """Return where a day is, within the drawing."""
        span = max(1, (self.last - self.first).days)
        return min(1.0, max(0.0, (day - self.first).days / span)) * self.width

    def ticks(self) -> list[tuple[date, str]]:
        """Return the days to name: years, or months of a short time."""
        years = [date(year, 1, 1) for year in range(self.first.year + 1, self.last.year + 1)]
        if len(years) > 1:
            step = -(-len(years) // 12)
            return [(day, str(day.year)) for day in years if (day.year - years[0].year) % step == 0]
        months = _months(self.first, self.last) or [self.first]
        return [(day, f"{day:%b %Y}" if day.month == 1 or day == months[0] else f"{day:%b}") for day in months]

    @property
    def period(self) -> str:
        """How starts and ends are counted along it: by quarter, month or day."""
        span = (self.last - self.first).days
        return "quarter" if span > 1100 else "month" if span > 100 else "day"


def axis_of(sites: tuple[Shown, ...], start: date | None, end: date | None) -> Axis | None:
    """Return an axis that holds all that was seen (else the region's days), or None where there are no days."""
    days = [each.day for site in sites for each in site.sightings if each.day]
    days += [day for site in sites for day in (site.start, site.end) if day]
    days = days or [day for day in (start, end) if day]
    if not days:
        return None
    margin = timedelta(days=max(3, (max(days) - min(days)).days // 60))
    return Axis(min(days) - margin, max(days) + margin)


def draw_axis(axis: Axis) -> str:
    """Return the axis alone, with names of years or months."""
    parts = [tag("line", x1=0, y1=18, x2=axis.width, y2=18, class_="rule")]
    for day, name in axis.ticks():
        x = axis.at(day)
        parts += [tag("line", x1=x, y1=14, x2=x, y2=22, class_="rule")]
        parts += [words(x + 4, 13, name, class_="tick")] if x < axis.width - 30 else []
    return _drawing(axis.width, 24.0, "Time axis", parts, "axis")


def draw_time_line(site: Shown, axis: Axis, colors: Mapping[str, str]) -> str:
    """Return a site's time line; what was seen on no known day has no place in it."""
    site = replace(site, sightings=tuple(each for each in site.sightings if each.day))
    parts = [tag("line", x1=axis.at(d), y1=2, x2=axis.at(d), y2=60, class_="grid") for d, _ in axis.ticks()]
    middle = (_CURVE_TOP + _CURVE_BOTTOM) / 2
    parts += [tag("line", x1=0, y1=middle, x2=axis.width, y2=middle, class_="grid dash")]
    parts += [_active(site, axis), *_curve(site, axis), *_phases(site, axis, colors), *_ends(site, axis)]
    return _drawing(axis.width, HEIGHT, f"Time line of {site.id}", parts, "timeline")


def draw_counts(starts: Mapping[date, int], ends: Mapping[date, int], axis: Axis) -> str:
    """Return how many sites started (up) and ended (down) in each period."""
    bars = {"start": _by_period(starts, axis.period), "end": _by_period(ends, axis.period)}
    top = max([1, *(count for each in bars.values() for count in each.values())])
    parts = []
    for kind, sign in (("start", -1), ("end", 1)):
        for first, count in bars[kind].items():
            x0, x1 = axis.at(first), axis.at(_after(first, axis.period))
            height = 44.0 * count / top
            y = 60 - height if sign < 0 else 60.0
            label = said(f"{count} {kind}{'s' if count > 1 else ''}, {axis.period} from {first}")
            parts.append(tag("rect", label, x=x0 + 1, y=y, width=max(1.5, x1 - x0 - 2), height=height, class_=kind))
    parts += [tag("line", x1=0, y1=60, x2=axis.width, y2=60, class_="rule")]
    parts += [words(axis.at(day) + 4, 118, name, class_="tick") for day, name in axis.ticks()]
    parts += [words(2, 12, f"up to {top} a {axis.period}", class_="tick")]
    return _drawing(axis.width, 122.0, f"Starts and ends of sites by {axis.period}", parts, "counts")


def _active(site: Shown, axis: Axis) -> str:
    """Return the time from start to end as a band behind the curve."""
    if site.start is None:
        return ""
    x0, x1 = axis.at(site.start), axis.width if site.end is None else axis.at(site.end)
    return tag("rect", x=x0, y=2, width=max(1.0, x1 - x0), height=58, class_="active")


def _ends(site: Shown, axis: Axis) -> Iterator[str]:
    for day, name in ((site.start, "start"), (site.end, "end")):
        if day is not None:
            x = axis.at(day)
            yield tag("line", said(f"{name} {day}"), x1=x, y1=2, x2=x, y2=60, class_="edge")


def _curve(site: Shown, axis: Axis) -> Iterator[str]:
    seen = [each for each in site.sightings if not math.isnan(each.score)]
    if not seen:
        return
    points = np.array([(axis.at(each.day), _height(each.score)) for each in seen])
    closed = np.concatenate([[(points[0, 0], _CURVE_BOTTOM)], points, [(points[-1, 0], _CURVE_BOTTOM)]])
    yield tag("path", d=f"{polyline(closed)}Z", class_="under")
    yield tag("path", d=polyline(points), class_="curve")
    for each, (x, y) in zip(seen, points.tolist(), strict=True):
        kind = "dot" if each.seen_share >= HALF else "dot hollow"
        yield tag("circle", said(_says(each)), cx=x, cy=y, r=2.1, class_=kind)


def _says(seen: Sighting) -> str:
    phase = f", {seen.phase}" if seen.phase else ""
    return f"{seen.day}: score {seen.score:.2f}{phase}, {seen.seen_share:.0%} of the site seen"


def _phases(site: Shown, axis: Axis, colors: Mapping[str, str]) -> Iterator[str]:
    """Yield the bar: a phase lasts from its observation to the next one."""
    seen = site.sightings
    if not any(each.phase for each in seen):
        return
    ends = [after.day for _, after in pairwise(seen)] + [seen[-1].day + timedelta(days=1)]
    start = 0
    for place, each in enumerate(seen):
        if place + 1 == len(seen) or seen[place + 1].phase != each.phase:
            x0, x1 = axis.at(seen[start].day), axis.at(ends[place])
            label = said(f"{each.phase or 'no phase'} from {seen[start].day}")
            look = color_of(each.phase, colors) if each.phase else "none"
            yield tag(
                "rect", label, x=x0, y=_BAR_TOP, width=max(1.0, x1 - x0), height=_BAR_HEIGHT, fill=look, class_="phase"
            )
            start = place + 1


def _height(score: float) -> float:
    return _CURVE_BOTTOM - min(1.0, max(0.0, score)) * (_CURVE_BOTTOM - _CURVE_TOP)


def _by_period(days: Mapping[date, int], period: str) -> dict[date, int]:
    """Return counts by the first day of each period."""
    months = {"quarter": 3, "month": 1}.get(period)
    found: dict[date, int] = {}
    for day in sorted(days):
        first = day if months is None else date(day.year, (day.month - 1) // months * months + 1, 1)
        found[first] = found.get(first, 0) + days[day]
    return found


def _after(first: date, period: str) -> date:
    """Return the day after a period's last."""
    months = {"quarter": 3, "month": 1}.get(period)
    return first + timedelta(days=1) if months is None else _later(first, months)


def _later(day: date, months: int) -> date:
    place = day.month - 1 + months
    return date(day.year + place // 12, place % 12 + 1, 1)


def _months(first: date, last: date) -> list[date]:
    count = (last.year - first.year) * 12 + last.month - first.month
    step = -(-max(1, count) // 12)
    days = [_later(first, k) for k in range(1, count + 1)]
    return [day for k, day in enumerate(days, start=1) if k % step == 0]


def _drawing(width: float, height: float, name: str, parts: list[str], kind: str) -> str:
    body = "".join(part for part in parts if part)
    box = f"0 0 {width:g} {height:g}"
    return tag("svg", body, viewBox=box, role="img", aria_label=name, class_=kind)
