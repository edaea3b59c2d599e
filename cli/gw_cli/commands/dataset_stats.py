"""``gw dataset stats``: statistics of bands, by domain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from gw_cli import dataset_options, options
from gw_cli.lazy import command as gw_command
from gw_cli.session import Session
from gw_cli.values import SHARE
from gw_cli.words import counted


@gw_command(
    "stats",
    config="geowatch.stages.dataset.stats:StatsConfig",
    examples="""
    gw dataset stats data.kwcoco.json -o stats.json
    gw dataset stats scenes/ --mask fill,cloud,shadow --share 10%
    gw dataset stats data.kwcoco.json --channels red,nir --domain region
    """,
)
@dataset_options.sources
@dataset_options.choice
@options.option(
    "--domain",
    metavar="NAME",
    help="What tells domains apart: sensor, channels, month, year, or a field of a bundle's images or of STAC items.  "
    "[default: sensor]",
)
@options.option("--share", type=SHARE, help="Share of the blocks of each image that is read.  [default: 1.0]")
@options.option("--seed", type=int, help="What blocks are drawn by.  [default: 0]")
@options.option("-o", "--output", metavar="FILE", help="JSON file to write.")
@options.common
@click.pass_context
def command(ctx: click.Context, /, **given: object) -> None:
    """Count mean, deviation and range of each band, by domain.

    In physical values, over all pixels that no mask hides. The JSON document holds histograms and quantiles too,
    and is what packages and predict take for normalisation per domain.
    """
    from geowatch.stages.dataset.stats import dataset_stats

    session: Session = ctx.obj
    config = session.configure(ctx, given)
    session.made(_lines(dataset_stats(config, session.events)["domains"]))
    if config.output is not None:
        session.made(config.output)


def _lines(domains: dict[str, Any]) -> Iterator[str]:
    for name, found in domains.items():
        yield f"{name}: {counted(found['scenes'], 'image')}, {found['count']:,} pixels"
        if not found["count"]:
            continue  # clouds or nodata hide all of it: there is no figure
        yield f"{'band':<16}{'mean':>12}{'std':>12}{'min':>12}{'2%':>12}{'50%':>12}{'98%':>12}{'max':>12}"
        for i, channel in enumerate(found["channels"]):
            spread = [found["quantiles"][share][i] for share in ("0.02", "0.5", "0.98")]
            row = (found["mean"][i], found["std"][i], found["min"][i], *spread, found["max"][i])
            yield f"{channel:<16}" + "".join(f"{value:>12.5g}" for value in row)
