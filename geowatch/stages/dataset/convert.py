"""Convert: labels of other forms to kwcoco, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rasterio

from geowatch.datasets.anchors import named_from
from geowatch.datasets.bundle import wrap
from geowatch.datasets.choice import solar_day_of
from geowatch.datasets.labels_in import (
    Label,
    labels_of_raster,
    labels_of_shapes,
    parse_classes,
    raster_of,
    rasters_by_stem,
    tidied,
    with_labels,
)
from geowatch.datasets.labels_out import class_rasters, coco_document, geojson_features
from geowatch.datasets.places import image_grid
from geowatch.errors import ConfigError, ImageryError
from geowatch.read.gdal import gdal_env
from geowatch.stages.binding.regions import read_labels
from geowatch.stages.binding.source import SourceConfig
from geowatch.stages.dataset.output import BUNDLES, check_file, check_folder, save_bundle, save_json
from geowatch.stages.dataset.sources import open_dataset
from geowatch.stages.working.events import Events, Silent
from geowatch.store import open_store

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.datasets.bundle import Bundle, Json
    from geowatch.read.scene import RasterGrid

__all__ = ["ConvertConfig", "Converted", "convert_dataset"]

#: How names of their files end; masks are a folder.
_FORMS = {"kwcoco": BUNDLES, "coco": (".json",), "masks": (), "geojson": (".geojson", ".json")}
_SHAPES = {".geojson", ".json"}


@dataclass(frozen=True)
class ConvertConfig:
    """What convert is asked for."""

    output: str
    """File to write; a folder for masks."""
    source: SourceConfig = field(default_factory=SourceConfig)
    """Images, or a COCO or kwcoco document."""
    labels: str | None = None
    """Labels to add: GeoJSON or SMART models (a file, a folder), or a folder of rasters named as the images."""
    classes: tuple[str, ...] = ()
    """Classes of the rasters: value=name, or names of the values from 1 on."""
    class_field: str | None = None
    """Property of the GeoJSON that holds the class."""
    to: str = "kwcoco"
    """Form to write: kwcoco, coco, masks or geojson."""


@dataclass(frozen=True, slots=True)
class Converted:
    """What convert made."""

    file: str
    """What was written."""
    images: int
    """Its images."""
    labels: int
    """Its labels."""


def convert_dataset(config: ConvertConfig, events: Events | None = None) -> Converted:
    """Bring labels into another form.

    Raises:
        ImageryError: a source cannot be read, or no label belongs to an image.
        ConfigError: the form is unknown, or does not fit the output's name.
    """
    events = events or Silent()
    if config.to not in _FORMS:
        raise ConfigError(f"'{config.to}' is no form", hint=f"choose from {', '.join(_FORMS)}")
    if config.to == "masks":
        check_folder(config.output)
    else:
        check_file(config.output, _FORMS[config.to], config.source.images)
    bundle = _bundle(config, events)
    writers: dict[str, Callable[[Bundle, ConvertConfig], str]] = {
        "kwcoco": _to_kwcoco, "coco": _to_coco, "masks": _to_masks, "geojson": partial(_to_geojson, events),
    }  # fmt: skip
    return Converted(writers[config.to](bundle, config), len(bundle.images), len(bundle.annotations))


def _bundle(config: ConvertConfig, events: Events) -> Bundle:
    bundle = open_dataset(config.source, events)
    document = tidied(bundle.document)
    if config.labels is not None:
        found = list(_labels(bundle, config, events))
        if not found:
            raise ImageryError(
                f"no label of '{config.labels}' belongs to any of {len(bundle.images)} images",
                hint="rasters are found by the names of the images, shapes by their place and time",
            )
        document = with_labels(document, found)
    return wrap(document, bundle.place)


def _labels(bundle: Bundle, config: ConvertConfig, events: Events) -> Iterator[tuple[int, Label]]:
    path, options = Path(str(config.labels)), config.source.options
    if path.suffix.lower() in _SHAPES or any(path.glob("*.geojson")):
        shapes = read_labels(path)
        for image in bundle.images:
            day = solar_day_of(bundle, image, options)
            grid = image_grid(bundle, image, options)
            for label in labels_of_shapes(shapes, grid, day, config.class_field):
                yield image["id"], label
        return
    if not path.is_dir():
        raise ImageryError(f"'{path}' is neither a folder nor GeoJSON", hint="check --labels")
    rasters, classes, bare = rasters_by_stem(path), parse_classes(config.classes), 0
    for image in bundle.images:
        raster = raster_of(image, rasters)
        bare += raster is None
        if raster is not None:
            for label in labels_of_raster(raster, image_grid(bundle, image, options), classes):
                yield image["id"], label
    if bare:
        events.note(f"{bare} of {len(bundle.images)} images have no raster of classes in '{path}'")


def _to_kwcoco(bundle: Bundle, config: ConvertConfig) -> str:
    return save_bundle(bundle.document, Path(config.output), "dataset convert", config)


def _to_coco(bundle: Bundle, config: ConvertConfig) -> str:
    path = Path(config.output)
    return save_json(
        named_from(coco_document(bundle, config.source.options), path.parent), path, "dataset convert", config
    )


def _to_geojson(events: Events, bundle: Bundle, config: ConvertConfig) -> str:
    features = geojson_features(bundle, config.source.options)
    lost = len(bundle.annotations) - len(features)
    if lost and not features:
        raise ImageryError(
            f"none of the {lost} labels is on an image with a georeference, and GeoJSON has places on the Earth alone",
            hint="write --to coco or masks",
        )
    if lost:
        events.note(f"left out, as their images have no georeference: {lost} of {len(bundle.annotations)} labels")
    document = {"type": "FeatureCollection", "features": features}
    return save_json(document, Path(config.output), "dataset convert", config)


def _to_masks(bundle: Bundle, config: ConvertConfig) -> str:
    folder = Path(config.output)
    store = open_store(folder)
    for image, grid, values in class_rasters(bundle, config.source.options):
        key = f"{image['name']}.{'png' if grid.crs is None else 'tif'}".replace("/", "_")
        with store.stage(key) as path, gdal_env():
            _write(path, grid, values)
    classes: Json = {str(c["id"]): c["name"] for c in bundle.categories}
    save_json(classes, folder / "classes.json", "dataset convert", config)
    return str(folder)


def _write(path: Path, grid: RasterGrid, values: NDArray[Any]) -> None:
    place = {} if grid.crs is None else {"crs": grid.crs, "transform": grid.transform, "compress": "deflate"}
    driver = "PNG" if grid.crs is None else "GTiff"
    rows, cols = values.shape
    with rasterio.open(
        path, "w", driver=driver, height=rows, width=cols, count=1, dtype=values.dtype, **place
    ) as target:
        target.write(values, 1)
