"""``gw demo sites``: from a simulated series to scored sites."""

from __future__ import annotations

import click

from gw_cli import options
from gw_cli.lazy import command as gw_command
from gw_cli.session import Session
from gw_cli.values import COUNT, DATE


@gw_command(
    "sites",
    config="geowatch.stages.demo.config:DemoSitesConfig",
    examples="""
    gw demo sites
    gw demo sites --seed 7 --cloudy 0.4 --out /tmp/sites
    gw demo sites --size-px 192 --tiles 1 --workers 1
    gw demo sites --region BR_R002.geojson --truth site_models/ --resolution 20 --revisit-days 20
    """,
)
@options.option("--out", metavar="DIR", help="Folder of series, package and run.  [default: gw-demo-sites]")
@options.option("--seed", type=int, help="What everything random depends on.  [default: 0]")
@options.option("--region", metavar="GEOJSON", help="SMART region model to simulate over. Left out: a made-up region.")
@options.option("--truth", multiple=True, metavar="PATH", help="Site models of that region, or a folder of them: what "
    "is built there, and what scores are taken against. Left out: the region model's summaries.")  # fmt: skip
@options.option("--size-px", type=COUNT, metavar="PX", help="Side of a made-up region in pixels.  [default: 384]")
@options.option(
    "--resolution", type=float, metavar="M",
    help="Side of a pixel in metres; the coarser of the two sensors has three times as much.  [default: 10.0]",
)  # fmt: skip
@options.option(
    "--revisit-days", type=COUNT, metavar="DAYS",
    help="Days from one pass of the finer sensor to the next; the coarser one's grow alike.  [default: 10]",
)  # fmt: skip
@options.option(
    "--cloudy",
    type=click.FloatRange(0, 0.95),
    metavar="SHARE",
    help="Share of all looks at a pixel under cloud or shadow, 0 to 1.  [default: 0.4]",
)
@options.option("--start", type=DATE, help="First day of the series. Left out: the region's, or 2017-01-01.")
@options.option("--end", type=DATE, help="Last day of the series. Left out: the region's, or 2020-12-31.")
@options.option(
    "--lat", type=float, metavar="DEGREES", help="Latitude of a made-up region: seasons follow it.  [default: 45.0]"
)
@options.option(
    "--tiles", type=COUNT, help="Tiles of the region: a square number, about as many for a real region.  [default: 9]"
)
@options.option(
    "--max-cloud", type=float, metavar="PERCENT", help="Only images at most this cloudy, 0 to 100.  [default: 70.0]"
)
@options.option("--model", metavar="PACKAGE", help="Another detector of the same classes. Left out: one that needs no "
    "training.")  # fmt: skip
@options.option(
    "--workers", type=COUNT, help="Worker processes; 1 works without Dask. Left out: as work and cores fit."
)
@options.common
@click.pass_context
def command(ctx: click.Context, /, **given: object) -> None:
    """Find building sites in a simulated series of images, and score them against the truth.

    Everything is made up from a seed: land, seasons, clouds, two sensors, building sites in their phases, and
    changes that are none. Over a real region, its documents say where and when. A detector that needs no training
    goes over it; then come tiles, tracking, consolidation, scores as the SMART programme has them, and a report.
    A second call finds what is done.
    """
    from geowatch.stages.demo.sites import demo_sites

    session: Session = ctx.obj
    done = demo_sites(session.configure(ctx, given), session.events)
    figures = done.figures
    session.made(
        f"simulation: F1 {done.f1:.3f}, {figures['tp sites']} found, {figures['fn sites']} missed, "
        f"{figures['fp sites']} false"
    )
    session.made((done.report, *done.files))
