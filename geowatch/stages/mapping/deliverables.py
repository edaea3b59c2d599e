"""What is made of one plane of the heatmap: map, probabilities, picture and catalogue entry, in one pass."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
from affine import Affine

from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.read.frames import Frame
from geowatch.read.plan import plan_frame
from geowatch.read.reader import FrameReader
from geowatch.stitch.cog import CogSpec, cog_writer
from geowatch.stitch.cover import Cover
from geowatch.stitch.maps import NO_CLASS, class_map, legend_of
from geowatch.stitch.paper import Scale
from geowatch.stitch.picture import PANEL_PX, Sheet, draw_sheet, stretch
from geowatch.stitch.stac import MapItem, stac_item
from geowatch.stitch.thin import Thinner, thin_step

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from geowatch.grid.plan import Grid, Plan
    from geowatch.grid.tiles import Tile
    from geowatch.read.plan import FramePlan
    from geowatch.read.remote import Remote
    from geowatch.stages.binding.parts import Part
    from geowatch.stages.working.events import Events
    from geowatch.stitch.heatmap import HeadLayout
    from geowatch.stitch.maps import Legend
    from geowatch.stitch.marks import Marks
    from geowatch.stitch.mosaic import Mosaic
    from geowatch.store import Store

__all__ = [
    "OBJECTS_TABLE",
    "Coverage",
    "Delivered",
    "Names",
    "Plane",
    "Wanted",
    "backdrop",
    "deliver",
    "file_digest",
    "picture_scale",
    "put_object",
    "score_spec",
    "thinned",
    "writable",
]

#: Key of the table of objects in a run folder.
OBJECTS_TABLE = "objects.parquet"
_COG = "image/tiff; application=geotiff; profile=cloud-optimized"


@dataclass(frozen=True, slots=True)
class Names:
    """Keys of what is made of a plane."""

    map: str
    probability: str
    quicklook: str
    item: str

    @classmethod
    def of(cls, plan: Plan, alike: Sequence[Part], part: Part, head: str | None) -> Names:
        """Return ``map.tif`` and its kin; head, grid and frame enter where there are several."""
        tail = cls._tail(plan, alike, part, head)
        return cls(f"map{tail}.tif", f"probability{tail}.tif", f"quicklook{tail}.png", f"item{tail}.json")

    @classmethod
    def of_doubts(cls, plan: Plan, alike: Sequence[Part], part: Part, head: str) -> Names:
        """Return ``uncertainty.tif`` and its picture, named as the maps are; ``head`` is the array's name."""
        tail = cls._tail(plan, alike, part, None)
        return cls(f"{head}{tail}.tif", "", f"{head}{tail}.png", "")

    @staticmethod
    def _tail(plan: Plan, alike: Sequence[Part], part: Part, head: str | None) -> str:
        bits = [] if head is None else [head]
        bits += [part.grid.id] if len(plan.grids) > 1 else []
        bits += [part.label] if len(alike) > 1 else []
        return "".join(f"-{bit}" for bit in bits)


@dataclass(frozen=True, slots=True)
class Plane:
    """One plane of the heatmap and what it is called."""

    names: Names
    region: str
    model: str
    mosaic: Mosaic
    head: HeadLayout
    tiles: list[Tile]
    time: int
    frame: FramePlan
    remote: Remote
    marks: Marks | None = None
    """Objects on its picture."""

    @property
    def name(self) -> str:
        """Name that tells planes apart."""
        return self.names.map

    @property
    def grid(self) -> Grid:
        """Where its pixels are."""
        return self.mosaic.layout.grid


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is made beside the map."""

    probability: bool
    """The scores of each class as a COG."""
    quicklook: bool
    """The picture."""


@dataclass(slots=True)
class Coverage:
    """Pixels of a plane."""

    region_px: int = 0
    """Pixels of the region."""
    scored_px: int = 0
    """Of those, pixels with scores."""
    gap_px: int = 0
    """Of those, pixels in tiles that are missing."""
    no_imagery_px: int = 0
    """Of those, pixels without valid imagery."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What was made of a plane."""

    digests: dict[str, str]
    """sha256 by key, where the key is one object."""
    coverage: Coverage
    shares: dict[str, float]
    """Share of each class among pixels with scores."""


