"""Scenes from STAC: Item and ItemCollection JSON whose assets are local files.

Band names come from ``eo:bands`` (STAC 1.0) or ``bands`` (1.1), numbers from ``raster:bands`` or
``raster:scale``, the grid from ``proj:`` where the file itself has none, masks from their names or from the
classification extension. Source: STAC specification 1.0 and 1.1; extensions eo, raster, projection,
classification.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlparse

from geowatch.errors import ImageryError
from geowatch.read.build import Draft, Found, band_source, finish
from geowatch.read.metadata import parse_time, read_json
from geowatch.read.names import split_name
from geowatch.read.options import SceneOptions
from geowatch.read.probe import Raster, probe
from geowatch.read.scene import BandSource, MaskSource, RasterGrid
from geowatch.read.sensors import MASK_KINDS, preset_named

__all__ = ["is_stac", "scenes_of_stac"]

Json = Mapping[str, object]
_PICTURE_ROLES = {"thumbnail", "overview", "visual", "metadata"}
_BASELINE_WITH_OFFSET = "04.00"
#: Words of the classification extension, and the class of gw that they mean.
_CLASS_WORDS = {
    "no_data": "fill", "nodata": "fill", "fill": "fill", "saturated_defective": "saturated", "cloud": "cloud",
    "dilated_cloud": "cloud", "cloud_medium_probability": "cloud", "cloud_high_probability": "cloud",
    "cirrus": "cirrus", "thin_cirrus": "cirrus", "cloud_shadow": "shadow", "shadow": "shadow", "snow": "snow",
    "water": "water",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Item:
    """An item, where it was found, and where its assets may be."""

    document: Path
    content: Json
    roots: tuple[Path, ...]

    @property
    def name(self) -> str:
        return str(self.content.get("id", self.document.stem))

    @property
    def properties(self) -> Json:
        return _object(self.content.get("properties"))


@dataclass(frozen=True, slots=True)
class _Asset:
    """One asset of an item."""

    key: str
    content: Json
    item: _Item


def is_stac(content: Json) -> bool:
    """Whether a JSON object is a STAC Item or a collection of Items."""
    return any("assets" in f for f in _items(content))


def _items(content: Json) -> Iterator[Json]:
    if content.get("type") == "FeatureCollection":
        yield from (_object(f) for f in _list(content.get("features")))
    elif content.get("type") == "Feature":
        yield content


def scenes_of_stac(document: Path, options: SceneOptions, roots: tuple[Path, ...] = ()) -> Iterator[Found]:
    """Yield the scenes of an Item or ItemCollection.

    Args:
        document: the JSON file.
        options: what the user says.
        roots: folders that assets may lie in, beside the document's own and those of the options.

    Raises:
        ImageryError: it is no STAC, an asset leads outside the roots, or all are remote.
        CorruptImageError: a file is damaged.
    """
    content = read_json(document)
    places = (document.parent, *roots, *options.roots)
    items = [_Item(document, c, places) for c in _items(content) if "assets" in c]
    if not items:
        raise ImageryError(f"'{document}' holds no STAC Item", hint="give an Item or an ItemCollection with assets")
    for item in items:
        yield _scene(item, options)


def _scene(item: _Item, options: SceneOptions) -> Found:
    sensor = _sensor(item)
    bands: list[BandSource] = []
    masks: list[MaskSource] = []
    rasters: list[Raster] = []
    remote: list[str] = []
    for key, value in _object(item.content.get("assets")).items():
        asset = _Asset(key, _object(value), item)
        if not _is_imagery(asset):
            continue
        path = _path(asset)
        if path is None:
            remote.append(str(asset.content.get("href")))
            continue
        raster = _placed(probe(path, item.roots), asset)
        rasters.append(raster)
        explained = _explained_mask(asset, raster, options)
        masks.extend(explained)
        bands.extend([] if explained else _bands(asset, raster))
    if not rasters:
        what = f": {remote[0]} is remote" if remote else ""
        raise ImageryError(
            f"item '{item.name}' has no image among its local assets{what}",
            hint="download the assets and point their hrefs at the files",
        )
    cloud = item.properties.get("eo:cloud_cover")
    draft = Draft(
        id=item.name,
        sensor=sensor,
        time=parse_time(str(item.properties.get("datetime") or item.properties.get("start_datetime") or "")),
        bands=tuple(_numbered(bands, item, sensor)),
        rasters=tuple(rasters),
        cloud_cover=float(cloud) if isinstance(cloud, (int, float)) else None,
        masks=tuple(masks),
        notes=(f"item '{item.name}': {len(remote)} remote assets are left out",) if remote else (),
        documents=(item.document,),
    )
    return finish(draft, options)


def _sensor(item: _Item) -> str:
    collection = str(item.content.get("collection") or "").lower()
    if preset_named(collection):
        return collection
    platform = str(item.properties.get("platform") or "").lower().replace("_", "-")
    level = "l2" if "l2" in collection else "l1"
    if platform.startswith("sentinel-2"):
        return {"l2": "sentinel-2-l2a", "l1": "sentinel-2-l1c"}[level] if collection else "sentinel-2"
    if platform.startswith("landsat") and collection:
        return f"{platform}-{level}"
    return platform or str(item.properties.get("constellation") or "").lower() or collection or "image"


def _is_imagery(asset: _Asset) -> bool:
    kind = str(asset.content.get("type") or "").lower()
    roles = {str(r) for r in _list(asset.content.get("roles"))}
    known = any(word in kind for word in ("tiff", "jp2", "vrt", "image/png", "image/jpeg"))
    named = str(asset.content.get("href", "")).lower().endswith((".tif", ".tiff", ".jp2", ".vrt"))
    return (known or (not kind and named)) and not roles & _PICTURE_ROLES


def _path(asset: _Asset) -> Path | None:
    """Return the asset's file; None for a remote one."""
    href = str(asset.content.get("href", ""))
    parts = urlparse(href)
    if parts.scheme not in {"", "file"} or href.startswith("/vsi"):
        return None
    path = Path(unquote(parts.path) if parts.scheme == "file" else href)
    path = path if path.is_absolute() else asset.item.document.parent / path
    real = path.resolve()
    if not any(real.is_relative_to(root.resolve()) for root in asset.item.roots):
        raise ImageryError(
            f"asset '{asset.key}' of item '{asset.item.name}' leads outside its folder: '{href}'",
            hint="give the folder that holds both item and assets",
        )
    if not path.is_file():
        raise ImageryError(
            f"asset '{asset.key}' of item '{asset.item.name}' is not there: '{path}'",
            hint="download it, or take it out of the item",
        )
    return path


