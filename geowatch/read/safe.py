"""Sentinel-2 products as SAFE folders.

The product's XML gives the numbers: reflectance = (number + offset) / quantification value. From processing
baseline 04.00 on the offset is -1,000 for every band, and it is read, not assumed. Source: Sentinel-2
Products Specification Document, sections on ``MTD_MSIL1C`` and ``MTD_MSIL2A``.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from geowatch.errors import ImageryError
from geowatch.read.build import Draft, Found, band_source, finish
from geowatch.read.metadata import number_in, parse_time, read_xml
from geowatch.read.names import common_name, split_name
from geowatch.read.options import SceneOptions
from geowatch.read.probe import Raster, probe
from geowatch.read.scene import BandSource

__all__ = ["safe_document", "scenes_of_safe"]

_NAMES = ("MTD_MSIL1C.xml", "MTD_MSIL2A.xml")
#: The order of ``band_id`` in the products' metadata.
_BAND_IDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")


@dataclass(frozen=True, slots=True)
class _Product:
    """What the XML says."""

    level: str
    quantification: float
    offsets: dict[str, float]
    time: str
    cloud_cover: float | None
    images: tuple[str, ...]


def safe_document(folder: Path) -> Path | None:
    """Return the metadata file of a SAFE folder, None if the folder is none."""
    return next((folder / name for name in _NAMES if (folder / name).is_file()), None)


def scenes_of_safe(document: Path, options: SceneOptions) -> Iterator[Found]:
    """Yield the scenes of a SAFE folder: one for each granule, and one granule for all recent products.

    Raises:
        ImageryError: the metadata lack what is needed, or name files outside the folder.
        CorruptImageError: a file is damaged.
    """
    product = _read(document)
    granules: dict[str, list[str]] = {}
    for image in product.images:
        granules.setdefault(_granule(image, document), []).append(image)
    stem = document.parent.name.removesuffix(".SAFE")
    for granule, images in sorted(granules.items()):
        name = stem if len(granules) == 1 else f"{stem}_{granule}"
        yield _scene(name, document, product, [document.parent / f"{i}.jp2" for i in images], options)


def _read(document: Path) -> _Product:
    root = read_xml(document)
    level = "l2a" if document.name == _NAMES[1] else "l1c"
    key = "BOA" if level == "l2a" else "RADIO"
    quantification = _text(root, "BOA_QUANTIFICATION_VALUE") or _text(root, "QUANTIFICATION_VALUE")
    if quantification is None:
        raise ImageryError(f"'{document}' names no quantification value", hint="give --scale and --offset")
    return _Product(
        level=level,
        quantification=number_in(quantification, "the quantification value", document),
        offsets=dict(_offsets(root, f"{key}_ADD_OFFSET", document)),
        time=_text(root, "DATATAKE_SENSING_START") or _text(root, "PRODUCT_START_TIME") or "",
        cloud_cover=_cloud(_text(root, "Cloud_Coverage_Assessment"), document),
        images=tuple(e.text.strip() for e in root.iter("IMAGE_FILE") if e.text),
    )


def _text(root: ET.Element, tag: str) -> str | None:
    return next((e.text.strip() for e in root.iter(tag) if e.text), None)


def _cloud(text: str | None, document: Path) -> float | None:
    return None if text is None else number_in(text, "the cloud cover", document)


def _offsets(root: ET.Element, tag: str, document: Path) -> Iterator[tuple[str, float]]:
    for element in root.iter(tag):
        place = int(number_in(element.get("band_id", "-1"), "a band id", document))
        if 0 <= place < len(_BAND_IDS) and element.text:
            yield _BAND_IDS[place], number_in(element.text, tag, document)


def _granule(image: str, document: Path) -> str:
    parts = PurePosixPath(image).parts
    if image.startswith("/") or ".." in parts:
        raise ImageryError(f"'{document}' names an image outside its folder: '{image}'", hint="fetch it again")
    return parts[1] if len(parts) > 1 else ""


def _scene(name: str, document: Path, product: _Product, files: list[Path], options: SceneOptions) -> Found:
    sensor = f"sentinel-2-{product.level}"
    bands: list[BandSource] = []
    rasters: list[Raster] = []
    missing: list[str] = []
    for path in files:
        parts = split_name(path.stem)
        if parts is None:
            continue  # true-colour pictures, aerosol and water vapour maps
        if not path.is_file():
            missing.append(parts[1])
            continue
        raster = probe(path, options)
        rasters.append(raster)
        native = parts[1]
        band = band_source((common_name(native, "sentinel-2"), native), raster, raster.bands[0])
        bands.append(band if native == "SCL" else _numbered(band, product))
    note = f"scene '{name}' is without {', '.join(sorted(set(missing)))}: the files are not there"
    draft = Draft(
        id=name,
        sensor=sensor,
        time=parse_time(product.time),
        bands=tuple(bands),
        rasters=tuple(rasters),
        cloud_cover=product.cloud_cover,
        notes=(note,) if missing else (),
        documents=(document,),
    )
    return finish(draft, options)


def _numbered(band: BandSource, product: _Product) -> BandSource:
    shift = product.offsets.get(band.native, 0.0)
    nodata = 0.0 if band.nodata is None else band.nodata
    return replace(band, scale=1 / product.quantification, offset=shift / product.quantification, nodata=nodata)