@dataclass(slots=True)
class _Seen:
    """What the pass over the tiles adds up."""

    thin: Thinner
    cover: Cover
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))
    coverage: Coverage = field(default_factory=Coverage)


def deliver(store: Store, plane: Plane, wanted: Wanted, events: Events) -> Delivered:
    """Write everything that is made of ``plane``; tiles are read once, one at a time."""
    head = plane.head
    legend = legend_of(head)
    step = thin_step(plane.grid.bounds, PANEL_PX)
    seen = _Seen(Thinner(plane.grid.bounds, step, NO_CLASS), Cover(plane.grid))
    digests: dict[str, str] = {}
    with ExitStack() as stack:
        # A network that gives objects alone has no map.
        specs = {plane.names.map: _map_spec(plane, head, legend)} if legend.names else {}
        if wanted.probability and specs:
            specs[plane.names.probability] = score_spec(plane, head)
        files = {key: stack.enter_context(store.stage(key)) for key in specs}
        with ExitStack() as writing:
            writers = [writing.enter_context(cog_writer(spec, files[key])) for key, spec in specs.items()]
            for number, tile in enumerate(plane.tiles):
                box = plane.grid.core(tile)
                stored = plane.mosaic.core(tile, plane.time, head)
                classes = class_map(head, stored)
                for writer, values in zip(writers, (classes[np.newaxis], writable(stored)), strict=False):
                    writer.write(box, values)
                _count(plane, tile, classes, seen)
                events.progress("stitch", number + 1, len(plane.tiles))
        digests |= {key: file_digest(path) for key, path in files.items()}
    shares = _shares(legend, seen)
    if wanted.quicklook:
        digests[plane.names.quicklook] = put_object(store, plane.names.quicklook, _quicklook(plane, legend, seen, step))
    if plane.grid.lattice.crs is not None:
        digests[plane.names.item] = put_object(store, plane.names.item, _item(plane, legend, seen, wanted))
    return Delivered(digests, seen.coverage, shares)


