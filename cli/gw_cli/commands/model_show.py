"""``gw model show``: what a package holds."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gw_cli import options
from gw_cli.lazy import command as gw_command
from gw_cli.progress import in_bytes
from gw_cli.session import Session

if TYPE_CHECKING:
    from geowatch.package.manifest import Manifest
    from geowatch.stages.model.packages import ModelSummary


@gw_command(
    "show",
    examples="""
    gw model show pkg/
    gw model show pkg/ --json
    gw model show pkg/ --layers
    """,
)
@click.argument("package", type=click.Path())
@click.option("--layers", is_flag=True, help="List the layers that predict --features can store, with their shapes.")
@options.as_json
@options.log_json
@options.debug
@click.pass_obj
def command(session: Session, package: str, as_json: bool, layers: bool) -> None:
    """Show what a package holds."""
    from geowatch.stages.model.packages import show_model

    if layers:
        _list_layers(session, package, as_json=as_json)
        return
    found = show_model(Path(package))
    if as_json:
        session.made(json.dumps(found.manifest.model_dump(mode="json"), indent=1))
    else:
        session.table(_rows(found))


def _list_layers(session: Session, package: str, *, as_json: bool) -> None:
    from geowatch.package import load_package
    from geowatch.package.layers import layers_of

    found = layers_of(load_package(package))
    if as_json:
        session.made(json.dumps([asdict(layer) for layer in found], indent=1))
        return
    session.made(f"{'numbers':>8}{'every px':>10}  {'made by':<20}layer")
    session.made(f"{layer.channels:>8,}{layer.reduction:>10}  {layer.operator:<20}{layer.name}" for layer in found)


def _series(manifest: Manifest) -> list[tuple[str, str]]:
    """Say how dates are picked out of a series, and which imagery there are statistics of."""
    series = manifest.series
    domains = list(dict.fromkeys(name for each in manifest.inputs for name in each.domains))
    rows = [("domains", ", ".join(domains))] if domains else []
    if series is None:
        return rows
    span = "any span" if series.span_days is None else f"{series.span_days} days"
    step = "each frame" if series.step_days is None else f"every {series.step_days} days"
    said = (
        f"{manifest.dates} dates, {series.sampling}, of {span} (anchor {series.anchor:g}), {step}, keep {series.keep}"
    )
    return [("series", said), *rows]


def _rows(found: ModelSummary) -> list[tuple[str, str]]:
    manifest = found.manifest
    window = manifest.window
    size = " x ".join(str(side) for side in window.size)
    sizes = "only" if window.fixed else f"or other multiples of {window.multiple_of}"
    return [
        ("name", f"{manifest.name} {manifest.version}"),
        ("license", manifest.license or "not given"),
        ("digest", found.digest),
        *[("input", f"{each.name}: {', '.join(each.bands)} of date {each.date}") for each in manifest.inputs],
        *[("head", f"{each.name}: {', '.join(each.classes)} ({each.activation})") for each in manifest.heads],
        *[("objects", f"{each.name}: {', '.join(each.objects)} (from {each.min_score:g})") for each in manifest.boxes],
        *_series(manifest),
        ("window", f"{size} px {sizes}, overlap {window.overlap:g}, {window.blend}"),
        ("backends", ", ".join(found.backends) or "none on this machine"),
        ("files", f"{len(manifest.files)}, {in_bytes(found.total_bytes)}"),
    ]
