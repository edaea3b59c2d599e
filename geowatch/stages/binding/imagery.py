"""Binding imagery to a run: which scenes, as which frames, read how.

The first stage that is given imagery pins it in ``imagery.json``: scenes with their fingerprints, frames with their
order, and for each grid the read plan of each frame. Every later stage and worker reads exactly that.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Literal

from pydantic import TypeAdapter

from geowatch.datasets.sources import find_series
from geowatch.errors import ImageryError, PlanMismatchError
from geowatch.read.documents import check_fingerprints, frames_from_json, frames_to_json
from geowatch.read.frames import make_frames
from geowatch.read.plan import plan_frame
from geowatch.read.remote import Remote, public
from geowatch.read.select import Selection, select_scenes, undated_heaps
from geowatch.stages.binding.source import SourceConfig, day_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from geowatch.grid.plan import Grid
    from geowatch.grid.region import Region
    from geowatch.package.manifest import Manifest
    from geowatch.read.frames import Frame
    from geowatch.read.plan import FramePlan
    from geowatch.read.scene import Scene
    from geowatch.stages.binding.asked import Asked
    from geowatch.stages.working.events import Events
    from geowatch.store import Store

__all__ = [
    "IMAGERY",
    "Bound",
    "ImageryConfig",
    "asked_imagery",
    "bands_of",
    "bind",
    "choose",
    "choose_scenes",
    "read_bound",
    "reading_of",
    "usable",
]

#: Key of the pinned imagery in a run folder.
IMAGERY = "imagery.json"

Resampling = Literal["nearest", "bilinear", "cubic", "average", "lanczos"]
Composite = Literal["first", "median", "least-cloudy"]


@dataclass(frozen=True)
class ImageryConfig(SourceConfig):
    """Which imagery, what its numbers mean, and how it is read."""

    date: tuple[str, ...] = ()
    """Days to take, YYYY-MM-DD; empty takes all."""
    latest: bool = False
    """Take the latest frame only."""
    max_cloud: float | None = None
    """Leave out scenes with more cloud than this (percent, from their metadata)."""
    domain_field: str | None = None
    """What tells domains apart: sensor, channels, month, year, or a field of a bundle's images or of STAC items."""
    resampling: Resampling = "bilinear"
    """How pixels are computed where imagery and grid differ."""
    composite: Composite = "first"
    """Which scene wins where scenes of a frame overlap."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The imagery of a run."""

    bands: tuple[str, ...]
    """Bands that every frame gives, in order."""
    frames: dict[str, tuple[FramePlan, ...]]
    """Read plans by grid id, oldest first."""
    digest: str
    """Digest of all this that decides values: the same wherever the same files are."""
    remote: Remote = field(default_factory=Remote)
    """How remote imagery is reached; what follows "?" in addresses is known only where they were just given."""


def asked_imagery(asked: Asked | None) -> ImageryConfig:
    """Return the imagery that an earlier stage of the run was given, if it was given any."""
    if asked is None or asked.images is None:
        return ImageryConfig()
    return TypeAdapter(ImageryConfig).validate_python({**(asked.reading or {}), "images": asked.images})


def reading_of(config: ImageryConfig) -> dict[str, Any]:
    """Return all but the images, as documents hold it: what came later is left out where it says nothing."""
    return {k: v for k, v in asdict(config).items() if k != "images" and (k != "domain_field" or v is not None)}


def choose_scenes(config: ImageryConfig, region: Region | None, events: Events) -> tuple[Scene, ...]:
    """Return the scenes that ``config`` and the region's time range select; raises what `choose` does."""
    return choose(config, region, events)[0]


def choose(config: ImageryConfig, region: Region | None, events: Events) -> tuple[tuple[Scene, ...], Mapping[str, str]]:
    """Return the scenes that ``config`` and the region's time range select, and the queries of their addresses.

    Raises:
        ImageryError: where nothing is found or nothing fits.
    """
    wanted = Selection(
        dates=tuple(map(day_of, config.date)),
        latest=config.latest,
        max_cloud=config.max_cloud,
        start=region.start if region else None,
        end=region.end if region else None,
        region=region.geometry if region else None,
    )
    catalog = find_series(config.images, config.options, config.video, wanted)
    scenes = tuple(select_scenes(catalog.scenes, wanted))
    for note in (*catalog.notes, *undated_heaps(scenes)):
        events.note(note)
    return scenes, catalog.queries


