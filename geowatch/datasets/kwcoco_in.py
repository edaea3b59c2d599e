"""Scenes from a kwcoco bundle: one image of it is one scene.

Where pixels are is told by, in this order: the file's own georeference; ``warp_to_wld`` with ``wld_crs_info`` of the
asset, then of the image; the georeference of another file of the image, through ``warp_aux_to_img``. Where none of them
says, pixels of the video are the lattice, through ``warp_aux_to_img`` and ``warp_img_to_vid``.
When it was: its time, else, in a series without any times, the day of its ``frame_index`` (`datasets.undated`).
What numbers mean: ``gw_bands`` (written by gw), ``quantization``, ``band_metas``, then the file.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from affine import Affine

from geowatch.datasets.asset_numbers import MASK_LIKE, masks_of, numbered
from geowatch.datasets.bundle import time_of
from geowatch.datasets.channels import channel_names
from geowatch.datasets.georeference import OFF_PX, declared_world, distance_px
from geowatch.datasets.transforms import read_affine
from geowatch.datasets.undated import undated_of
from geowatch.errors import ConfigError, ImageryError
from geowatch.read.build import Draft, Found, Refused, band_source, finish, tolerant
from geowatch.read.files import declared_names
from geowatch.read.hrefs import place_of
from geowatch.read.names import sensor_band
from geowatch.read.probe import Raster, probe_all
from geowatch.read.remote import RemotePath, is_remote
from geowatch.read.scene import BandSource, MaskSource, RasterGrid

if TYPE_CHECKING:
    from geowatch.datasets.bundle import Bundle, Json, Place
    from geowatch.datasets.undated import Undated
    from geowatch.read.options import SceneOptions
    from geowatch.read.select import Selection

__all__ = [
    "SENSORS",
    "cloud_cover_of",
    "images_of",
    "may_be",
    "place_of_asset",
    "scene_of_image",
    "scenes_of_bundle",
    "sensor_of",
]

#: What kwcoco calls sensors that gw knows by the name of their platform.
SENSORS = {
    "S1": "sentinel-1", "S2": "sentinel-2", "L4": "landsat-4", "L5": "landsat-5", "L7": "landsat-7",
    "L8": "landsat-8", "L9": "landsat-9",
}  # fmt: skip
_SHORT = {"r": "red", "g": "green", "b": "blue"}
#: The sun's day is at most this far from that of UTC.
_A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Asset:
    """One file of an image."""

    content: Json
    what: str
    place: Place
    to_image: Affine


def images_of(bundle: Bundle, video: str | None) -> list[Json]:
    """Return the images of one video, or all.

    Raises:
        ConfigError: there is no such video.
    """
    if video is None:
        return bundle.images
    found = next((v["id"] for v in bundle.videos if video in {v.get("name"), str(v["id"])}), None)
    if found is None:
        names = [str(v.get("name", v["id"])) for v in bundle.videos]
        raise ConfigError(
            f"'{bundle.place}' has no video '{video}'",
            hint=f"it has {', '.join(names[:10])}" if names else "it has none; leave out --video",
        )
    return [image for image in bundle.images if image.get("video_id") == found]


def scenes_of_bundle(
    bundle: Bundle,
    options: SceneOptions,
    video: str | None = None,
    selection: Selection | None = None,
    refused: Refused | None = None,
) -> Iterator[Found]:
    """Yield the scene that each image is.

    Args:
        bundle: the document.
        options: what the user says.
        video: name of the video to take; None takes all.
        selection: images that it cannot mean are passed over before their files are opened.
        refused: hears of images that cannot be used, which then are left out.

    Raises:
        ImageryError: an entry cannot be used, or a file is not there; the message names the image.
        ConfigError: there is no such video, or several lie on each other.
        CorruptImageError: a file is damaged.
    """
    plain: set[int | None] = set()
    undated = undated_of(bundle)
    for image in images_of(bundle, video):
        for found in tolerant(partial(_wanted, bundle, image, options, (selection, undated)), refused):
            if found.scene.bands[0].grid.crs is None:
                plain.add(image.get("video_id"))
            yield found
        if len(plain) > 1:
            names = [str(v.get("name", v["id"])) for v in bundle.videos]
            raise ConfigError(
                f"{len(names)} videos of '{bundle.place}' have no georeference and would lie on each other",
                hint=f"choose one with --video: {', '.join(names[:10])}",
            )


def _wanted(
    bundle: Bundle, image: Json, options: SceneOptions, by: tuple[Selection | None, Undated]
) -> Iterator[Found]:
    selection, undated = by
    dated = undated.dated(image, bundle.where(image))
    if selection is None or may_be(dated, selection, bundle.where(image)):
        found = scene_of_image(bundle, dated, options)
        yield replace(found, notes=(*found.notes, *undated.notes.get(image["id"], ())))


def may_be(image: Json, selection: Selection, where: str) -> bool:
    """Whether an image may pass the selection, as far as the document tells: days are the sun's, a day around."""
    cloud = cloud_cover_of(image)
    if selection.max_cloud is not None and cloud is not None and cloud > selection.max_cloud:
        return False
    time = time_of(image, where)
    if time is None:
        return True
    day = time.date() if isinstance(time, datetime) else time
    if selection.dates and not any(abs(day - d) <= _A_DAY for d in selection.dates):
        return False
    return (selection.start or date.min) <= _later(day) and _earlier(day) <= (selection.end or date.max)