def _placed(raster: Raster, asset: _Asset) -> Raster:
    """Give a raster without georeference the grid that the item declares."""
    both = {**asset.item.properties, **asset.content}
    code = both.get("proj:code") or (f"EPSG:{both['proj:epsg']}" if both.get("proj:epsg") else None)
    affine = [v for v in _list(both.get("proj:transform")) if isinstance(v, (int, float))]
    if raster.grid.crs is not None or not code or len(affine) < 6:
        return raster
    a, b, c, d, e, f = (float(v) for v in affine[:6])
    return replace(raster, grid=RasterGrid(raster.grid.shape, (a, b, c, d, e, f), str(code)))


def _declared(asset: _Asset, key: str) -> list[Json]:
    found = asset.content.get(key)
    return [_object(b) for b in _list(found)]


def _bands(asset: _Asset, raster: Raster) -> list[BandSource]:
    spectral = _declared(asset, "bands") or _declared(asset, "eo:bands")
    numbers = _declared(asset, "bands") or _declared(asset, "raster:bands")
    names = _names(asset, raster, spectral)
    return [
        _with_declared(band_source(name, raster, band), {**asset.content, **_at(numbers, i)})
        for i, (name, band) in enumerate(zip(names, raster.bands, strict=True))
    ]


def _names(asset: _Asset, raster: Raster, spectral: Sequence[Json]) -> list[tuple[str, str]]:
    if len(spectral) == len(raster.bands):
        return [_name(asset, band, several=len(raster.bands) > 1) for band in spectral]
    if len(raster.bands) == 1:
        return [_name(asset, {}, several=False)]
    return [(f"{asset.key}_{b.index}", f"{asset.key}_{b.index}") for b in raster.bands]


