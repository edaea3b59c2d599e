"""Options that the commands of ``gw dataset`` share: where imagery is, and which of it."""

from __future__ import annotations

import click

from gw_cli import options
from gw_cli.options import combine, option
from gw_cli.values import DATE, FLOATS, NAMES

__all__ = ["choice", "sources"]

_places = click.argument("images", nargs=-1, metavar="SOURCE...")

sources = combine(
    _places, options.video, options.sensor, options.bands, options.stack, options.scale, options.offset,
    options.nodata, options.sun_elevation, options.masks, options.remote,
)  # fmt: skip
"""Where imagery is, and what its numbers mean."""

choice = combine(
    options.selection,
    option("--start", type=DATE, help="First day to take."),
    option("--end", type=DATE, help="Last day to take."),
    option("--region", metavar="GEOJSON", help="Polygon that images overlap; its time range holds, too."),
    option("--bbox", type=FLOATS, metavar="W,S,E,N", help="Box in degrees that images overlap."),
    option("--only-sensor", type=NAMES, metavar="NAME", help="Only images of these sensors."),
    option("--channels", type=NAMES, help="Only these bands, such as red,nir; masks stay."),
)
"""Which of the imagery."""
