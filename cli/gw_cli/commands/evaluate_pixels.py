"""``gw evaluate pixels``: a map against the truth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from gw_cli import options
from gw_cli.lazy import command as gw_command
from gw_cli.session import Session
from gw_cli.values import DATE, NAMES

if TYPE_CHECKING:
    from geowatch.stages.evaluate.pixels import Evaluated


@gw_command(
    "pixels",
    config="geowatch.stages.evaluate.pixels:EvaluateConfig",
    examples="""
    gw evaluate pixels --truth labels.tif
    gw evaluate pixels --truth labels.tif --mapping 0=shadow,4=cloud,rest=background
    gw evaluate pixels --truth labels.tif --map other/map.tif --regions districts.geojson
    gw evaluate pixels --truth labels-by-day --run series
    """,
)
@options.option(
    "--truth", metavar="FILE", help="Raster of classes, on any grid; or a folder of them with days in their names."
)
@options.run
@options.option("--map", metavar="FILE", help="Map to evaluate: one of the run's, or any raster of classes.")
@options.option("--date", multiple=True, type=DATE, help="Only the map of this day; may be repeated.")
@options.option("--probability", metavar="FILE", help="Its scores, one band a class. Left out: those beside the map.")
@options.option("--uncertainty", metavar="FILE", help="Its uncertainty. Left out: that beside the map.")
@options.option("--classes", type=NAMES, help="Names of the map's values from 0 on, where the file has none.")
@options.option(
    "--mapping", type=NAMES, metavar="VALUE=CLASS,...", help="What the truth's values mean; rest=CLASS for all others."
)
@options.option("--truth-nodata", type=float, help="Value of the truth that means nothing, beside the file's own.")
@options.option("--regions", metavar="GEOJSON", help="Polygons to give figures for, one by one, too.")
@options.option("-o", "--output", metavar="DIR", help="Folder of the results. Left out: evaluation in the run folder.")
@options.common
@click.pass_context
def command(ctx: click.Context, /, **given: object) -> None:
    """Compare a map with the truth, pixel by pixel.

    Prints a table, and leaves pixels.json and pixels.png: confusion of classes, reliability of scores, and how
    well uncertainty foretells errors. Pixels without truth or without a class are counted, not compared.
    """
    from geowatch.stages.evaluate.pixels import evaluate_pixels

    session: Session = ctx.obj
    found = evaluate_pixels(session.configure(ctx, given), session.events)
    session.made(_lines(found))
    session.made(found.files)


def _lines(found: Evaluated) -> Iterator[str]:
    coverage = found.coverage
    yield (
        f"compared    {coverage['compared_px']:,} pixels: {coverage['share_of_truth']:.1%} of the truth, "
        f"{coverage['share_of_map']:.1%} of the map"
    )
    if coverage["unmapped_px"]:
        counts = ", ".join(f"{value}: {count:,}" for value, count in coverage["unmapped_px"].items())
        yield f"left out    values of the truth without a class: {counts}"
    for day, figures in found.dates.items():
        named = {"accuracy": "accuracy", "kappa": "kappa", "mean IoU": "mean_iou"}
        yield f"{day}: " + ", ".join(f"{name} {figures[key]:.4f}" for name, key in named.items())
    yield from _table("all", found.overall)
    for name, figures in found.regions.items():
        yield from _table(name, figures)


def _table(name: str, figures: dict[str, Any]) -> Iterator[str]:
    yield (
        f"{name}: accuracy {figures['accuracy']:.4f}, kappa {figures['kappa']:.4f}, "
        f"mean IoU {figures['mean_iou']:.4f}, calibration error {figures['calibration_error']:.4f}"
    )
    yield f"{'class':<16}{'IoU':>8}{'F1':>8}{'prec.':>8}{'recall':>8}{'AP':>8}{'AUROC':>8}{'calib.':>8}{'pixels':>14}"
    for label, row in figures["classes"].items():
        keys = ("iou", "f1", "precision", "recall", "average_precision", "auroc", "calibration_error")
        cells = "".join(f"{'-' if row[key] is None else format(row[key], '.4f'):>8}" for key in keys)
        yield f"{label:<16}{cells}{row['truth_px']:>14,}"
    for kind, row in figures["uncertainty"].items():
        kept = ", ".join(f"{rate:.2%} of {float(share):.0%}" for share, rate in row["error_rate_at"].items())
        yield f"uncertainty {kind}: AUROC of errors {row['auroc']:.4f}; wrong: {kept} kept"
