"""Scenes from image files as they lie in folders, without a product's metadata.

The rule by which files belong together: files of one folder whose names end with a band's name
(`names.split_name`) and are otherwise equal are one scene. Any other file is a scene of its own, and its
bands are named by the option, by the descriptions in the file, by its colours, or ``b1``, ``b2``, ...
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path, PurePath

from geowatch.errors import ImageryError
from geowatch.read.build import Draft, Found, band_source, finish
from geowatch.read.names import COMMON_NAMES, common_name, family_of, split_name, time_of_file
from geowatch.read.options import SceneOptions
from geowatch.read.probe import Raster, RasterBand, probe_all
from geowatch.read.remote import RemotePath
from geowatch.read.scene import BandSource
from geowatch.read.sensors import MASK_KINDS, Preset, preset_named

__all__ = ["FileGroup", "declared_names", "group_files", "scenes_of_files"]

#: (native band name or None, path) of the files of one scene.
FileGroup = list[tuple[str | None, Path | RemotePath]]

_REFLECTANCE_NOTE = (
    "scene '{id}': taken as Sentinel-2 digital numbers from before baseline 04.00, reflectance = "
    "number / 10000; --sensor, --scale and --offset say otherwise"
)
_NUMBERS_NOTE = (
    "scene '{id}': Landsat digital numbers are read as they are; --sensor landsat-8-l1 --sun-elevation "
    "DEGREES makes them reflectance"
)
_EVERY = "name every band of the file, in order; of several days in one file those of one, with --stack"
_ONE_EACH = (
    "--bands names the bands of one file; files are bands of one image where their names end with a band's name, "
    "such as red.tif: rename them, or give a STAC item or a kwcoco bundle"
)


def group_files(paths: Iterable[Path | RemotePath]) -> dict[tuple[PurePath, str], FileGroup]:
    """Return the files of each scene by (folder, name), in the order of their names."""
    groups: dict[tuple[PurePath, str], FileGroup] = {}
    for path in sorted(set(paths), key=str):
        key, token = split_name(path.stem) or (path.name, None)
        groups.setdefault((path.parent, key), []).append((token, path))
    return groups


def scenes_of_files(key: tuple[PurePath, str], files: FileGroup, options: SceneOptions) -> Iterator[Found]:
    """Yield the scene that a group of files makes; one for each day of files that hold a stack of days.

    Raises:
        ImageryError: a file cannot be used, or the options do not fit it.
        CorruptImageError: a file is damaged.
    """
    folder, stem = key
    natives = {token for token, _ in files if token}
    preset = preset_named(options.sensor) if options.sensor else None
    family = preset.family if preset else family_of(natives, stem)
    probed = probe_all([path for _, path in files], options)
    rasters = [(token, raster) for (token, _), raster in zip(files, probed, strict=True)]
    bands = [b for token, raster in rasters for b in _bands(token, raster, family, stem, options)]
    scene_id = (stem if natives else Path(stem).stem) or folder.name
    numbered, note = _with_numbers(bands, preset, family, options)
    draft = Draft(
        id=scene_id,
        sensor=family or "image",
        time=time_of_file(stem, folder),
        bands=tuple(numbered),
        rasters=tuple(r for _, r in rasters),
        notes=(note.format(id=scene_id),) if note else (),
    )
    days: tuple[date | None, ...] = options.stack if options.stack and not natives else (None,)
    for at, day in enumerate(days):
        yield finish(draft if day is None else _of_day(draft, day, at, len(options.bands)), options)


def _of_day(draft: Draft, day: date, at: int, count: int) -> Draft:
    """Return day ``at`` of a stack of days with ``count`` bands each."""
    bands = draft.bands[at * count : (at + 1) * count]
    return replace(draft, id=f"{draft.id}_{day.isoformat()}", time=day, bands=bands, notes=() if at else draft.notes)


def _bands(token: str | None, raster: Raster, family: str | None, stem: str, options: SceneOptions) -> list[BandSource]:
    natives = _natives(token, raster, options)
    pairs = zip(natives, raster.bands, strict=True)
    return [band_source((common_name(native, family, stem), native), raster, band) for native, band in pairs]


def _natives(token: str | None, raster: Raster, options: SceneOptions) -> list[str]:
    count = len(raster.bands)
    if token is not None and count == 1:
        return [token]
    if options.bands:
        days = max(1, len(options.stack))
        if len(options.bands) * days != count:
            stacked = f" of {days} days" if options.stack else ""
            raise ImageryError(
                f"'{raster.uri}' has {count} band{'' if count == 1 else 's'}, and --bands names "
                f"{len(options.bands)}{stacked}: {','.join(options.bands)}",
                hint=_ONE_EACH if count == 1 and not options.stack else _EVERY,
            )
        return list(options.bands) * days
    return declared_names(raster.bands) or [f"b{b.index}" for b in raster.bands]


def declared_names(bands: Sequence[RasterBand]) -> list[str] | None:
    """Return the names that a file's descriptions or colours give its bands; None where they do not tell all apart."""
    for names in ([b.label for b in bands], [b.color for b in bands]):
        known = [n for n in names if n and n.lower() not in {"undefined", "palette"}]
        if len(set(known)) == len(bands):
            return [_tidy(n) for n in known]
    return None


def _tidy(label: str) -> str:
    """Return a band's name from a description such as ``B04``, ``Red`` or ``B4, red, 665 nm``."""
    word = label.replace(",", " ").split()[0] if label.strip() else label
    parts = split_name(word)
    if parts is None or parts[0]:
        return label.strip().lower()
    return word.lower() if word.lower() in COMMON_NAMES else word.upper()


def _with_numbers(
    bands: list[BandSource], preset: Preset | None, family: str | None, options: SceneOptions
) -> tuple[list[BandSource], str | None]:
    """Apply the preset to bands whose files declare no scale; also return a note where a guess was made."""
    declared = any((b.scale, b.offset) != (1.0, 0.0) for b in bands)
    digital = all(b.dtype.startswith(("uint", "int")) for b in bands)
    if declared or not digital or options.scale is not None:
        return bands, None
    note = None
    if preset is None and options.sensor is None:
        preset = preset_named("sentinel-2-l1c") if family == "sentinel-2" else None
        note = {"sentinel-2": _REFLECTANCE_NOTE, "landsat": _NUMBERS_NOTE}.get(family or "")
    return [_numbered(b, preset, options) for b in bands] if preset else bands, note


def _numbered(band: BandSource, preset: Preset, options: SceneOptions) -> BandSource:
    if band.native in MASK_KINDS:
        return band
    scale, offset = preset.numbers(band.name, options.sun_elevation_deg)
    nodata = preset.nodata if band.nodata is None else band.nodata
    return replace(band, scale=scale, offset=offset, nodata=nodata)
