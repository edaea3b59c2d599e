"""The report as one HTML file: title, figures, map, starts and ends, coverage, time lines, table, files, lineage."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

from geowatch.consolidate.output.report.map import draw_map
from geowatch.consolidate.output.report.sections import (
    coverage_section,
    files_section,
    lineage_section,
    scores_section,
    starts_section,
)
from geowatch.consolidate.output.report.site_sections import table_section, time_lines_section
from geowatch.consolidate.output.report.svg import color_of
from geowatch.consolidate.output.report.text import area, days, element, many
from geowatch.consolidate.output.summary import total

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geowatch.consolidate.output.report.facts import ReportFacts

__all__ = ["report_page"]


def report_page(facts: ReportFacts) -> bytes:
    """Return the page; the same facts give the same bytes."""
    style = files("geowatch.consolidate.output.report").joinpath("style.css").read_text(encoding="utf-8")
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Sites of {escape(facts.title)}</title><style>{style}</style>"
    )
    body = "\n".join(part for part in _parts(facts) if part)
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body><main>\n{body}\n</main></body></html>\n'.encode()
    )


def _parts(facts: ReportFacts) -> Iterator[str]:
    if facts.simulated:
        said = facts.simulated.removeprefix("simulation:").strip()
        yield element("p", f"Simulated: {escape(said)}", "banner")
    yield _title(facts)
    yield _figures(facts)
    yield _map_section(facts)
    yield starts_section(facts)
    yield scores_section(facts)
    yield coverage_section(facts)
    yield time_lines_section(facts)
    yield table_section(facts)
    yield files_section(facts)
    yield lineage_section(facts)


def _title(facts: ReportFacts) -> str:
    span = f", {days(facts.start, facts.end)}" if facts.start or facts.end else ""
    seen = f"{many(total(facts.counts).sites, 'site')} found on {many(facts.times, 'date')}{span}."
    if facts.earlier is not None:
        seen += f" Since {facts.earlier.since}, {facts.earlier.says}."
    steps = "".join(element("li", f"<b>{escape(step.name)}</b>{escape(step.says)}") for step in facts.steps)
    return (
        element("p", "Sites of the region", "over")
        + element("h1", escape(facts.title))
        + element("p", seen, "lead")
        + (element("ul", steps, "steps") if steps else "")
    )


def _figures(facts: ReportFacts) -> str:
    everything = total(facts.counts)
    confirmed = sum(count.sites for count in facts.counts if count.status == "system_confirmed")
    shown = [
        (f"{everything.sites:,}", f"sites, {confirmed:,} of them confirmed"),
        (f"{everything.ongoing:,}", "still going on at the last date"),
        (area(everything.area_m2, facts.map.crs), "in all sites together"),
        (f"{facts.observations:,}", f"observations on {many(facts.times, 'date')}"),
    ]
    if facts.coverage is not None:
        share = facts.coverage.scored_px / max(1, facts.coverage.region_px)
        shown.append((f"{share:.1%}", "of the region and its dates has scores"))
    shown += [(score.value, score.name) for score in facts.scores[:1]]
    tiles = "".join(element("div", f"<b>{value}</b><span>{escape(name)}</span>", "figure") for value, name in shown)
    return element("section", tiles, "figures")


def _map_section(facts: ReportFacts) -> str:
    if not facts.sites and facts.map.picture is None:
        return element("h2", "Map") + element("p", "No site was found, and there is no picture of the region.")
    behind = f" Behind them: {facts.map.picture.shows}." if facts.map.picture else ""
    others = 0 if facts.map.others is None else len(facts.map.others)
    rest = f" {many(others, 'smaller site')} {'is a dot' if others == 1 else 'are dots'}." if others else ""
    stands = "latest phase" if any(site.phase for site in facts.sites) else "class or status"
    lead = f"Outlines in the colour of each site's {stands}; numbers name the largest.{rest}{behind}"
    return element("h2", "Map") + element("p", escape(lead)) + element("div", draw_map(facts) + _legend(facts), "card")


def _legend(facts: ReportFacts) -> str:
    found: dict[str, int] = {}
    for site in facts.sites:
        name = site.label
        found[name] = found.get(name, 0) + 1
    entries = [
        element("li", f'<i style="background:{color_of(name, facts.colors)}"></i>'
                      f"{escape(name)} <span>{count:,}</span>")
        for name, count in found.items()
    ]  # fmt: skip
    entries.append(element("li", "<span>dashed: the region</span>") if facts.map.region is not None else "")
    return element("ul", "".join(entries), "legend")
