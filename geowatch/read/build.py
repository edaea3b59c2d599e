"""From probed files to a scene: the steps that all kinds of sources share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np

from geowatch.errors import ImageryError, InputError
from geowatch.read.crs import move_points
from geowatch.read.domains import domain_of
from geowatch.read.options import SceneOptions
from geowatch.read.probe import Raster, RasterBand, fingerprint
from geowatch.read.scene import BandSource, Fingerprint, MaskSource, RasterGrid, Scene
from geowatch.read.sensors import MASK_KINDS, mask_rule

__all__ = ["Draft", "Found", "Refused", "band_source", "center_lon", "finish", "moment", "tolerant"]

#: Bands of products that are neither pictures nor masks that gw understands.
_LEFT_OUT = {"QA_RADSAT"}


@dataclass(frozen=True, slots=True)
class Found:
    """A scene, and what a user should know about it."""

    scene: Scene
    """The scene."""
    notes: tuple[str, ...] = ()
    """Sentences for the user."""
    queries: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """(address, query) of remote files; never written anywhere."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a source says of a scene before the user's options are applied."""

    id: str
    """Name of the scene."""
    sensor: str
    """Its sensor."""
    time: datetime | date | None
    """When it was sensed (UTC); a date where the hour is not known."""
    bands: tuple[BandSource, ...]
    """Its bands, masks among them, with the numbers that the source gives."""
    rasters: tuple[Raster, ...]
    """The files that they are in."""
    cloud_cover: float | None = None
    """Percent under cloud."""
    masks: tuple[MaskSource, ...] = ()
    """Masks that the source itself explains."""
    notes: tuple[str, ...] = ()
    """Sentences for the user."""
    documents: tuple[Path, ...] = ()
    """Local metadata files that were read; a change in them is a change of the scene."""
    fields: Mapping[str, object] = field(default_factory=dict)
    """What else its document says of it, by name; domains may be told apart by it."""


#: Hears of a source that cannot be used, where the others are wanted all the same.
Refused = Callable[[InputError], None]


def tolerant(make: Callable[[], Iterable[Found]], refused: Refused | None) -> Iterator[Found]:
    """Yield what ``make`` gives; what cannot be used is told to ``refused``, and raised if there is none."""
    try:
        yield from make()
    except InputError as error:
        if refused is None:
            raise
        refused(error)


def band_source(names: tuple[str, str], raster: Raster, band: RasterBand) -> BandSource:
    """Return a band called ``names`` (common, native) with the numbers that its file declares."""
    return BandSource(
        name=names[0],
        native=names[1],
        uri=raster.uri,
        index=band.index,
        dtype=band.dtype,
        grid=raster.grid,
        nodata=band.nodata,
        scale=band.scale,
        offset=band.offset,
        overviews=band.overviews,
        has_mask=band.has_mask,
        block=band.block,
    )


def finish(draft: Draft, options: SceneOptions) -> Found:
    """Return the scene that a draft becomes with the user's options.

    Raises:
        ImageryError: nothing but masks is left.
        ConfigError: the document does not say its domain.
    """
    pictures, masks = _split_masks(draft.bands, options)
    bands = tuple(_override(b, options) for b in _finest(pictures))
    if not bands:
        raise ImageryError(
            f"scene '{draft.id}' has no band beside masks", hint="add the files of its bands to the images"
        )
    lon = center_lon(bands[0].grid)
    scene = Scene(
        id=draft.id,
        sensor=options.sensor or draft.sensor,
        time=moment(draft.time, lon),
        bands=bands,
        masks=(*masks, *draft.masks),
        cloud_cover=draft.cloud_cover,
        fingerprints=_fingerprints(draft),
        center_lon=lon,
    )
    if options.domain_field is not None:
        scene = replace(scene, domain=domain_of(scene, options.domain_field, draft.fields))
    queries = tuple((r.uri, r.query) for r in draft.rasters if r.query)
    return Found(scene, (*(n for r in draft.rasters for n in r.notes), *draft.notes), queries)


def moment(time: datetime | date | None, lon: float | None) -> datetime | None:
    """Return the time; of a date noon by the sun at ``lon``, so that it is that day wherever the scene is."""
    if time is None or isinstance(time, datetime):
        return time
    noon = datetime(time.year, time.month, time.day, 12, tzinfo=UTC)
    return noon - timedelta(seconds=round((lon or 0.0) * 240))


def _override(band: BandSource, options: SceneOptions) -> BandSource:
    return replace(
        band,
        scale=band.scale if options.scale is None else options.scale,
        offset=band.offset if options.offset is None else options.offset,
        nodata=band.nodata if options.nodata is None else options.nodata,
    )


def _finest(bands: Iterable[BandSource]) -> tuple[BandSource, ...]:
    """Return one band of each name: products store some of them at several resolutions."""
    best: dict[str, BandSource] = {}
    for band in bands:
        known = best.get(band.name)
        if known is None or max(band.grid.steps) < max(known.grid.steps):
            best[band.name] = band
    return tuple(best.values())


def _split_masks(bands: Sequence[BandSource], options: SceneOptions) -> tuple[list[BandSource], tuple[MaskSource, ...]]:
    pictures: list[BandSource] = []
    masks: dict[str, MaskSource] = {}
    for band in bands:
        kind, (values, bits) = _mask_of(band, options)
        if kind is None and band.native not in _LEFT_OUT:
            pictures.append(band)
        elif kind is not None and (values or bits) and kind not in masks:
            masks[kind] = MaskSource(kind, band.uri, band.index, band.grid, values, bits)
    return pictures, tuple(masks.values())


def _mask_of(band: BandSource, options: SceneOptions) -> tuple[str | None, tuple[tuple[int, ...], int]]:
    if options.mask_band is not None and options.mask_band.lower() in {
        band.name.lower(),
        band.native.lower(),
    }:
        return "bitmask", (options.mask_values, options.mask_bits)
    kind = MASK_KINDS.get(band.native.upper())
    return kind, ((), 0) if kind is None else mask_rule(kind, options.mask)


def _fingerprints(draft: Draft) -> tuple[Fingerprint, ...]:
    files = {f for r in draft.rasters for f in r.fingerprints} | {fingerprint(d) for d in draft.documents}
    return tuple(sorted(files, key=lambda f: f.uri))


def center_lon(grid: RasterGrid) -> float | None:
    """Return the longitude of a raster's middle; None without georeference."""
    if grid.crs is None:
        return None
    x, y = grid.transform @ (grid.shape[1] / 2, grid.shape[0] / 2)
    lon, _ = move_points(np.array([x]), np.array([y]), grid.crs, "EPSG:4326")
    return round(float(lon[0]), 6) if np.isfinite(lon[0]) else None
