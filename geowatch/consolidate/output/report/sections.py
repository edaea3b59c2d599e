"""Sections about the region as a whole: starts and ends, evaluation, coverage, files and lineage."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING

from geowatch.consolidate.output.report.text import element, many, size
from geowatch.consolidate.output.report.timeline import axis_of, draw_counts

if TYPE_CHECKING:
    from geowatch.consolidate.output.report.facts import Coverage, ReportFacts

__all__ = ["coverage_section", "files_section", "lineage_section", "scores_section", "starts_section"]

#: Missing tiles that are named.
_NAMED = 12
_CUT_OFF = "Sites there are not found or are cut off."


def starts_section(facts: ReportFacts) -> str:
    """Return when sites started and ended; nothing where no site has a day."""
    axis = axis_of(facts.sites, facts.start, facts.end)
    if axis is None or not facts.starts:
        return ""
    legend = (
        '<ul class="legend"><li><i class="swatch" style="background:#d1495b"></i>sites that started</li>'
        '<li><i class="swatch" style="background:#2f86a6"></i>sites that ended</li></ul>'
    )
    return (
        element("h2", "When it happened")
        + element("p", f"Starts above the line, ends below it, by {axis.period}.")
        + element("div", draw_counts(facts.starts, facts.ends, replace(axis, width=1040.0)) + legend, "card")
    )


def scores_section(facts: ReportFacts) -> str:
    """Return the figures of an evaluation, where there was one."""
    if not facts.scores:
        return ""
    rows = "".join(
        f'<tr><td>{escape(s.name)}</td><td class="num"><b>{escape(s.value)}</b></td>'
        f'<td class="wrap">{escape(s.means)}</td></tr>'
        for s in facts.scores
    )
    table = _table(("figure", "value", "meaning"), rows)
    return (
        element("h2", "Against the truth")
        + element("p", "What <code>gw evaluate sites</code> found.")
        + element("div", table, "scroll")
    )


def coverage_section(facts: ReportFacts) -> str:
    """Return what was looked at and what was not, in plain words."""
    found = facts.coverage
    if found is None:
        unknown = "How much of the region has scores was not counted: <code>gw stitch</code> does."
        body = element("p", unknown) + _untracked(facts) + _left_out(facts)
        return element("h2", "Gaps and coverage") + element("div", body, "card")
    whole = max(1, found.region_px)
    shares = (found.scored_px / whole, found.no_imagery_px / whole, found.gap_px / whole)
    names = ("g-scored", "g-none", "g-gap")
    gauge = "".join(f'<i class="{n}" style="width:{s:.3%}"></i>' for n, s in zip(names, shares, strict=True))
    body = element("div", gauge, "gauge") + _coverage_words(found, shares) + _untracked(facts) + _left_out(facts)
    return (
        element("h2", "Gaps and coverage")
        + element(
            "p", f"All pixels of the region on all of its {many(found.planes, 'plane')} (dates and grids) together."
        )
        + element("div", body, "card")
    )


def _coverage_words(found: Coverage, shares: tuple[float, float, float]) -> str:
    lines = [
        f"{shares[0]:.1%} has scores ({found.scored_px:,} of {found.region_px:,} pixels).",
        f"{shares[1]:.1%} has no valid imagery, such as clouds or the edge of a scene: nothing can be found there."
        if found.no_imagery_px
        else "There is valid imagery everywhere.",
    ]
    text = "".join(element("p", line) for line in lines)
    if found.missing:
        gap = f"{shares[2]:.1%} lies in tiles that are missing: {_named(found.missing)}. {_CUT_OFF}"
        text += element("p", gap, "ko")
    else:
        text += element("p", "No tile of the heatmap is missing.", "ok")
    if found.bare:
        text += element("p", f"No imagery at all on grid {escape(', '.join(found.bare))}.", "ko")
    return text


def _named(tiles: tuple[str, ...]) -> str:
    """Return the first names of tiles, and how many more there are."""
    more = f" and {len(tiles) - _NAMED:,} more" if len(tiles) > _NAMED else ""
    return ", ".join(f"<code>{escape(name)}</code>" for name in tiles[:_NAMED]) + more


def _untracked(facts: ReportFacts) -> str:
    lines = []
    if facts.untracked:
        lines.append(f"{many(len(facts.untracked), 'tile')} not tracked: {_named(facts.untracked)}. {_CUT_OFF}")
    if facts.scoreless:
        lines.append(f"{many(len(facts.scoreless), 'tile')} without scores on some dates: {_named(facts.scoreless)}.")
    if facts.bare and facts.coverage is None:
        lines.append(f"No imagery at all on grid {escape(', '.join(facts.bare))}.")
    return "".join(element("p", line, "ko") for line in lines)


def _left_out(facts: ReportFacts) -> str:
    if not any(facts.left_out.values()):
        return ""
    why = ", ".join(f"{count:,} for their {escape(name)}" for name, count in facts.left_out.items() if count)
    return element("p", f"Places that were tracked and became no site: {why}.")


def files_section(facts: ReportFacts) -> str:
    """Return the files beside the page."""
    rows = "".join(
        f'<tr><td><a href="{escape(name, quote=True)}">{escape(name)}</a></td><td class="num">{size(length)}</td>'
        f'<td class="wrap">{escape(what)}</td></tr>'
        for name, length, what in facts.files
    )
    if not rows:
        return ""
    table = _table(("file", "size", "what it is"), rows)
    return (
        element("h2", "Files")
        + element("p", "They lie beside this page and open as they are.")
        + element("div", table, "scroll")
    )


def lineage_section(facts: ReportFacts) -> str:
    """Return what the sites come from."""
    if not facts.lineage:
        return ""
    rows = "".join(f"<dt>{escape(name)}</dt><dd><code>{escape(value)}</code></dd>" for name, value in facts.lineage)
    return (
        element("h2", "Lineage")
        + element("p", "The same digests give the same sites, however the region was cut and whoever computed it.")
        + element("div", f"<dl>{rows}</dl>", "card")
    )


def _table(heads: tuple[str, str, str], rows: str) -> str:
    """Return a table whose second column holds numbers."""
    head = f'<tr><th>{heads[0]}</th><th class="num">{heads[1]}</th><th>{heads[2]}</th></tr>'
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"
