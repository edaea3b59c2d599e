"""Export: what a run found as a kwcoco bundle, beside its maps.

Reads what `gw stitch` wrote and, where the run was consolidated, its sites. Rasters are named, not copied.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import shapely

from geowatch.datasets.kwcoco_out import save_document
from geowatch.datasets.kwcoco_predictions import MapImage, Outline, ScoreFile, predictions_document
from geowatch.errors import InputError
from geowatch.predict.recipe import read_recipe
from geowatch.read.crs import crs_text
from geowatch.read.gdal import gdal_env, open_image
from geowatch.read.scene import RasterGrid
from geowatch.stages.dataset.output import BUNDLES, check_file
from geowatch.stages.mapping.deliverables import OBJECTS_TABLE
from geowatch.stages.stitch import COVERAGE, planes_of
from geowatch.stages.working.events import Events, Silent
from geowatch.stages.working.provenance import made, record
from geowatch.store import open_store
from geowatch.store.plans import read_plan

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

    from geowatch.store import Store

__all__ = ["ExportConfig", "Exported", "export_dataset"]

_SITES, _OBSERVATIONS = "sites/sites.arrow", "sites/observations.arrow"
_NAME = "predictions.kwcoco.json"


@dataclass(frozen=True)
class ExportConfig:
    """What export is asked for."""

    run: str = "gw-run"
    """Run folder with maps."""
    output: str | None = None
    """Bundle to write. Left out: predictions.kwcoco.json in the run folder."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What export made."""

    file: str
    """The bundle."""
    images: int
    """Its images."""
    sites: int
    """Its tracks."""
    outlines: int
    """Its labels that are outlines of sites."""
    objects: int = 0
    """Its labels that are objects."""


def export_dataset(config: ExportConfig, events: Events | None = None) -> Exported:
    """Write the maps of a run, and its sites and objects where there are any, as a bundle.

    Raises:
        InputError: the run has no maps.
        ConfigError: the output's name is no bundle's.
    """
    events = events or Silent()
    path = Path(config.output or Path(config.run, _NAME))
    check_file(str(path), BUNDLES)
    store = open_store(config.run)
    images, classes = _images(store, Path(config.run))
    outlines = list(_outlines(store, images)) if store.size(_OBSERVATIONS) is not None else []
    outlines += _objects(Path(config.run, OBJECTS_TABLE), images)
    document = predictions_document(images, classes, outlines, path.parent.absolute())
    placed = sum("track_id" in label for label in document["annotations"])
    objects = len(document["annotations"]) - placed
    save_document(document, path)
    figures = {"images": len(images), "outlines": placed, "objects": objects}
    record(open_store(path.parent), made("dataset export", path.name, config, figures=figures))
    return Exported(str(path), len(images), len(document["tracks"]), placed, objects)


def _images(store: Store, folder: Path) -> tuple[list[MapImage], list[tuple[str, str]]]:
    """Return an image for each plane of each grid, and the classes of all maps with their colours."""
    if store.size(COVERAGE) is None:
        raise InputError(f"the run in {store.url} has no maps", hint="gw stitch makes them")
    planes = json.loads(store.get(COVERAGE))["planes"]
    if not any((folder / plane["map"]).exists() for plane in planes):
        return _places(store, folder), []
    region = read_plan(store).region
    grids = {plane["grid"] for plane in planes}
    images: list[MapImage] = []
    classes: dict[str, str] = {}
    with gdal_env():
        together = _together(planes, folder)
        shown = Counter((grid, frame) for grid, frame, _ in together)
        for (grid, frame, time), maps in together.items():
            tail = [grid] if len(grids) > 1 else []
            # Planes that stand at steps of days may show one frame several times.
            day = [f"{time:%Y-%m-%d}"] if time and shown[grid, frame] > 1 else []
            video = "-".join([region.id if region else folder.absolute().name, *tail])
            images.append(_image("-".join([frame, *day, *tail]), video, maps, classes))
    return images, list(classes.items())


def _places(store: Store, folder: Path) -> list[MapImage]:
    """Return an image without a raster for each plane: a network that gives objects alone has no maps."""
    recipe = read_recipe(store)
    planes = [] if recipe is None else [plane for plane in planes_of(store, recipe) if plane.head.kind == "seen"]
    several = len({plane.grid.id for plane in planes}) > 1
    region = read_plan(store).region
    images = []
    for plane in planes:
        grid, time = plane.grid, plane.mosaic.layout.times[plane.time]
        tail = [grid.id] if several else []
        where = RasterGrid(grid.bounds.shape, tuple(grid.lattice.affine_of(grid.bounds))[:6], grid.lattice.crs)
        video = "-".join([region.id if region else folder.absolute().name, *tail])
        name = "-".join([plane.names.map.removeprefix("map").removeprefix("-").removesuffix(".tif"), *tail])
        fields = (("gw_frame", plane.frame.frame_id), ("sensor_coarse", "gw"))
        images.append(MapImage(name or plane.frame.frame_id, video, where, time, (), fields))
    return images


def _together(planes: Sequence[dict[str, Any]], folder: Path) -> dict[tuple[str, str, datetime | None], list[Path]]:
    """Return the maps of each plane, one for each head, by grid, frame and time."""
    found: dict[tuple[str, str, datetime | None], list[Path]] = {}
    for plane in planes:
        path = folder / plane["map"]
        with open_image(str(path)) as opened:
            found.setdefault((plane["grid"], plane["frame"], _time(opened)), []).append(path)
    return found


