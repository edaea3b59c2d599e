"""Landsat Collection 2 products as folders with an MTL file.

Level 1 becomes top-of-atmosphere reflectance, ``(mult * number + add) / sin(sun elevation)``, its thermal
bands radiance (W / (m2 sr um)). Level 2 becomes surface reflectance and temperature in kelvin, ``mult *
number + add``. Source: Landsat 8-9 Collection 2 Level 1 and Level 2 Data Format Control Books.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from geowatch.errors import ImageryError
from geowatch.read.build import Draft, Found, band_source, finish
from geowatch.read.metadata import number_in, parse_time, read_mtl
from geowatch.read.names import common_name, split_name
from geowatch.read.options import SceneOptions
from geowatch.read.probe import probe
from geowatch.read.scene import BandSource
from geowatch.read.sensors import MASK_KINDS

__all__ = ["mtl_files", "scene_of_mtl"]

_SUFFIX = "_MTL.txt"
_LEFT_OUT = {"QA_RADSAT"}
Groups = dict[str, dict[str, str]]


def mtl_files(folder: Path) -> list[Path]:
    """Return the MTL files of a folder."""
    return sorted(folder.glob(f"*{_SUFFIX}"))


def scene_of_mtl(document: Path, options: SceneOptions) -> Found:
    """Return the scene that an MTL file describes, with those of its bands that lie beside it.

    Raises:
        ImageryError: the metadata lack what is needed, or no band is there.
        CorruptImageError: a file is damaged.
    """
    groups = read_mtl(document)
    prefix = document.name.removesuffix(_SUFFIX)
    files = list(_files(document.parent, prefix))
    if not files:
        raise ImageryError(f"beside '{document}' lies no band of its scene", hint="fetch the bands too")
    rasters = [(native, probe(path, options)) for native, path in files]
    bands = [
        band_source((common_name(native, "landsat", prefix), native), raster, raster.bands[0])
        for native, raster in rasters
    ]
    attributes = groups.get("IMAGE_ATTRIBUTES", {})
    draft = Draft(
        id=prefix,
        sensor=_sensor(groups, document),
        time=parse_time(f"{attributes.get('DATE_ACQUIRED')}T{attributes.get('SCENE_CENTER_TIME', '00:00:00Z')}"),
        bands=tuple(_numbered(b, groups, document) for b in bands),
        rasters=tuple(r for _, r in rasters),
        cloud_cover=_cloud(attributes, document),
        documents=(document,),
    )
    return finish(draft, options)


def _files(folder: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.glob(f"{prefix}_*")):
        parts = split_name(path.stem)
        if path.suffix.lower() in {".tif", ".tiff"} and parts and parts[0] == prefix and parts[1] not in _LEFT_OUT:
            yield parts[1], path


def _sensor(groups: Groups, document: Path) -> str:
    craft = groups.get("IMAGE_ATTRIBUTES", {}).get("SPACECRAFT_ID", "")
    level = groups.get("PRODUCT_CONTENTS", {}).get("PROCESSING_LEVEL", "")
    if not (craft and level):
        raise ImageryError(
            f"'{document}' does not name SPACECRAFT_ID and PROCESSING_LEVEL",
            hint="gw reads Collection 2; for older scenes give the files with --sensor and --sun-elevation",
        )
    return f"{craft.lower().replace('_', '-')}-{level[:2].lower()}"


def _cloud(attributes: dict[str, str], document: Path) -> float | None:
    value = number_in(attributes.get("CLOUD_COVER", "-1"), "CLOUD_COVER", document)
    return value if value >= 0 else None


def _numbered(band: BandSource, groups: Groups, document: Path) -> BandSource:
    if band.native in MASK_KINDS:
        return band
    scale, offset = _numbers(band.native, groups, document)
    return replace(band, scale=scale, offset=offset, nodata=0.0 if band.nodata is None else band.nodata)


def _numbers(native: str, groups: Groups, document: Path) -> tuple[float, float]:
    if native.startswith("ST_"):
        return _pair(groups, "LEVEL2_SURFACE_TEMPERATURE_PARAMETERS", f"TEMPERATURE_{{}}_BAND_{native}", document)
    number = native.removeprefix("SR_").removeprefix("B")
    if native.startswith("SR_"):
        return _pair(groups, "LEVEL2_SURFACE_REFLECTANCE_PARAMETERS", f"REFLECTANCE_{{}}_BAND_{number}", document)
    level_1 = "LEVEL1_RADIOMETRIC_RESCALING"
    if f"REFLECTANCE_MULT_BAND_{number}" not in groups.get(level_1, {}):
        return _pair(groups, level_1, f"RADIANCE_{{}}_BAND_{number}", document)
    scale, offset = _pair(groups, level_1, f"REFLECTANCE_{{}}_BAND_{number}", document)
    sine = math.sin(math.radians(_sun(groups, document)))
    return scale / sine, offset / sine


def _pair(groups: Groups, group: str, key: str, document: Path) -> tuple[float, float]:
    values = groups.get(group, {})
    names = key.format("MULT"), key.format("ADD")
    missing = [n for n in names if n not in values]
    if missing:
        raise ImageryError(
            f"'{document}' gives no {missing[0]} in {group}", hint="fetch the MTL file of the scene again"
        )
    return number_in(values[names[0]], names[0], document), number_in(values[names[1]], names[1], document)


def _sun(groups: Groups, document: Path) -> float:
    text = groups.get("IMAGE_ATTRIBUTES", {}).get("SUN_ELEVATION", "0")
    elevation = number_in(text, "SUN_ELEVATION", document)
    if not 0 < elevation <= 90:
        raise ImageryError(
            f"'{document}' gives a sun elevation of {text} degrees: no reflectance follows from it",
            hint="leave the night scene out",
        )
    return elevation
