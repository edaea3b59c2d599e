"""``gw evaluate sites``: proposed sites against true ones."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from gw_cli import options
from gw_cli.lazy import command as gw_command
from gw_cli.session import Session
from gw_cli.values import FLOATS, NAMES

if TYPE_CHECKING:
    from geowatch.stages.evaluate.sites import EvaluatedSites


@gw_command(
    "sites",
    config="geowatch.stages.evaluate.sites:EvaluateSitesConfig",
    examples="""
    gw evaluate sites --truth smart --proposals gw-run -o scores
    gw evaluate sites --truth smart --region BR_R002 --proposals gw-run -o scores
    gw evaluate sites --region BR_R002.geojson --truth site_models --proposals found -o scores
    gw evaluate sites --truth smart --proposals gw-run --tau 0.1,0.2,0.3 --rho 0.3,0.5
    """,
)
@options.option(
    "--region", multiple=True, metavar="PATH|ID",
    help="Region model, folder of them, or the id of one beside the truth. Left out: all those.",
)  # fmt: skip
@options.option(
    "--truth", multiple=True, metavar="PATH", help="True site models: files, folders or runs; may be repeated."
)
@options.option(
    "--proposals", multiple=True, metavar="PATH",
    help="Proposed site models: files, folders or runs; may be repeated.  [default: gw-run]",
)  # fmt: skip
@options.option("--tau", type=FLOATS, help="Overlap in space that a date needs; several: a sweep.  [default: 0.2]")
@options.option("--rho", type=FLOATS, help="Share of dates that need it; several: a sweep.  [default: 0.5]")
@options.option("--min-area", "min_area_m2", type=FLOATS, metavar="M2", help="Smallest proposal in m².  [default: 0.0]")
@options.option("--min-score", type=FLOATS, help="Smallest confidence of a proposal, 0 to 1.  [default: 0.0]")
@options.option("--tiop", type=FLOATS, help="Overlap in time over the proposal's days, 0 to 1.  [default: 0.1]")
@options.option("--tiot", type=FLOATS, help="Overlap in time over the truth's days, 0 to 1.  [default: 0.2]")
@options.option("--ttiop", type=FLOATS, help="As --tiop, for transient sites.  [default: 0.1]")
@options.option("--ttiot", type=FLOATS, help="As --tiot, for transient sites.  [default: 0.2]")
@options.option(
    "--small", "small_m2", type=float, metavar="M2", help="Ignore truth up to this size.  [default: 9000.0]"
)
@options.option("--truth-status", type=NAMES, help="Statuses of truth that take part. Left out: all.")
@options.option("--truth-without", type=NAMES, help="Statuses of truth that do not.")
@options.option(
    "--proposal-status", type=NAMES, help="Statuses of proposals that take part.  [default: system_confirmed]"
)
@options.option("--proposal-without", type=NAMES, help="Statuses of proposals that do not.")
@options.option(
    "--proposal-type", type=NAMES, metavar="A,...",
    help="How proposals lie against the region's days: A to E. Left out: all.",
)  # fmt: skip
@options.option("-o", "--output", metavar="DIR", help="Folder of the results. Left out: evaluation in the run folder.")
@options.as_json
@options.common
@click.pass_context
def command(ctx: click.Context, /, as_json: bool, **given: object) -> None:
    """Compare proposed sites with true ones, as the SMART programme does.

    Prints how many sites were found, missed and invented, and leaves evaluation.json, the programme's tables,
    map.png and times.png; with several values of a threshold also sweep.png. A file belongs to a region when its
    name has the region's id in it.
    """
    from geowatch.stages.evaluate.sites import evaluate_sites

    session: Session = ctx.obj
    found = evaluate_sites(session.configure(ctx, given), session.events)
    if as_json:
        session.made(json.dumps(asdict(found), indent=1))
        return
    session.made(_lines(found))
    session.made(found.files)


_COLUMNS = ("tp sites", "fn sites", "fp sites", "precision", "recall (PD)", "F1", "ffpa")
_HEADS = ("found", "missed", "false", "prec.", "recall", "F1", "FFPA")


def _lines(found: EvaluatedSites) -> Iterator[str]:
    heads = "".join(f"{head:>9}" for head in _HEADS)
    yield f"{'region':<12}{'subset':<11}{heads}"
    for region, subsets in found.regions.items():
        for subset, scores in subsets.items():
            yield _row(region, subset, scores["figures"])
    if len(found.regions) > 1:
        for subset, figures in found.together.items():
            yield _row("together", subset, figures)


def _row(region: str, subset: str, figures: Mapping[str, Any]) -> str:
    values = (figures[name] for name in _COLUMNS)
    cells = "".join(f"{value:>9}" if isinstance(value, int) else f"{value:>9.4f}" for value in values)
    return f"{region:<12}{subset:<11}{cells}"
