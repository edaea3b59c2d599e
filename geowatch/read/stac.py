"""Scenes from STAC: Items, ItemCollections and catalogs of them, here or elsewhere, as are their assets.

Band names come from ``eo:bands`` (STAC 1.0) or ``bands`` (1.1), numbers from ``raster:bands`` or
``raster:scale``, the grid from ``proj:`` where the file itself has none, masks from their names or from the
classification extension. Source: STAC specification 1.0 and 1.1; extensions eo, raster, projection,
classification.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from geowatch.errors import ImageryError
from geowatch.read.build import Draft, Found, Refused, band_source, finish, tolerant
from geowatch.read.hrefs import Place, documents, place_of, shown
from geowatch.read.metadata import parse_time
from geowatch.read.names import sensor_band, split_name
from geowatch.read.options import SceneOptions
from geowatch.read.probe import Raster, probe_all
from geowatch.read.remote import RemotePath, is_remote, public
from geowatch.read.scene import BandSource, MaskSource, RasterGrid
from geowatch.read.sensors import MASK_KINDS, preset_named

__all__ = ["is_stac", "scenes_of_stac"]

Json = Mapping[str, object]
_PICTURE_ROLES = {"thumbnail", "overview", "visual", "metadata"}
#: Items whose files elsewhere are asked about side by side.
MAX_ITEMS_AT_ONCE = 8
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

    document: Place
    content: Json
    options: SceneOptions
    """What the user says, its roots widened by the folders that assets may be in."""

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
    """Whether a JSON object is a STAC Item, a collection of Items or a catalog."""
    return any("assets" in f for f in _items(content)) or (
        content.get("type") in {"Catalog", "Collection"} and "stac_version" in content
    )


def _items(content: Json) -> Iterator[Json]:
    if content.get("type") == "FeatureCollection":
        yield from (_object(f) for f in _list(content.get("features")))
    elif content.get("type") == "Feature":
        yield content


def scenes_of_stac(
    document: Place, options: SceneOptions, roots: tuple[Path, ...] = (), refused: Refused | None = None
) -> Iterator[Found]:
    """Yield the scenes of an Item, an ItemCollection, or of all Items of a catalog.

    Args:
        document: the JSON file, or its address.
        options: what the user says.
        roots: folders that assets may lie in, beside the document's own and those of the options.
        refused: hears of Items that cannot be used, which then are left out.

    Raises:
        ImageryError: it is no STAC, or an asset leads where it must not, or nowhere.
        CorruptImageError: a file is damaged.
    """
    own = () if isinstance(document, RemotePath) else (document.parent,)
    places = (*own, *roots, *options.roots)
    found = False
    for place, content in documents(document, options, places):
        here = () if isinstance(place, RemotePath) else (place.parent,)
        entries = [c for c in _items(content) if "assets" in c]
        found = found or bool(entries)
        items = [_Item(place, each, replace(options, roots=(*here, *places))) for each in entries]
        for make in _made(items):
            yield from tolerant(make, refused)
    if not found:
        raise ImageryError(
            f"'{shown(document)}' holds no STAC Item", hint="give an Item or an ItemCollection with assets"
        )


def _made(items: Sequence[_Item]) -> Iterator[Callable[[], list[Found]]]:
    """Yield what makes the scene of each item, in their order; files elsewhere are asked about some items ahead."""
    if len(items) < 2 or not any(_is_elsewhere(item) for item in items):
        yield from (partial(_scenes, item) for item in items)
        return
    with ThreadPoolExecutor(MAX_ITEMS_AT_ONCE, thread_name_prefix="gw-item") as pool:
        ahead: deque[Future[list[Found]]] = deque()
        for item in items:
            ahead.append(pool.submit(_scenes, item))
            if len(ahead) > 2 * MAX_ITEMS_AT_ONCE:
                yield ahead.popleft().result
        while ahead:
            yield ahead.popleft().result


def _is_elsewhere(item: _Item) -> bool:
    assets = _object(item.content.get("assets")).values()
    return isinstance(item.document, RemotePath) or any(is_remote(str(_object(a).get("href", ""))) for a in assets)


def _scenes(item: _Item) -> list[Found]:
    return [_scene(item)]


def _scene(item: _Item) -> Found:
    sensor = _sensor(item)
    assets, left_out = _located(item)
    bands: list[BandSource] = []
    masks: list[MaskSource] = []
    rasters = [
        _placed(raster, asset)
        for (asset, _), raster in zip(assets, probe_all([p for _, p in assets], item.options), strict=True)
    ]
    for (asset, _), raster in zip(assets, rasters, strict=True):
        explained = _explained_mask(asset, raster, item.options)
        masks.extend(explained)
        bands.extend([] if explained else _bands(asset, raster))
    if not rasters:
        what = f": {left_out[0]} is nowhere that gw reads from" if left_out else ""
        raise ImageryError(
            f"item '{item.name}' has no image among its assets{what}",
            hint="gw reads files, https and s3; download the assets and point their hrefs at the files",
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
        notes=(f"item '{item.name}': {len(left_out)} remote assets are left out",) if left_out else (),
        # What a document elsewhere says is pinned with the scene; catalogs write their items anew at will.
        documents=() if isinstance(item.document, RemotePath) else (item.document,),
        fields=item.properties,
    )
    return finish(draft, item.options)


def _located(item: _Item) -> tuple[list[tuple[_Asset, Place]], list[str]]:
    """Return the assets that are images, with their places, and the hrefs of those that cannot be reached."""
    found: list[tuple[_Asset, Place]] = []
    left_out: list[str] = []
    for key, value in _object(item.content.get("assets")).items():
        asset = _Asset(key, _object(value), item)
        if not _is_imagery(asset):
            continue
        place = _place(asset)
        if place is None:
            left_out.append(public(str(asset.content.get("href"))))
        else:
            found.append((asset, place))
    return found, left_out


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
    named = urlsplit(str(asset.content.get("href", ""))).path.lower().endswith((".tif", ".tiff", ".jp2", ".vrt"))
    return (known or (not kind and named)) and not roles & _PICTURE_ROLES


def _place(asset: _Asset) -> Place | None:
    """Return where the asset is; None for a kind of place that gw does not read from."""
    what = f"asset '{asset.key}' of item '{asset.item.name}'"
    place = place_of(str(asset.content.get("href", "")), asset.item.document, asset.item.options.roots, what)
    if isinstance(place, Path) and not place.is_file():
        raise ImageryError(f"{what} is not there: '{place}'", hint="download it, or take it out of the item")
    return place


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
    if len(asset.item.options.bands) == len(raster.bands):
        return [(band, band) for band in asset.item.options.bands]
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
    return str(common or sensor_band(native if several else _tidy(asset.key), _sensor(asset.item))).lower(), native


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