def _later(day: date) -> date:
    return min(day, date.max - _A_DAY) + _A_DAY


def _earlier(day: date) -> date:
    return max(day, date.min + _A_DAY) - _A_DAY


def cloud_cover_of(image: Json) -> float | None:
    """Return the percent of an image under cloud, if its entry says it."""
    for key in ("cloud_cover", "eo:cloud_cover", "cloudcover"):
        value = image.get(key, (image.get("properties") or {}).get(key))
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    return None


def sensor_of(image: Json) -> str:
    """Return the sensor of an image, names that gw does not know as they are.

    >>> [sensor_of({"sensor_coarse": name}) for name in ("S2", "Sentinel-2A", "landsat 8", "WV")]
    ['sentinel-2', 'sentinel-2', 'landsat-8', 'WV']
    """
    written = str(image.get("sensor_coarse") or image.get("sensor") or "image")
    spelled = re.fullmatch(r"(sentinel|landsat)[ _-]?(\d)[a-d]?", written.lower())
    known = f"{spelled[1]}-{spelled[2]}" if spelled else SENSORS.get(written.upper(), written)
    return known if known in SENSORS.values() else written


def scene_of_image(bundle: Bundle, image: Json, options: SceneOptions) -> Found:
    """Return the scene that an image is; raises what `scenes_of_bundle` does."""
    where = bundle.where(image)
    assets = list(_assets(bundle, image))
    if not assets:
        raise ImageryError(f"{where} names no file", hint="give it a file_name, or assets with one each")
    sensor = sensor_of(image)
    rasters = [
        replace(raster, grid=grid)
        for raster, grid in _placed(image, assets, probe_all([a.place for a in assets], options), where)
    ]
    bands: list[BandSource] = []
    masks: list[MaskSource] = []
    for asset, raster in zip(assets, rasters, strict=True):
        channels = _channels(asset, raster)
        own = _bands(asset, raster, channels, sensor)
        masks += masks_of(asset.content, own, channels, asset.what)
        hiding = {(m.uri, m.index) for m in masks}
        known = {entry.get("channel") for entry in asset.content.get("gw_bands") or ()} or set(channels)
        pairs = zip(channels, own, strict=True)
        bands += [b for channel, b in pairs if channel in known and (b.uri, b.index) not in hiding]
    draft = Draft(
        id=_name(image, assets),
        sensor=sensor,
        time=time_of(image, where),
        bands=tuple(bands),
        rasters=tuple(rasters),
        cloud_cover=cloud_cover_of(image),
        masks=tuple(masks),
        notes=(*_doubts(bands, options), *_moved(image, assets, rasters, where)),
        fields=image,
    )
    return finish(draft, options)


def _doubts(bands: Sequence[BandSource], options: SceneOptions) -> Iterator[str]:
    for band in bands:
        if band.native.lower() in MASK_LIKE and band.native.lower() != (options.mask_band or "").lower():
            yield (
                f"channel '{band.native}' is read as a band like any other; --mask-band {band.native} with "
                f"--mask-values or --mask-bits makes it a mask"
            )