def bind(
    store: Store, config: ImageryConfig, grids: Sequence[Grid], region: Region | None,
    bands: tuple[str, ...] | Manifest, events: Events,
) -> Bound:  # fmt: skip
    """Pin the imagery, or check that what is given now is what is pinned.

    ``bands`` are what is read, or the network that says it for each sensor.

    Raises:
        ImageryError: without any imagery, or where none of it meets the grids.
        PlanMismatchError: where the run is bound to other imagery.
    """
    pinned = read_bound(store)
    if not config.images:
        if pinned is None:
            raise ImageryError("this run has no imagery yet", hint="give it with --images")
        for frame in {id(f): f for frames in pinned.frames.values() for f in frames}.values():
            check_fingerprints(frame, pinned.remote)
        return pinned
    scenes, queries = choose(config, region, events)
    frames = _with_bands(make_frames(scenes, order=config.composite), bands, events)
    bound = _pin(store, config, _document(config, frames, grids, bands), pinned)
    return replace(bound, remote=replace(config.remote, queries=queries))


def bands_of(bands: tuple[str, ...] | Manifest, sensor: str) -> tuple[str, ...]:
    """Return what is read of a sensor's imagery; nothing where the network does not take it."""
    return bands if isinstance(bands, tuple) else bands.bands_of(sensor)


def usable(scenes: Iterable[Scene], bands: tuple[str, ...] | Manifest) -> list[Scene]:
    """Return the scenes that have all bands that are read of them."""
    return [scene for scene in scenes if (own := bands_of(bands, scene.sensor)) and scene.has_bands(own)]


def _with_bands(frames: Sequence[Frame], bands: tuple[str, ...] | Manifest, events: Events) -> Sequence[Frame]:
    """Leave out the frames of sensors that lack a band, where another sensor has them all.

    Where none has, reading says what is missing.
    """
    lacking = sorted({f.sensor for f in frames if len(usable(f.scenes, bands)) < len(f.scenes)})
    kept = [frame for frame in frames if frame.sensor not in lacking]
    if not kept or not lacking:
        return frames
    for sensor in lacking:
        count, own = sum(frame.sensor == sensor for frame in frames), bands_of(bands, sensor)
        why = f"they do not have the bands {', '.join(own)}" if own else "the network does not take that sensor"
        events.note(f"{count} frames of {sensor} are left out: {why}")
    return kept


def _pin(store: Store, config: ImageryConfig, content: bytes, pinned: Bound | None) -> Bound:
    if store.put_if_absent(IMAGERY, content):
        return _parse(content)
    if pinned is None:
        pinned = read_bound(store)
    if pinned is None or pinned.digest != _parse(content).digest:
        raise PlanMismatchError(
            f"the run in {store.url} is bound to other imagery, or read otherwise, than "
            f"{', '.join(map(public, config.images))}",
            hint="leave out --images to go on with the run's own, or start another run with --run; new dates make a "
            "new run, which gw consolidate --previous joins to this one",
        )
    return pinned


def read_bound(store: Store) -> Bound | None:
    """Return the pinned imagery, or None where there is none yet."""
    return _parse(store.get(IMAGERY)) if store.size(IMAGERY) is not None else None


def _document(
    config: ImageryConfig, frames: Sequence[Frame], grids: Sequence[Grid], bands: tuple[str, ...] | Manifest
) -> bytes:
    plans = {
        grid.id: [
            plan
            for frame in frames
            for own in [bands_of(bands, frame.sensor)]
            if (plan := plan_frame(frame, own, grid.lattice, resampling=config.resampling)).extent & grid.bounds
        ]
        for grid in grids
    }
    if not any(plans.values()):
        raise ImageryError(
            f"none of the {len(frames)} frames meets the region", hint="check --images, --date and the region's place"
        )
    document = {
        "schema_version": "1",
        "bands": list(bands if isinstance(bands, tuple) else bands.bands),
        "options": reading_of(config),
        "frames": {grid: json.loads(frames_to_json(tuple(found))) for grid, found in plans.items()},
    }
    return (json.dumps(document, sort_keys=True, indent=1) + "\n").encode()


def _parse(content: bytes) -> Bound:
    document = json.loads(content)
    frames = {grid: tuple(frames_from_json(json.dumps(found).encode())) for grid, found in document["frames"].items()}
    canonical = json.dumps(_portable([document["bands"], document["frames"]]), sort_keys=True).encode()
    config = TypeAdapter(ImageryConfig).validate_python(document["options"])
    return Bound(tuple(document["bands"]), frames, sha256(canonical).hexdigest(), config.remote)


def _portable(value: Any) -> Any:  # noqa: ANN401 - a JSON value
    """Return a document without what differs between machines that hold the same files."""
    if isinstance(value, dict):
        kept = {k: _portable(v) for k, v in value.items() if k != "mtime_ns"}
        return kept | ({"uri": PurePath(value["uri"]).name} if "uri" in value else {})
    if isinstance(value, list):
        return [_portable(item) for item in value]
    return value
