"""Scenes from image files as they lie in folders, without a product's metadata.

The rule by which files belong together: files of one folder whose names end with a band's name
(`names.split_name`) and are otherwise equal are one scene. Any other file is a scene of its own, and its
bands are named by the option, by the descriptions in the file, by its colours, or ``b1``, ``b2``, ...
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from geowatch.errors import ImageryError
from geowatch.read.crs import move_points
from geowatch.read.names import COMMON_NAMES, common_name, family_of, split_name, time_in
from geowatch.read.options import SceneOptions
from geowatch.read.probe import Raster, RasterBand, probe
from geowatch.read.scene import BandSource, MaskSource, RasterGrid, Scene
from geowatch.read.sensors import MASK_KINDS, Preset, mask_rule, preset_named

__all__ = ["Found", "center_lon", "group_files", "scene_of_files"]

_REFLECTANCE_NOTE = (
    "scene '{id}': taken as Sentinel-2 digital numbers before baseline 04.00, reflectance = number / 10000; "
    "--sensor, --scale and --offset say otherwise"
)
_NUMBERS_NOTE = (
    "scene '{id}': Landsat digital numbers are read as they are; --sensor landsat-8-l1 --sun-elevation "
    "DEGREES makes them reflectance"
)


@dataclass(frozen=True, slots=True)
class Found:
    """A scene, and what a user should know about it."""

    scene: Scene
    """The scene."""
    notes: tuple[str, ...] = ()
    """Sentences for the user."""


def group_files(paths: Iterable[Path]) -> dict[tuple[Path, str], list[tuple[str | None, Path]]]:
    """Return files by (folder, scene) as (native band name or None, path), all by their names."""
    groups: dict[tuple[Path, str], list[tuple[str | None, Path]]] = {}
    for path in sorted(set(paths)):
        parts = split_name(path.stem)
        key, token = parts or (path.name, None)
        groups.setdefault((path.parent, key), []).append((token, path))
    return groups


def center_lon(grid: RasterGrid) -> float | None:
    """Return the longitude of the middle of a raster, None without georeference."""
    if grid.crs is None:
        return None
    x, y = grid.transform @ (grid.shape[1] / 2, grid.shape[0] / 2)
    lon, _ = move_points(np.array([x]), np.array([y]), grid.crs, "EPSG:4326")
    return round(float(lon[0]), 6) if np.isfinite(lon[0]) else None


def scene_of_files(
    key: tuple[Path, str], files: Sequence[tuple[str | None, Path]], options: SceneOptions
) -> Found:
    """Return the scene that a group of files makes.

    Raises:
        ImageryError: a file cannot be used, or the options do not fit it.
        CorruptImageError: a file is damaged.
    """
    folder, stem = key
    natives = {t for t, _ in files if t}
    preset = preset_named(options.sensor) if options.sensor else None
    family = preset.family if preset else family_of(natives, stem)
    rasters = [(token, probe(path, options.roots)) for token, path in files]
    bands = [b for token, r in rasters for b in _bands(token, r, family, stem, options)]
    scene_id = (stem if natives else Path(stem).stem) or folder.name
    values, note = _with_numbers(bands, preset, family, options)
    chosen, masks = _split_masks(values, options)
    if not chosen:
        raise ImageryError(
            f"scene '{scene_id}' in '{folder}' has no band beside masks", hint="add the files of its bands"
        )
    scene = Scene(
        id=scene_id,
        sensor=options.sensor or family or "image",
        time=time_in(stem) or time_in(folder.name),
        bands=chosen,
        masks=masks,
        fingerprints=tuple(sorted({f for _, r in rasters for f in r.fingerprints}, key=lambda f: f.uri)),
        center_lon=center_lon(chosen[0].grid),
    )
    notes = [n for _, r in rasters for n in r.notes]
    return Found(scene, (*notes, *([note.format(id=scene_id)] if note else [])))


def _bands(
    token: str | None, raster: Raster, family: str | None, stem: str, options: SceneOptions
) -> list[BandSource]:
    names = _natives(token, raster, options)
    return [
        BandSource(
            name=common_name(native, family, stem),
            native=native,
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
        for native, band in zip(names, raster.bands, strict=True)
    ]


def _natives(token: str | None, raster: Raster, options: SceneOptions) -> list[str]:
    count = len(raster.bands)
    if token is not None and count == 1:
        return [token]
    if options.bands:
        if len(options.bands) != count:
            raise ImageryError(
                f"'{raster.uri}' has {count} bands, and --bands names {len(options.bands)}: "
                f"{','.join(options.bands)}",
                hint="name every band of the file, in order",
            )
        return list(options.bands)
    return _declared(raster.bands) or [f"b{b.index}" for b in raster.bands]


def _declared(bands: Sequence[RasterBand]) -> list[str] | None:
    for names in ([b.label for b in bands], [b.color for b in bands]):
        known = [n for n in names if n and n.lower() not in {"undefined", "palette"}]
        if len(set(known)) == len(bands):
            return [_tidy(n) for n in known]
    return None


def _tidy(label: str) -> str:
    """Return a band's name from a description such as ``B04``, ``Red`` or ``B4, red, 665 nm``."""
    word = label.replace(",", " ").split()[0] if label.strip() else label
    if split_name(word):
        return word.upper() if word.lower() not in COMMON_NAMES else word.lower()
    return label.strip().lower()


def _with_numbers(
    bands: list[BandSource], preset: Preset | None, family: str | None, options: SceneOptions
) -> tuple[list[BandSource], str | None]:
    """Apply preset and options to what files declare; also return a note where a guess was made."""
    note = None
    declared = any((b.scale, b.offset) != (1.0, 0.0) for b in bands)
    digital = bool(bands) and all(b.dtype.startswith(("uint", "int")) for b in bands)
    if preset is None and options.sensor is None and options.scale is None and digital and not declared:
        preset = preset_named("sentinel-2-l1c") if family == "sentinel-2" else None
        note = {"sentinel-2": _REFLECTANCE_NOTE, "landsat": _NUMBERS_NOTE}.get(family or "")
    return [_numbers(b, preset, options, declared) for b in bands], note


def _numbers(band: BandSource, preset: Preset | None, options: SceneOptions, declared: bool) -> BandSource:
    if band.native in MASK_KINDS:
        return band
    scale, offset, nodata = band.scale, band.offset, band.nodata
    if (
        preset is not None
        and not declared
        and options.scale is None
        and band.dtype.startswith(("uint", "int"))
    ):
        scale, offset = preset.numbers(band.name, options.sun_elevation_deg)
    if preset is not None and nodata is None:
        nodata = preset.nodata
    return replace(
        band,
        scale=scale if options.scale is None else options.scale,
        offset=offset if options.offset is None else options.offset,
        nodata=nodata if options.nodata is None else options.nodata,
    )


def _split_masks(
    bands: Sequence[BandSource], options: SceneOptions
) -> tuple[tuple[BandSource, ...], tuple[MaskSource, ...]]:
    chosen, masks = [], []
    for band in bands:
        kind = MASK_KINDS.get(band.native)
        if options.mask_band is not None and options.mask_band.lower() in {band.name, band.native.lower()}:
            rule = options.mask_values, options.mask_bits
            masks.append(MaskSource("bitmask", band.uri, band.index, band.grid, *rule))
        elif kind is None and band.native != "QA_RADSAT":
            chosen.append(band)
        elif kind is not None:
            rule = mask_rule(kind, options.mask)
            if any(rule):
                masks.append(MaskSource(kind, band.uri, band.index, band.grid, *rule))
    return tuple(chosen), tuple(masks)
