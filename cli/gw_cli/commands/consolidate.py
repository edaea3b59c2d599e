"""``gw consolidate``: what was tracked in all tiles as the sites of the region."""

from __future__ import annotations

import click

from gw_cli import options
from gw_cli.deliver_options import deliver
from gw_cli.lazy import command as gw_command
from gw_cli.results import sites_made
from gw_cli.session import Session

_AREA = "M2"


@gw_command(
    "consolidate",
    config="geowatch.stages.sites.config:ConsolidateConfig",
    examples="""
    gw consolidate
    gw consolidate --min-area 9000 --fill-holes 2000 --min-days 60
    gw consolidate --previous last-month/gw-run --region-id KR_R001
    gw consolidate --phases viterbi --transitions phases.yaml --simplify 0.5
    gw consolidate --outputs parquet,gpkg,report --report-sites 200
    gw consolidate --previous last-month/gw-run --dry-run
    """,
)
@options.run
@options.option("--previous", metavar="RUN", help="Run folder of earlier sites, which go on under their ids.")
@options.flag("--allow-gaps", help="Make sites although tiles are missing; sites/gaps.json lists them.")
@options.option("--min-area", type=float, metavar=_AREA, help="Smallest area in square metres.  [default: 0.0]")
@options.option("--max-area", type=float, metavar=_AREA, help="Largest area in square metres.")
@options.option("--fill-holes", type=float, metavar=_AREA, help="Fill holes smaller than this.  [default: 0.0]")
@options.option("--min-days", type=int, metavar="DAYS", help="Shortest time from start to end.  [default: 0]")
@options.option("--max-days", type=int, metavar="DAYS", help="Longest time from start to end.")
@options.option("--min-score", type=float, metavar="SCORE", help="Least mean score, 0 to 1.  [default: 0.0]")
@options.option(
    "--link-overlap",
    type=float,
    metavar="SHARE",
    help="Outlines of two times are one site where they share more than this part of the smaller. "
    "Left out: 0, and 0.25 for detected objects.",
)
@options.option(
    "--phases",
    type=click.Choice(["none", "argmax", "viterbi"]),
    help="Phases by the best class of each date, or by the likeliest sequence. Left out: viterbi for the four "
    "phases of construction, else none.",
)
@options.option("--transitions", metavar="FILE", help="YAML or JSON file: phases, and how they follow each other.")
@options.option(
    "--active-score",
    type=float,
    metavar="SCORE",
    help="Without phases: mean score from which a site is active. Left out: the low threshold of tracking.",
)
@options.option("--simplify", type=float, metavar="PX", help="Corners may move by this.  [default: 0.0]")
@options.option("--status", metavar="STATUS", help="Status of sites.  [default: system_confirmed]")
@options.flag("--deliver/--no-deliver", help="Write GeoParquet, SMART models and the rest.  [default: true]")
@deliver
@options.fsync
@options.dry_run
@options.common
@click.pass_context
def command(ctx: click.Context, /, **given: object) -> None:
    """Join what was tracked in all tiles into the sites of the region.

    Leaves sites/sites.arrow and sites/observations.arrow in the run folder, and what is made of them: GeoParquet,
    GeoPackage, FlatGeobuf, GeoJSON, SMART site and region models, tables, a picture, a STAC collection, and
    sites/report.html.
    """
    from geowatch.stages.consolidate import consolidate
    from geowatch.stages.sites.foreseen import summary

    session: Session = ctx.obj
    done = consolidate(session.configure(ctx, given), session.events)
    if done.foreseen is not None:
        session.table(summary(done.foreseen))
        if done.foreseen.refused is not None:
            raise done.foreseen.refused
        return
    session.made(sites_made(done))
