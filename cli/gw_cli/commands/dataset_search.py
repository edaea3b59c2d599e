"""``gw dataset search``: imagery of a STAC API for a region."""

from __future__ import annotations

import click

from gw_cli import options
from gw_cli.lazy import command as gw_command
from gw_cli.session import Session
from gw_cli.values import COUNT, DATE
from gw_cli.words import counted


@gw_command(
    "search",
    config="geowatch.stages.dataset.search:SearchConfig",
    examples="""
    gw dataset search region.geojson --stac https://host/stac/v1 --collection sentinel-2-l2a --max-cloud 40
    gw dataset search region.geojson --stac https://host/stac --start 2020-01-01 --end 2020-12-31 -o 2020.json
    gw dataset search region.geojson --stac https://host/stac --sign planetary_computer:sign
    """,
)
@options.region
@options.option("--stac", metavar="URL", help="Address of the STAC API.")
@options.option("--collection", multiple=True, metavar="ID", help="Collection to look in; may be repeated.")
@options.option("--start", type=DATE, help="First day. Left out: the region's.")
@options.option("--end", type=DATE, help="Last day. Left out: the region's.")
@options.option("--max-cloud", type=float, metavar="PERCENT", help="Most cloud of an item, 0 to 100.")
@options.option("--limit", type=COUNT, metavar="ITEMS", help="Most items.")
@options.option("--sign", metavar="HOOK", help="Function that signs items: module:function, or an entry point's name.")
@options.flag("--requester-pays", help="Keep items whose files you pay for reading.")
@options.option("--retries", type=int, metavar="TIMES", help="How often a request is tried again.  [default: 6]")
@options.option("--timeout", type=float, metavar="SECONDS", help="Longest wait for an answer.  [default: 30.0]")
@options.option("-o", "--output", metavar="FILE", help="ItemCollection to write.  [default: items.json]")
@options.common
@click.pass_context
def command(ctx: click.Context, /, **given: object) -> None:
    """Find imagery of a region in a STAC API.

    REGION is a GeoJSON file. What is found becomes a file that --images takes: gw run --images items.json. No
    image is fetched.
    """
    from geowatch.stages.dataset.search import search_imagery

    session: Session = ctx.obj
    done = search_imagery(session.configure(ctx, given), session.events)
    session.made(f"{done.file}: {counted(done.items, 'item')} of {counted(done.days, 'day')}")