def _moved(image: Json, assets: Sequence[_Asset], rasters: Sequence[Raster], where: str) -> Iterator[str]:
    """Yield which files are elsewhere than the document declares."""
    for asset, raster in zip(assets, rasters, strict=True):
        world = declared_world(asset.content, asset.what) or declared_world(image, where, asset.to_image)
        if world is not None and (off_px := distance_px(raster.grid, *world)) > OFF_PX:
            yield (
                f"{asset.what} is declared to be elsewhere than its file's georeference says ({off_px:.1f} pixels "
                "off); the file's holds"
            )


def _name(image: Json, assets: Sequence[_Asset]) -> str:
    name = image.get("name") or PurePosixPath(str(image.get("file_name") or assets[0].place.name)).stem
    return str(name).replace("/", "_")


def _assets(bundle: Bundle, image: Json) -> Iterator[_Asset]:
    where = bundle.where(image)
    if image.get("file_name"):
        yield _Asset(image, where, place_of_asset(bundle, image, where), Affine.identity())
    for key in ("auxiliary", "assets"):
        for number, entry in enumerate(image.get(key) or ()):
            what = f"{key}[{number}] of {where}"
            if not isinstance(entry, dict) or not entry.get("file_name"):
                raise ImageryError(f"{what} names no file", hint="give it a file_name")
            warp = read_affine(entry.get("warp_aux_to_img"), f"warp_aux_to_img of {what}")
            yield _Asset(entry, what, place_of_asset(bundle, entry, what), warp)


def place_of_asset(bundle: Bundle, entry: Json, what: str) -> Place:
    """Return where the file of an asset is. Raises ImageryError where it names none, or that is not there."""
    name = str(entry.get("file_name") or "")
    if not name:
        raise ImageryError(f"an asset of {what} names no file", hint="give it a file_name")
    if isinstance(bundle.place, RemotePath) or is_remote(name):
        found = place_of(name, bundle.place, (), what)
        if found is not None:
            return found
    if name.startswith("/vsi"):
        raise ImageryError(f"{what} is at '{name}'", hint="gw reads files, https:// and s3://: write it so")
    root = str(bundle.document.get("img_root") or "")
    path = Path(str(bundle.place)).parent / root / name
    if not path.is_file():
        raise ImageryError(f"the file of {what} is not there: '{path}'", hint="paths count from the bundle's folder")
    return path


def _placed(
    image: Json, assets: Sequence[_Asset], rasters: Sequence[Raster], where: str
) -> Iterator[tuple[Raster, RasterGrid]]:
    """Yield each raster with where its pixels are."""
    known = next((self for self in zip(assets, rasters, strict=True) if self[1].grid.crs is not None), None)
    to_video = read_affine(image.get("warp_img_to_vid"), f"warp_img_to_vid of {where}")
    for asset, raster in zip(assets, rasters, strict=True):
        if raster.grid.crs is not None:
            yield raster, raster.grid
            continue
        world = declared_world(asset.content, asset.what) or declared_world(image, where, asset.to_image)
        if world is None and known is not None:
            first, other = known
            yield raster, _grid(raster, (other.grid.transform @ ~first.to_image @ asset.to_image, other.grid.crs))
            continue
        yield raster, _grid(raster, world or (to_video @ asset.to_image, None))


def _grid(raster: Raster, world: tuple[Affine, str | None]) -> RasterGrid:
    return RasterGrid(raster.grid.shape, world[0][:6], world[1])


def _bands(asset: _Asset, raster: Raster, channels: Sequence[str], sensor: str) -> list[BandSource]:
    return [
        numbered(asset.content, band_source((_SHORT.get(native) or sensor_band(native, sensor), native), raster, band))
        for native, band in zip(channels, raster.bands, strict=True)
    ]


def _channels(asset: _Asset, raster: Raster) -> list[str]:
    spec = asset.content.get("channels")
    if not spec:
        return declared_names(raster.bands) or [f"b{b.index}" for b in raster.bands]
    try:
        names = channel_names(str(spec))
    except ConfigError as error:
        raise ImageryError(f"{asset.what}: {error.fact}", hint=error.hint) from error
    if len(names) != len(raster.bands):
        raise ImageryError(
            f"{asset.what} names {len(names)} channels ({spec}), its file has {len(raster.bands)} bands",
            hint="name each band of the file, in order",
        )
    return list(names)
