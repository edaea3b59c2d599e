"""Options on what is made of sites, for every command that makes something of them."""

from __future__ import annotations

from gw_cli.options import COUNT, combine, option
from gw_cli.values import BYTES, NAMES

__all__ = ["deliver"]

deliver = combine(
    option(
        "--outputs",
        type=NAMES,
        help="What to write: parquet, fgb, gpkg, geojson, smart, summary, picture, mosaic, stac, report. "
        "Left out: all that fit the region.",
    ),
    option("--region-id", metavar="ID", help="Region id in ids of sites, such as KR_R001; SMART takes only such ids."),
    option("--originator", metavar="CODE", help="Who proposes the sites, in SMART documents.  [default: kit]"),
    option("--geojson-bytes", type=BYTES, help="Largest GeoJSON that is written.  [default: 64000000]"),
    option(
        "--mosaic-crs",
        metavar="CRS",
        help="CRS of the joined maps. Left out: EPSG:4326 where the region spans several zones, else none is made.",
    ),
    option(
        "--mosaic-aggregate",
        metavar="HOW",
        help="How a series becomes one joined map: latest (date), latest-valid (each pixel's latest score), or mean, "
        "max, median or norm:P of all dates that were tracked.  [default: latest]",
    ),
    option("--report-sites", type=COUNT, help="Sites that the report shows with a time line.  [default: 60]"),
)
"""Which files, and how."""