def _image(name: str, video: str, maps: Sequence[Path], classes: dict[str, str]) -> MapImage:
    files: list[ScoreFile] = []
    for path in maps:
        with open_image(str(path)) as opened:
            found = _legend(opened)
            for label, color in found.items():
                classes.setdefault(label, color)
            grid = RasterGrid(opened.shape, tuple(opened.transform)[:6], crs_text(opened.crs))
            head = opened.descriptions[0] or "map"
            files.append(ScoreFile(str(path.absolute()), (head,), opened.nodata))
            time, frame = _time(opened), opened.tags().get("GW_FRAME", "")
        prefix = f"{head}_" if len(maps) > 1 else ""
        for kind in ("probability", "uncertainty"):
            beside = path.with_name(path.name.replace("map", kind, 1))
            if beside.exists():
                files.append(_scores(beside, prefix if kind == "probability" else f"{prefix}uncertainty_"))
    fields = (("gw_frame", frame), ("sensor_coarse", "gw"))
    return MapImage(name, video, grid, time, tuple(files), fields)


def _legend(opened: DatasetReader) -> dict[str, str]:
    names = [n for n in opened.tags(1).get("CLASSES", "").split(",") if n]
    colors = opened.colormap(1) if names else {}
    return {name: "#{:02x}{:02x}{:02x}".format(*colors.get(i, (128, 128, 128))[:3]) for i, name in enumerate(names)}


def _time(opened: DatasetReader) -> datetime | None:
    text = opened.tags().get("TIFFTAG_DATETIME")
    return datetime.strptime(text, "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC) if text else None


def _scores(path: Path, prefix: str) -> ScoreFile:
    with open_image(str(path)) as opened:
        names = [description or f"band{i}" for i, description in enumerate(opened.descriptions, 1)]
        channels = tuple(prefix + name.replace("|", "_").replace(",", "_").replace(":", "_") for name in names)
        return ScoreFile(str(path.absolute()), channels, opened.nodata, float(opened.scales[0]), opened.dtypes[0])


def _rows(store: Store, key: str, columns: Sequence[str]) -> tuple[Iterator[dict[str, Any]], str | None]:
    """Return the rows of an Arrow file, and the CRS of its outlines."""
    import pyarrow as pa

    table = pa.ipc.open_file(pa.BufferReader(store.get(key)))
    crs: str | None = (table.schema.metadata or {}).get(b"crs", b"").decode() or None
    batches = (table.get_batch(i).select(list(columns)) for i in range(table.num_record_batches))
    return (row for batch in batches for row in batch.to_pylist()), crs


def _outlines(store: Store, images: Sequence[MapImage]) -> Iterator[Outline]:
    """Yield each observation of a site in the image of its time."""
    listed, crs = _rows(store, _SITES, ("site_id", "class", "grid", "geometry"))
    sites = {row["site_id"]: row for row in listed}
    axes = _axes(images)
    columns = ("site_id", "date", "time", "phase", "score", "geometry")
    for row in _rows(store, _OBSERVATIONS, columns)[0]:
        site = sites[row["site_id"]]
        image = _image_of(axes.get(site["grid"]) or axes.get("") or [], row)
        shape = shapely.from_wkb(row["geometry"] or site["geometry"])
        if image is not None and not shape.is_empty:
            category = row["phase"] or site["class"] or "site"
            yield Outline(image, row["site_id"], category, shape, crs, float(row["score"] or 0.0))


def _objects(path: Path, images: Sequence[MapImage]) -> Iterator[Outline]:
    """Yield each object of a network that gives boxes in the image of its time."""
    if not path.exists():
        return
    import geopandas

    table = geopandas.read_parquet(path)
    axes, crs = _axes(images), None if table.crs is None else table.crs.to_string()
    for row in table.itertuples(index=False):
        kind, score, time, plane = row[1:5]
        day = None if time is None or time != time else time.date()  # noqa: PLR0124 - pandas' missing time
        image = _image_of(axes.get(row.grid) or axes.get("") or [], {"time": plane, "date": day})
        if image is not None:
            yield Outline(image, None, kind, row.geometry, crs, float(score), row.head)


def _axes(images: Sequence[MapImage]) -> dict[str, list[MapImage]]:
    """Return the images of each grid in the order of time; those of the only grid by the name ""."""
    axes: dict[str, list[MapImage]] = {}
    several = len({image.video for image in images}) > 1
    for image in sorted(images, key=lambda i: i.time.timestamp() if i.time else 0.0):
        axes.setdefault(image.name.rpartition("-")[2] if several else "", []).append(image)
    return axes


def _image_of(axis: Sequence[MapImage], row: dict[str, Any]) -> str | None:
    """Return the image of an observation: by its place on the axis if the days agree, else by its day."""
    place: int | None = row["time"]
    named = axis[place] if place is not None and 0 <= place < len(axis) else None
    # The day of the sun may be another than that of UTC.
    if named is not None and _days_apart(named, row["date"]) <= 1:
        return named.name
    return next((image.name for image in axis if _days_apart(image, row["date"]) == 0), None)


def _days_apart(image: MapImage, day: date | None) -> int:
    return 0 if image.time is None or day is None else abs((image.time.date() - day).days)
