"""Every option that more than one command has, declared once, with its unit and its default.

Options have no value unless they are given: defaults live in the configurations alone, and the help repeats
them as ``[default: ...]``, which a test compares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from gw_cli.session import Session
from gw_cli.values import (
    BYTES,
    COUNT,
    DATE,
    FLOATS,
    INTS,
    NAMES,
    OVERLAP,
    PAIR,
    SHARD,
    SHARE,
    is_share,
)

__all__ = ["BACKENDS", "BARE", "COUNT", "PRECISIONS", "combine", "common", "flag", "option"]

F = TypeVar("F", bound=Callable[..., Any])
Decorator = Callable[[F], F]

BACKENDS = ("auto", "all", "onnxruntime", "openvino", "inductor", "aotinductor", "eager", "tensorrt")
"""What ``--jit`` takes."""
PRECISIONS = ("fp32", "bf16", "fp16", "int8")
"""What ``--precision`` takes."""


@dataclass(frozen=True)
class Bare:
    """An option whose value may be left out."""

    value: str
    """What it then stands for."""
    takes: Callable[[str], bool]
    """Whether a word that follows is its value, and no argument of the command."""


def _may_be_a_name(word: str) -> bool:
    """Whether a word is a backend, or was meant for one: regions are files."""
    return word in BACKENDS or (word.isalnum() and not Path(word).exists())


BARE = {
    "--jit": Bare("auto", _may_be_a_name),
    "--require-coverage": Bare("100%", is_share),
}


def option(*names: str, **attrs: Any) -> Callable[[F], F]:  # noqa: ANN401
    """Declare an option that has no value unless it is given."""
    return click.option(*names, **{"default": None, **attrs})


def flag(*names: str, **attrs: Any) -> Callable[[F], F]:  # noqa: ANN401
    """Declare a switch; not giving it leaves the configuration alone."""
    return click.option(*names, **{"default": None, "is_flag": True, "flag_value": True, "type": bool, **attrs})


def combine(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    """Apply options so that the help lists them in this order."""

    def apply(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


def _set_session(name: str) -> Callable[[click.Context, click.Parameter, bool], None]:
    def store(ctx: click.Context, _option: click.Parameter, value: bool) -> None:
        session = ctx.find_object(Session)
        if value and session is not None:
            setattr(session, name, True)

    return store


def _speech(name: str, text: str) -> Callable[[F], F]:
    attrs: dict[str, Any] = {"is_flag": True, "is_eager": True, "expose_value": False}
    return click.option(f"--{name.replace('_', '-')}", callback=_set_session(name), help=text, **attrs)


log_json = _speech("log_json", "Write progress, notes and errors as JSON lines.")
debug = _speech("debug", "Show the traceback of an error.")
config = option("--config", metavar="FILE", help="YAML file of keys and values.")
settings = option("--set", multiple=True, metavar="KEY=VALUE", help="Set one key; wins over --config.")

common = combine(config, settings, log_json, debug)
"""What every command has that fills a configuration."""

run = option(
    "--run",
    metavar="DIR",
    help="Run folder, where each command finds what the last one left.  [default: gw-run]",
)
dry_run = flag("--dry-run", help="Show the plan and its cost; write nothing.")
fsync = flag("--fsync", help="Make results survive a loss of power too.")

as_json = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")

images = option(
    "--images",
    multiple=True,
    metavar="PATH",
    help="Folder, glob or file of imagery, a STAC item or catalog, or a kwcoco bundle; https:// and s3:// too; may be "
    "repeated.",
)
video = option("--video", metavar="NAME", help="Series of a kwcoco bundle to take.  Left out: all.")
date = option("--date", multiple=True, type=DATE, help="Only images of this day; may be repeated.")
latest = flag("--latest", help="Only the latest day that qualifies.")
max_cloud = option("--max-cloud", type=float, metavar="PERCENT", help="Only scenes at most this cloudy, 0 to 100.")
selection = combine(date, latest, max_cloud)
"""Which of the images."""

sensor = option("--sensor", metavar="NAME", help="Sensor, where the files do not say it, such as sentinel-2.")
bands = option("--bands", type=NAMES, help="Common names of the bands in their order, such as blue,green,red.")
stack = option("--stack", type=NAMES, metavar="DAY,...", help="Days of files that hold the bands of day after day.")
scale = option("--scale", type=float, help="Physical value of one digital number; wins over the files.")
offset = option("--offset", type=float, help="Physical value of digital number 0; wins over the files.")
nodata = option("--nodata", type=float, help="Digital number that stands for no data; wins over the files.")
sun_elevation = option(
    "--sun-elevation",
    type=float,
    metavar="DEGREES",
    help="Sun above the horizon, where the files do not say it (Landsat level 1).",
)
mask = option(
    "--mask",
    type=NAMES,
    help="What the product's mask hides: fill, saturated, cloud, cirrus, shadow, snow, water, dark.  [default: fill]",
)
mask_band = option("--mask-band", metavar="NAME", help="Band that is a mask, for products that gw does not know.")
mask_values = option("--mask-values", type=INTS, help="Numbers of the mask band that hide a pixel.")
mask_bits = option("--mask-bits", type=int, metavar="BITS", help="Hide pixels with any of these bits of the mask band.")
masks = combine(mask, mask_band, mask_values, mask_bits)
"""What hides pixels."""

s3_endpoint = option("--s3-endpoint", metavar="URL", help="S3 service other than Amazon's, such as https://host:9000.")
s3_region = option("--s3-region", metavar="NAME", help="Region of the buckets, where the service does not tell it.")
anonymous = flag("--anonymous", help="Read buckets without credentials: open data.")
requester_pays = flag("--requester-pays", help="Pay for what is read from buckets whose owner does not.")
timeout = option("--timeout", type=float, metavar="SECONDS", help="Longest wait for a server.  [default: 30.0]")
remote = combine(s3_endpoint, s3_region, anonymous, requester_pays, timeout)
"""How imagery that is elsewhere is reached."""

domain_field = option(
    "--domain-field",
    metavar="NAME",
    help="Normalise by this: sensor, channels, month, year, or a field of a bundle's images or STAC items; as in gw "
    "dataset stats --domain.  Left out: sensor.",
)

imagery = combine(
    images, video, selection, sensor, bands, stack, scale, offset, nodata, sun_elevation, masks, domain_field, remote
)
"""Where the images are, which of them, and what their numbers mean."""

resampling = option(
    "--resampling",
    type=click.Choice(["nearest", "bilinear", "cubic", "average", "lanczos"]),
    help="How pixels are put onto the grid.  [default: bilinear]",
)
composite = option(
    "--composite",
    type=click.Choice(["first", "median", "least-cloudy"]),
    help="Which value wins where scenes of one day overlap.  [default: first]",
)
reading = combine(resampling, composite)
"""How images become a cube."""

model = option("--model", metavar="PACKAGE", help="Model package: a folder with manifest.json.")
jit = option(
    "--jit",
    is_flag=False,
    flag_value="auto",
    type=click.Choice(BACKENDS),
    help="Backend of the network; alone, the fastest here of those that are quick to compile or in the cache; "
    "all: of every one.",
)
precision = option(
    "--precision",
    type=click.Choice(PRECISIONS),
    help="Number type of the network. Left out: fp32, or with --jit alone any that passes the gate.",
)
device = option("--device", metavar="DEVICE", help="Device of the network: cpu, cuda or cuda:1. Left out: cpu.")
cache = option("--cache", metavar="DIR", help="Folder of compiled networks. Left out: GW_CACHE, else ~/.cache/gw.")
window = option("--window", type=COUNT, metavar="PX", help="Side of the network's windows in pixels.")
overlap = option("--overlap", type=OVERLAP, help="Overlap of windows: pixels from 1, or a share below 1 (0.25, 25%).")
blend = option(
    "--blend",
    type=click.Choice(["hann", "gaussian", "linear", "crop", "mean"]),
    help="Weights by which overlapping windows are joined.",
)
stored = option(
    "--stored",
    type=click.Choice(["uint8", "uint16", "float16", "float32"]),
    help="Type of the heatmap's values; part of the recipe.",
)
batch = option(
    "--batch",
    type=COUNT,
    metavar="WINDOWS",
    help="Windows in one call of the network; it changes no value. Left out: 4, or as measured.",
)
min_score = option(
    "--min-score", type=float, metavar="SCORE", help="Drop boxes with a lower score, 0 to 1. Left out: as the package."
)
network = combine(model, jit, precision, device, cache, window, overlap, blend, stored, min_score, batch)
"""What the network sees, and who runs it."""

tta = option(
    "--tta",
    type=NAMES,
    help="Show each window in several ways: hflip, vflip, rot90, d4, scale:FACTOR, time; they combine.",
)
tta_vote = option(
    "--tta-vote",
    type=click.Choice(["soft", "hard"]),
    help="Join the answers by their mean, or by how many name a class. Left out: soft.",
)
tta_space = option(
    "--tta-space",
    type=click.Choice(["probability", "logit"]),
    help="What the mean is taken of. Left out: probability.",
)
member = option(
    "--member", multiple=True, metavar="PACKAGE", help="Package that answers as well (an ensemble); may be repeated."
)
uncertainty = option(
    "--uncertainty",
    type=NAMES,
    help="Store how unsure the answer is, from entropy, tta, ensemble or mc-dropout; several are several planes.",
)
passes = option("--passes", type=COUNT, help="Passes with dropout for mc-dropout. Left out: 8.")
seed = option("--seed", type=int, help="Seed of the dropout's noise. Left out: 0.")
features = option(
    "--features", metavar="LAYER", help="Store the activations of a layer; gw model show --layers lists them."
)
looks = combine(tta, tta_vote, tta_space, member, uncertainty, passes, seed, features)
"""In which ways windows are looked at, and what is stored beside scores."""

workers = option(
    "--workers",
    type=COUNT,
    help="Worker processes; 1 works in this process, without Dask. Left out: one for every 4 cores.",
)
threads = option(
    "--threads",
    type=COUNT,
    help="Threads of each network; part of the recipe where values depend on them. Left out: its share of the cores.",
)
scheduler = option("--scheduler", metavar="ADDRESS", help="Dask scheduler to work on, such as tcp://host:8786.")
shard = option("--shard", type=SHARD, help="Only share i of n of the work, counted from 1, such as 1/4.")
memory = option("--memory", type=BYTES, help="Memory that a worker may take, such as 2GB; work is cut to fit.")
in_memory = flag("--in-memory", help="Stitch in memory instead of in bands of rows; the same values.")
work = combine(workers, threads, scheduler, shard, memory, in_memory)
"""Where and how the work is done."""

require_coverage = option(
    "--require-coverage",
    is_flag=False,
    flag_value="100%",
    type=SHARE,
    help="Fail where less of the region has imagery; alone, where any of it has none.",
)
allow_gaps = flag("--allow-gaps", help="Finish although tiles are missing; coverage.json lists them.")
coverage = combine(require_coverage, allow_gaps)
"""Which holes are allowed."""
pictures = combine(
    flag("--probability/--no-probability", help="Write the scores of each class too.  [default: true]"),
    flag("--quicklook/--no-quicklook", help="Draw quicklook.png.  [default: true]"),
)
"""What is made beside the map."""

region = click.argument("region", required=False, type=click.Path())
grid = combine(
    option(
        "--resolution",
        type=float,
        metavar="UNITS",
        help="Side of a pixel in units of the CRS: metres in UTM.",
    ),
    option("--crs", help="CRS of the grid, such as EPSG:32618. Left out: that of the images, else UTM."),
    option("--origin", type=PAIR, metavar="Y,X", help="A corner of some pixel, in units of the CRS."),
    option("--tile-size", type=COUNT, metavar="PX", help="Side of a tile in pixels. Left out: 2048."),
)
"""Where the pixels are."""
prices = combine(
    option("--rates", metavar="FILE", help="JSON file with speeds and prices of machines."),
    option("--machine", metavar="NAME", help="Machine of the rates that time and price are for."),
)
"""What the estimate is made with."""
geojson = flag("--geojson", help="Write plan/tiles.geojson as well.")

norm = combine(
    option(
        "--domain",
        type=NAMES,
        metavar="[SENSOR=]DOMAIN,...",
        help="Use the package's statistics of this domain, for a sensor or for all. Left out: of each sensor.",
    ),
    option("--mean", type=FLOATS, help="Mean of each channel, instead of the package's."),
    option("--std", type=FLOATS, help="Standard deviation of each channel, instead of the package's."),
)
"""How imagery is normalised, by hand."""
