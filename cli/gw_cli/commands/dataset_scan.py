"""``gw dataset scan``: what imagery there is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from gw_cli import dataset_options, options
from gw_cli.lazy import command as gw_command
from gw_cli.session import Session
from gw_cli.words import counted

if TYPE_CHECKING:
    from geowatch.datasets.scanning import Row, Summary
    from geowatch.stages.dataset.scan import Scanned

#: Rows that are printed; files hold all.
_MOST = 200


@gw_command(
    "scan",
    config="geowatch.stages.dataset.scan:ScanConfig",
    examples="""
    gw dataset scan scenes/
    gw dataset scan scenes/ items.json data.kwcoco.json -o all.kwcoco.json
    gw dataset scan series/ --mask-band clm --mask-values 1 --start 2016-01-01 --json
    """,
)
@dataset_options.sources
@dataset_options.choice
@options.option(
    "-o", "--output", metavar="FILE", help="Write it, by the ending: .kwcoco.json, .kwcoco.zip, .csv, .geojson, .json."
)
@options.as_json
@options.common
@click.pass_context
def command(ctx: click.Context, /, as_json: bool, **given: object) -> None:
    """List the imagery of folders, catalogs and bundles.

    SOURCE is what --images takes elsewhere: folders, globs, files, STAC documents, kwcoco bundles, addresses.
    Shows sensors, days, bands, resolution, extent and cloud, and what is odd: what cannot be read, has no date or
    no place, lacks bands, or is there twice. With -o and a kwcoco ending it becomes a bundle.
    """
    from geowatch.stages.dataset.scan import scan_dataset, scan_document

    session: Session = ctx.obj
    found = scan_dataset(session.configure(ctx, given), session.events)
    session.made(json.dumps(scan_document(found), indent=1) if as_json else _lines(found))


def _lines(found: Scanned) -> Iterator[str]:
    width = max(len(row.id) for row in found.rows)
    for row in found.rows[:_MOST]:
        yield _row(row, width)
    if len(found.rows) > _MOST:
        yield f"... and {len(found.rows) - _MOST} more; -o FILE.csv lists all"
    yield from map(_summary, found.sensors)
    yield from _problems(found)
    if found.file is not None:
        yield found.file


def _problems(found: Scanned) -> Iterator[str]:
    """Yield each problem once, with the first scenes that have it."""
    together: dict[str, list[str]] = {}
    for problem in found.problems:
        together.setdefault(problem.what, []).append(problem.where)
    for what, names in together.items():
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        yield f"problem: {', '.join(names[:3])}{more}: {what}"


def _row(row: Row, width: int) -> str:
    cloud = "-" if row.cloud_percent is None else f"{row.cloud_percent:.0f}%"
    size = f"{row.shape[0]} x {row.shape[1]} at {row.pixel:g}"
    when = (row.time or "no date")[:16].replace("T", " ")
    return f"{row.id:<{width}}  {when:<16}  {row.sensor:<16}  {size:<22}  cloud {cloud:>4}  {','.join(row.bands)}"


def _span(each: Summary) -> str:
    if not each.first:
        return "no dates"
    last = "" if each.first == each.last else f" to {each.last}"
    return f"{counted(each.days, 'day')}, {each.first}{last}"


def _summary(each: Summary) -> str:
    days = _span(each)
    gap = f", longest gap {counted(each.longest_gap_days, 'day')}" if each.longest_gap_days else ""
    cloud = "" if each.cloud_percent is None else f", mean cloud {each.cloud_percent:.0f}%"
    place = ""
    if each.extent is not None:
        west, south, east, north = each.extent
        place = f", {west:.4f} to {east:.4f} E, {south:.4f} to {north:.4f} N"
    return f"{each.sensor}: {counted(each.scenes, 'image')} on {days}{gap}{cloud}{place}"
