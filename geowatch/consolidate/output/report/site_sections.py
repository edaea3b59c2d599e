"""Sections about single sites: time lines of the largest, and a table."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import TYPE_CHECKING

from geowatch.consolidate.output.report.map import draw_thumb
from geowatch.consolidate.output.report.svg import PHASE_COLORS, color_of
from geowatch.consolidate.output.report.text import area, element, many
from geowatch.consolidate.output.report.timeline import axis_of, draw_axis, draw_time_line
from geowatch.consolidate.output.summary import total

if TYPE_CHECKING:
    from geowatch.consolidate.output.report.facts import ReportFacts, Shown

__all__ = ["table_section", "time_lines_section"]

#: Rows of the table.
_ROWS = 500
#: Events of a site that are named with their days; of more only the number is told.
_EVENTS = 3
_STATUS = {"system_confirmed": "confirmed", "system_proposed": "proposed", "system_rejected": "rejected"}


def time_lines_section(facts: ReportFacts) -> str:
    """Return the time lines of the largest sites."""
    sites = facts.sites[: facts.time_lines]
    axis = axis_of(sites, facts.start, facts.end)
    if not sites or axis is None:
        return ""
    everything = total(facts.counts).sites
    which = "All sites" if everything == len(sites) else f"The {len(sites):,} largest of {many(everything, 'site')}"
    lead = (
        f"{which}. The curve is the score from 0 to 1, each dot an observation (hollow: less than half of the site "
        "was seen), the bar the phase; dashed lines are start and end."
    )
    lines = [f'<div class="line head"><span></span><span></span>{draw_axis(axis)}</div>']
    for site in sites:
        color = color_of(site.label, facts.colors)
        thumb = draw_thumb(site, color, facts.map.rows_down)
        drawn = draw_time_line(site, axis, facts.colors)
        lines.append(
            f'<div class="line" id="site-{site.number}"><div>{_words(site, facts.map.crs)}</div>{thumb}{drawn}</div>'
        )
    body = "".join(lines) + _phases(sites, facts)
    return element("h2", "Time lines") + element("p", escape(lead)) + element("div", body, "lines")


def _phases(sites: tuple[Shown, ...], facts: ReportFacts) -> str:
    """Return what the colours of the bars mean."""
    found = dict.fromkeys(each.phase for site in sites for each in site.sightings if each.phase)
    order = [name for name in PHASE_COLORS if name in found] + sorted(set(found) - set(PHASE_COLORS))
    entries = [f'<li><i style="background:{color_of(name, facts.colors)}"></i>{escape(name)}</li>' for name in order]
    return element("ul", "".join(entries), "legend") if entries else ""


def _words(site: Shown, crs: str | None) -> str:
    ongoing = f"since {site.start}, going on" if site.start else "without a date"
    span = f"{site.start}" if site.start == site.end else f"{site.start} to {site.end}"
    days = span if site.start and site.end else ongoing
    kind = f"{escape(site.kind)}, " if site.kind else ""
    figures = f"{kind}{area(site.area_m2, crs)}, score {site.score:.2f}"
    return (
        f"<b>{escape(site.id)}</b><p>{figures}<br>{escape(days)}<br>"
        f"{_STATUS.get(site.status, escape(site.status))}{_events(site)}</p>"
    )


def _events(site: Shown) -> str:
    """Return what happened to the outline: each event with its day, or where there are many their number."""
    events = [event.partition(":")[::2] for event in (site.events or "").split(";") if event]
    if len(events) <= _EVENTS:
        return "".join(f", {escape(what)} on {escape(day)}" for what, day in events)
    counts = Counter(what for what, _ in events)
    return "".join(f", {count} {escape(what)}{'s' * (count > 1)}" for what, count in counts.items())


def table_section(facts: ReportFacts) -> str:
    """Return the table of sites, largest first."""
    sites = facts.sites[:_ROWS]
    if not sites:
        return ""
    everything = total(facts.counts).sites
    which = "All of them" if everything == len(sites) else f"The {len(sites):,} largest of {everything:,}"
    lead = f"{which}, largest first."
    if any(name == "sites.csv" for name, _, _ in facts.files):
        lead += " <code>sites.csv</code> has every one."
    if facts.models:
        lead += " An id opens the site's model."
    heads = (("site", ""), ("class", ""), ("status", ""), ("latest phase", ""), ("start", ""), ("end", ""),
             ("area ▾", "num"), ("score", "num"), ("dates", "num"), ("lon, lat", "num"),
             ("earlier run", ""))  # fmt: skip
    empty = {1} - {1 for site in sites if site.kind} | {3} - {3 for site in sites if site.phase}
    empty |= set() if facts.earlier else {len(heads) - 1}
    used = [place for place, _ in enumerate(heads) if place not in empty]
    head = "".join(_head(*heads[place]) for place in used)
    body = "".join(_row(site, facts, used) for site in sites)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return element("h2", "Sites") + element("p", lead) + element("div", table, "scroll")


def _head(name: str, kind: str) -> str:
    text = f'<span class="by">{name}</span>' if "▾" in name else name
    return f'<th class="{kind}">{text}</th>' if kind else f"<th>{text}</th>"


def _became(site: Shown, facts: ReportFacts) -> str:
    return facts.earlier.became(int(site.id.rpartition("_")[2]), site.end) if facts.earlier else ""


def _row(site: Shown, facts: ReportFacts, used: list[int]) -> str:
    color = color_of(site.label, facts.colors)
    name = escape(site.id)
    model = facts.models.get(site.id)
    linked = f'<a href="{escape(model, quote=True)}">{name}</a>' if model else name
    place = "" if site.lonlat is None else f"{site.lonlat[0]:.5f}, {site.lonlat[1]:.5f}"
    cells = [
        f'<i class="swatch" style="background:{color}"></i>{linked}', escape(site.kind),
        _STATUS.get(site.status, escape(site.status)),
        escape(site.phase or ""),
        f"{site.start or ''}", f"{site.end or ('going on' if site.start else '')}", area(site.area_m2, facts.map.crs),
        f"{site.score:.2f}", f"{len(site.sightings)}", place, _became(site, facts),
    ]  # fmt: skip
    made = [f'<td class="num">{cells[k]}</td>' if 6 <= k <= 9 else f"<td>{cells[k]}</td>" for k in used]
    return f"<tr>{''.join(made)}</tr>"
