"""A simulation as a folder of files: cloud-optimised GeoTIFFs, a STAC ItemCollection beside them, and the truth.

    simulation.json               what was asked for; another simulation never lands in the same folder
    series.json                   STAC ItemCollection, written last: it is there when all images are
    images/<id>.tif, <id>_mask.tif
    truth/region_models/<region>.geojson, truth/site_models/<site>.geojson

Images are rendered and written one at a time, and those that are there already are left alone.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import rasterio
import shapely
from rasterio.shutil import copy as copy_raster
from shapely.geometry import mapping

from geowatch.datasets.simulation.places import lonlat_of
from geowatch.datasets.simulation.scenario import day_of
from geowatch.datasets.simulation.sensors import QUANTISATION
from geowatch.datasets.simulation.sky import MASK_CLASSES
from geowatch.datasets.simulation.spectra import BANDS
from geowatch.datasets.simulation.truth import COMMENT, true_region, true_sites
from geowatch.datasets.simulation.world import frame_geobox, looks, picture_id, picture_time, render
from geowatch.errors import ConfigError
from geowatch.sites.smart import dump, region_document, site_document

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from geowatch.datasets.simulation.scenario import Scenario
    from geowatch.datasets.simulation.sensors import Overpass
    from geowatch.datasets.simulation.world import Picture, World

__all__ = ["Bundle", "write_bundle"]

#: Version of what the simulation draws: another one gives other bytes for the same seed.
SIMULATOR = "1"
_STAC_MASK = {"fill": "no_data", "clear": "clear", "cloud": "cloud", "shadow": "cloud_shadow"}


@dataclass(frozen=True, slots=True)
class Bundle:
    """Where a simulation is."""

    folder: Path
    """Its folder."""
    images: Path
    """STAC ItemCollection."""
    region: Path
    """Region model."""
    truth: Path
    """Folder of the truth."""
    count: int
    """Images."""


def write_bundle(world: World, folder: Path, watch: Callable[[int, int], None] | None = None) -> Bundle:
    """Write a simulation, or what is missing of it, and return where it is.

    Args:
        world: what to render.
        folder: where; it is made.
        watch: called with (images done, images in all) after each image; what it raises ends the work.

    Raises:
        ConfigError: the folder holds another simulation.
    """
    scenario, overpasses = world.scenario, looks(world.scenario)
    bundle = Bundle(
        folder, folder / "series.json", folder / f"truth/region_models/{scenario.region_id}.geojson",
        folder / "truth", len(overpasses),
    )  # fmt: skip
    _claim(folder, scenario)
    if bundle.images.exists():
        return bundle
    _write_truth(scenario, overpasses, bundle)
    for number, overpass in enumerate(overpasses, start=1):
        _write_images(world, overpass, folder / "images")
        if watch is not None:
            watch(number, len(overpasses))
    items = [_item(scenario, overpass) for overpass in overpasses]
    collection = {"type": "FeatureCollection", "title": COMMENT, "features": items}
    _publish(bundle.images, (json.dumps(collection, indent=1) + "\n").encode())
    return bundle


def _claim(folder: Path, scenario: Scenario) -> None:
    """Write down what the folder holds. Raises ConfigError where it holds something else."""
    asked = {
        "title": COMMENT,
        "simulator": SIMULATOR,
        "region": scenario.region_id,
        "works": len(scenario.works),
        "spec": asdict(scenario.spec),
    }
    content = (json.dumps(asked, indent=1, sort_keys=True, default=str) + "\n").encode()
    path = folder / "simulation.json"
    if path.exists() and path.read_bytes() != content:
        raise ConfigError(f"{folder} holds another simulation", hint="give another folder with --out, or remove it")
    _publish(path, content)


def _publish(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(content)
    draft.replace(path)


def _write_truth(scenario: Scenario, overpasses: tuple[Overpass, ...], bundle: Bundle) -> None:
    sites = true_sites(scenario, overpasses)
    for site in sites:
        _publish(bundle.truth / f"site_models/{site.id}.geojson", dump(site_document(site)))
    _publish(bundle.region, dump(region_document(true_region(scenario, sites))))


def _write_images(world: World, overpass: Overpass, folder: Path) -> None:
    name = picture_id(overpass)
    image, mask = folder / f"{name}.tif", folder / f"{name}_mask.tif"
    if image.exists() and mask.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    picture = render(world, overpass)
    _write_cog(image, picture, picture.values, BANDS)
    _write_cog(mask, picture, picture.mask[None], ("mask",))


def _write_cog(path: Path, picture: Picture, values: NDArray[np.generic], bands: tuple[str, ...]) -> None:
    profile = {
        "driver": "GTiff", "height": values.shape[1], "width": values.shape[2], "count": len(values),
        "dtype": values.dtype, "nodata": 0, "crs": str(picture.geobox.crs), "transform": picture.geobox.affine,
    }  # fmt: skip
    draft = path.with_name(f".{path.name}.{os.getpid()}.tif")
    with rasterio.MemoryFile() as memory:
        with memory.open(**profile) as target:
            target.write(values)
            target.descriptions = bands
            target.update_tags(TITLE=COMMENT, SIMULATION="yes", SENSOR=picture.overpass.sensor.name)
            if len(bands) > 1:
                target.scales = (1 / QUANTISATION,) * len(bands)
        with memory.open() as source:
            copy_raster(source, draft, driver="COG", COMPRESS="ZSTD", LEVEL=3, PREDICTOR="YES", OVERVIEWS="NONE",
                BLOCKSIZE=256)  # fmt: skip
    draft.replace(path)


def _item(scenario: Scenario, overpass: Overpass) -> dict[str, object]:
    """Return the STAC Item of an image, whose assets lie beside it."""
    name, geobox = picture_id(overpass), frame_geobox(scenario.geobox, overpass.sensor)
    outline = lonlat_of(shapely.box(0, 0, geobox.width, geobox.height), geobox)
    names = [{"name": band, "common_name": band} for band in BANDS]
    numbers = [{"scale": 1 / QUANTISATION, "offset": 0, "nodata": 0} for _ in BANDS]
    classes = [{"value": value, "name": _STAC_MASK[key]} for key, value in MASK_CLASSES.items()]
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "properties": {
            "title": f"{COMMENT}: {overpass.sensor.name} {day_of(overpass.day)}",
            "datetime": picture_time(overpass).isoformat().replace("+00:00", "Z"),
            "platform": overpass.sensor.name,
            "gsd": scenario.spec.resolution_m * overpass.sensor.factor,
            "eo:cloud_cover": round(100 * overpass.cloudy, 2),
        },
        "geometry": mapping(outline),
        "bbox": list(outline.bounds),
        "links": [],
        "assets": {
            "image": _asset(f"{name}.tif", "data") | {"eo:bands": names, "raster:bands": numbers},
            "mask": _asset(f"{name}_mask.tif", "data-mask") | {"classification:classes": classes},
        },
    }


def _asset(file: str, role: str) -> dict[str, object]:
    kind = "image/tiff; application=geotiff; profile=cloud-optimized"
    return {"href": f"images/{file}", "type": kind, "roles": [role], "title": COMMENT}