def writable(stored: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return stored values in a type that GeoTIFF has; it knows no half precision."""
    return stored.astype(np.float32) if stored.dtype == np.float16 else stored


def _count(plane: Plane, tile: Tile, classes: NDArray[np.uint8], seen: _Seen) -> None:
    box = plane.grid.core(tile)
    region = seen.cover.mask(box)
    scored = int((classes != NO_CLASS).sum())
    pixels = int(region.sum())
    seen.thin.put(box, classes)
    seen.counts += np.bincount(classes.ravel(), minlength=256)
    seen.coverage.region_px += pixels
    seen.coverage.scored_px += scored
    if plane.mosaic.is_there(tile, plane.time):
        seen.coverage.no_imagery_px += pixels - scored
    else:
        seen.coverage.gap_px += pixels


def _shares(legend: Legend, seen: _Seen) -> dict[str, float]:
    total = max(1, seen.coverage.scored_px)
    return {name: float(seen.counts[value]) / total for value, name in enumerate(legend.names)}


def _map_spec(plane: Plane, head: HeadLayout, legend: Legend) -> CogSpec:
    grid = plane.grid
    return CogSpec(
        grid.bounds, grid.lattice.affine_of(grid.bounds), grid.lattice.crs, (head.name,), "uint8", NO_CLASS,
        legend=legend, tags=_tags(plane),
    )  # fmt: skip


def score_spec(plane: Plane, head: HeadLayout) -> CogSpec:
    """Return the COG that holds every plane of ``head`` as stored."""
    grid, stored = plane.grid, head.quantiser
    return CogSpec(
        grid.bounds, grid.lattice.affine_of(grid.bounds), grid.lattice.crs, head.classes,
        "float32" if stored.stored == "float16" else stored.stored, stored.fill, stored.scale, tags=_tags(plane),
    )  # fmt: skip


def _tags(plane: Plane) -> tuple[tuple[str, str], ...]:
    tags = [("GW_RECIPE", plane.mosaic.recipe), ("GW_FRAME", plane.frame.frame_id)]
    time = plane.mosaic.layout.times[plane.time]
    if time is not None:
        tags.append(("TIFFTAG_DATETIME", time.strftime("%Y:%m:%d %H:%M:%S")))
    return tuple(tags)


def _quicklook(plane: Plane, legend: Legend, seen: _Seen, step: int) -> bytes:
    coverage = seen.coverage
    sheet = Sheet(
        title=f"{plane.model}: {plane.region}",
        subtitle=f"{plane.frame.frame_id} · {coverage.scored_px / max(1, coverage.region_px):.1%} of the region",
        classes=seen.thin.picture,
        legend=legend,
        shares=tuple(_shares(legend, seen).values()),
        scale=picture_scale(plane, step),
        imagery=backdrop(plane, seen.thin.picture.shape, step),
        marks=plane.marks,
        step=step,
    )
    return draw_sheet(sheet)


def picture_scale(plane: Plane, step: int) -> Scale:
    """Return how long a picture's pixel is that stands for ``step`` of the plane's."""
    lattice = plane.grid.lattice
    geographic = lattice.crs is not None and abs(lattice.step_x) < 0.1
    return Scale(abs(lattice.step_x) * step, "px" if lattice.crs is None else "°" if geographic else "m")


def backdrop(plane: Plane, shape: tuple[int, ...], step: int) -> NDArray[np.uint8] | None:
    """Return what the network saw, thinned, shape (height, width, 3); grey where there is no imagery."""
    seen = thinned(plane, shape, step)
    return None if seen is None else stretch(*seen)


def thinned(plane: Plane, shape: tuple[int, ...], step: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]] | None:
    """Return three bands of what the network saw (3, height, width), and where they are valid (height, width)."""
    bands = _shown(plane.frame.bands)
    bounds = plane.grid.bounds
    fine = plane.grid.lattice
    # A coarse lattice whose pixels start where the map starts.
    a = fine.affine_of(bounds)
    coarse = Lattice.of_affine(fine.crs, a @ Affine.scale(step))
    origin = coarse.box_inside(fine.bounds(PixelBox(bounds.y0, bounds.x0, bounds.y0 + step, bounds.x0 + step)))
    box = PixelBox(origin.y0, origin.x0, origin.y0 + shape[0], origin.x0 + shape[1])
    scenes = tuple(planned.scene for planned in plane.frame.scenes)
    frame = Frame(plane.frame.frame_id, plane.frame.sensor, plane.frame.day, scenes, plane.frame.composite)
    plan = plan_frame(frame, bands, coarse, resampling="average" if step > 1 else "nearest")
    part = box & plan.extent
    if not part:
        return None
    values = np.zeros((3, *shape), np.float32)
    valid = np.zeros(shape, bool)
    with FrameReader(plan, cache_bytes=64 << 20, remote=plane.remote) as reader:
        patch = reader.read(part)
    place = part.within(box)
    values[(slice(None), *place)] = patch.values
    valid[place] = patch.valid
    return values, valid


def _shown(bands: tuple[str, ...]) -> tuple[str, str, str]:
    if {"red", "green", "blue"} <= set(bands):
        return "red", "green", "blue"
    padded = (*bands, bands[-1], bands[-1])
    return padded[0], padded[1], padded[2]


def _item(plane: Plane, legend: Legend, seen: _Seen, wanted: Wanted) -> bytes:
    assets = {"map": (plane.names.map, _COG)} if legend.names else {}
    if plane.marks is not None:
        assets["objects"] = (OBJECTS_TABLE, "application/vnd.apache.parquet")
    if wanted.probability and legend.names:
        assets["probability"] = (plane.names.probability, _COG)
    if wanted.quicklook:
        assets["thumbnail"] = (plane.names.quicklook, "image/png")
    coverage = seen.coverage
    properties = {"gw:recipe": plane.mosaic.recipe, "gw:coverage": coverage.scored_px / max(1, coverage.region_px)}
    item = MapItem(
        id=f"{plane.model}-{plane.region}-{plane.names.map.removesuffix('.tif')}".replace(" ", "-"),
        lattice=plane.grid.lattice,
        box=plane.grid.bounds,
        time=plane.mosaic.layout.times[plane.time],
        assets=assets,
        classes=tuple(zip(legend.names, legend.colors, strict=True)),
        properties=properties,
    )
    return stac_item(item)


def put_object(store: Store, key: str, content: bytes) -> str:
    """Publish an object; return its sha256."""
    store.put(key, content)
    return sha256(content).hexdigest()


def file_digest(path: Path) -> str:
    """Return the sha256 of a file."""
    digest = sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