def _name(asset: _Asset, band: Json, *, several: bool) -> tuple[str, str]:
    native = str(band.get("name") or asset.key)
    common = band.get("eo:common_name") or band.get("common_name")
    key = asset.key.upper()
    if key in MASK_KINDS and not several:
        return key.lower(), key
    # Three red-edge bands share one common name in STAC 1.0, and the asset's key then tells them apart.
    if common == "rededge" and not several:
        return asset.key.lower(), native
    return str(common or (native if several else _tidy(asset.key))).lower(), native


def _tidy(key: str) -> str:
    parts = split_name(key)
    return parts[1] if parts else key


def _with_declared(band: BandSource, declared: Json) -> BandSource:
    scale, offset = (_number(declared.get(k) or declared.get(f"raster:{k}")) for k in ("scale", "offset"))
    nodata = _number(declared.get("nodata"))
    return replace(
        band,
        scale=band.scale if scale is None else scale,
        offset=band.offset if offset is None else offset,
        nodata=band.nodata if nodata is None else nodata,
    )


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def _numbered(bands: Sequence[BandSource], item: _Item, sensor: str) -> Iterator[BandSource]:
    """Apply the sensor's preset where neither item nor file gives any scale."""
    preset = preset_named(sensor)
    declared = any((b.scale, b.offset) != (1.0, 0.0) for b in bands)
    if preset is None or declared or preset.needs_sun:
        yield from bands
        return
    shift = -0.1 if preset.family == "sentinel-2" and _has_offset(item) else 0.0
    for band in bands:
        if band.native in MASK_KINDS or not band.dtype.startswith(("uint", "int")):
            yield band
            continue
        scale, offset = preset.numbers(band.name, None)
        nodata = preset.nodata if band.nodata is None else band.nodata
        yield replace(band, scale=scale, offset=offset + shift, nodata=nodata)


def _has_offset(item: _Item) -> bool:
    baseline = str(item.properties.get("s2:processing_baseline") or "")
    applied = item.properties.get("earthsearch:boa_offset_applied") is True
    return baseline >= _BASELINE_WITH_OFFSET and not applied


def _explained_mask(asset: _Asset, raster: Raster, options: SceneOptions) -> list[MaskSource]:
    """Return the mask that the classification extension explains, if the asset is one."""
    band = _at(_declared(asset, "bands") or _declared(asset, "raster:bands"), 0)
    both = {**asset.content, **band}
    values = tuple(
        int(v)
        for c in _list(both.get("classification:classes"))
        if _wanted(_object(c), options) and (v := _number(_object(c).get("value"))) is not None
    )
    bits = 0
    for field in _list(both.get("classification:bitfields")):
        offset = _number(_object(field).get("offset"))
        if offset is not None and _object(field).get("length", 1) == 1 and _wanted(_object(field), options):
            bits |= 1 << int(offset)
    return [MaskSource("classes", raster.uri, 1, raster.grid, values, bits)] if values or bits else []


def _wanted(entry: Json, options: SceneOptions) -> bool:
    word = str(entry.get("name") or entry.get("description") or "").strip().lower().replace(" ", "_")
    return _CLASS_WORDS.get(word) in options.mask


def _at(entries: Sequence[Json], index: int) -> Json:
    return entries[index] if index < len(entries) else {}


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
