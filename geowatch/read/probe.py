"""What a file says about itself: size, place, bands, mask, numbers. No pixel is decoded here.

`probe` vets a file before GDAL sees it (kind by content, VRTs by their XML) and its header after (absurd
sizes), and returns a `Raster` from which scenes are made.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from urllib.parse import urlsplit

from affine import Affine
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.io import DatasetReader

from geowatch.errors import ImageryError, MalformedError
from geowatch.read.asking import look
from geowatch.read.crs import crs_text
from geowatch.read.gdal import GDAL_FAILURES, Opening, gdal_env, open_image
from geowatch.read.identify import FileKind, identify, kind_of
from geowatch.read.options import SceneOptions
from geowatch.read.remote import Remote, RemotePath, is_remote, public
from geowatch.read.scene import Fingerprint, RasterGrid
from geowatch.read.vrt import check_vrt

__all__ = ["Raster", "RasterBand", "fingerprint", "probe", "probe_all"]

#: No raster of the Earth has a longer side: its equator is 40,075,017 m.
MAX_SIDE_PX = 50_000_000
#: Spectrometers have hundreds of bands.
MAX_BANDS = 10_000
#: A header that declares more bytes than this is a bomb, or no business of one run.
MAX_RASTER_BYTES = 2**50
#: A stored block is decoded as one piece of memory.
MAX_BLOCK_BYTES = 2**29
#: PNG and JPEG cannot shrink an image further than about a thousand times.
MAX_SQUEEZE = 3_000
#: Remote files that are asked about side by side.
MAX_ASKED_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class RasterBand:
    """One band as its file declares it."""

    index: int
    """Number in the file, from 1."""
    dtype: str
    """Stored type."""
    nodata: float | None
    """Declared number for no data, if finite."""
    scale: float
    """Declared factor, 1 if none."""
    offset: float
    """Declared offset, 0 if none."""
    label: str | None
    """Declared description."""
    color: str
    """Declared meaning as a colour: ``red``, ``gray``, ``undefined``, ..."""
    has_mask: bool
    """Whether a mask or an alpha channel tells its valid pixels."""
    overviews: tuple[int, ...]
    """Factors of its overviews."""
    block: tuple[int, int]
    """(rows, columns) of a stored block."""


@dataclass(frozen=True, slots=True)
class Raster:
    """One image file as it declares itself."""

    uri: str
    """The file, as an absolute path."""
    kind: FileKind
    """What it is by content."""
    grid: RasterGrid
    """Where its pixels are."""
    bands: tuple[RasterBand, ...]
    """Its bands, alpha left out."""
    tags: dict[str, str]
    """Its metadata."""
    fingerprints: tuple[Fingerprint, ...]
    """Of the file and all files that belong to it."""
    notes: tuple[str, ...] = ()
    """What a user should know."""
    query: str = field(default="", repr=False)
    """What opened a remote file besides its address; never written anywhere."""


def fingerprint(path: str | Path) -> Fingerprint:
    """Return size and time of a file as they are now.

    Raises:
        ImageryError: there is no such file.
    """
    try:
        stat = Path(path).stat()
    except OSError as error:
        raise ImageryError(f"'{path}' cannot be read: {error.strerror}", hint="was it moved or deleted?") from error
    return Fingerprint(str(path), stat.st_size, stat.st_mtime_ns)


def probe(path: str | Path | RemotePath, options: SceneOptions | None = None) -> Raster:
    """Return what the image file at ``path`` declares. VRTs may lead to files beside them or under the roots.

    Raises:
        ImageryError: there is no such file, or it cannot be used.
        MalformedError: its header is damaged or absurd.
    """
    options = options or SceneOptions()
    if is_remote(path):
        return _probe_remote(str(path), options.remote)
    uri = _absolute(path)
    kind = identify(uri)
    if kind.driver == "VRT":
        check_vrt(Path(uri), options.roots)
    with open_image(uri) as dataset, gdal_env():
        raster = _described(dataset, kind, uri, Path(uri).stat().st_size)
        files = [f for f in dataset.files if Path(f).exists()] or [uri]
    return replace(raster, fingerprints=tuple(fingerprint(f) for f in sorted({_absolute(f) for f in files})))


def _probe_remote(address: str, remote: Remote) -> Raster:
    uri, query = public(address), urlsplit(address).query
    remote = replace(remote, queries={uri: query} if query else {})
    head = look(address, remote)
    with open_image(uri, Opening(head=head), remote) as dataset, gdal_env(str(dataset.name), remote):
        raster = _described(dataset, kind_of(head.first, uri), uri, head.fingerprint.size_bytes)
    return replace(raster, fingerprints=(head.fingerprint,), query=query)


def probe_all(paths: Sequence[str | Path | RemotePath], options: SceneOptions) -> list[Raster]:
    """Return what image files declare, in their order; remote ones are asked side by side.

    Raises:
        ImageryError, CorruptImageError: as `probe`, of the first file that is not well.
    """
    if not any(map(is_remote, paths)):
        return [probe(path, options) for path in paths]
    with ThreadPoolExecutor(min(len(paths), MAX_ASKED_AT_ONCE), thread_name_prefix="gw-probe") as pool:
        return list(pool.map(lambda path: probe(path, options), paths))


def _described(dataset: DatasetReader, kind: FileKind, uri: str, file_bytes: int) -> Raster:
    try:
        _check_header(dataset, kind, uri, file_bytes)
        return _describe(dataset, kind, uri)
    except GDAL_FAILURES as error:
        raise MalformedError(f"the header of '{uri}' breaks: {error}", hint="fetch the file again") from error


def _absolute(path: str | Path | RemotePath) -> str:
    return os.path.abspath(str(path))  # noqa: PTH100 - a link keeps its name, and ".." goes


def _check_header(dataset: DatasetReader, kind: FileKind, uri: str, file_bytes: int) -> None:
    rows, cols = dataset.shape
    depth = max((_itemsize(t) for t in dataset.dtypes), default=1)
    total = rows * cols * depth * dataset.count
    block = max((h * w * depth for h, w in dataset.block_shapes), default=0)
    squeezed = total > MAX_SQUEEZE * max(1, file_bytes) and kind.name in {"PNG", "JPEG"}
    absurd = max(rows, cols) > MAX_SIDE_PX or dataset.count > MAX_BANDS or total > MAX_RASTER_BYTES
    if absurd or squeezed:
        raise MalformedError(
            f"'{uri}' declares {rows} x {cols} pixels in {dataset.count} bands ({total / 2**40:.3g} TiB), "
            f"in a file of {file_bytes} bytes",
            hint="its header is damaged or made to exhaust memory; leave the file out",
        )
    if block > MAX_BLOCK_BYTES:
        raise MalformedError(
            f"'{uri}' is stored in blocks of {block / 2**20:.0f} MiB, which are decoded whole",
            hint="store it in tiles: gdal_translate -of COG",
        )


def _itemsize(dtype: str) -> int:
    bits = "".join(c for c in dtype.removeprefix("complex_") if c.isdigit())
    return max(1, int(bits or 8) // 8)


def _describe(dataset: DatasetReader, kind: FileKind, uri: str) -> Raster:
    notes = [n for n in (kind.suffix_note(PurePath(uri)),) if n]
    grid, note = _grid(dataset, uri)
    return Raster(
        uri=uri,
        kind=kind,
        grid=grid,
        bands=_bands(dataset, uri),
        tags=dict(dataset.tags()),
        fingerprints=(),
        notes=(*notes, *note),
    )


def _grid(dataset: DatasetReader, uri: str) -> tuple[RasterGrid, tuple[str, ...]]:
    crs = crs_text(dataset.crs)
    if crs is not None:
        return RasterGrid(dataset.shape, tuple(dataset.transform)[:6], crs), ()
    if dataset.gcps[0] or dataset.rpcs:
        raise ImageryError(
            f"'{uri}' is placed by ground control points or RPCs only",
            hint="rectify it first, e.g. with gdalwarp",
        )
    note = f"'{uri}' has no CRS: its transform is left out and its pixels are counted from 0,0"
    placed = dataset.transform != Affine.identity()
    return RasterGrid(dataset.shape, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), None), (note,) if placed else ()


def _bands(dataset: DatasetReader, uri: str) -> tuple[RasterBand, ...]:
    # Each of these properties asks GDAL about every band: once is enough, or a file of 5,000 bands takes minutes.
    columns = zip(
        dataset.indexes,
        dataset.dtypes,
        dataset.nodatavals,
        dataset.scales,
        dataset.offsets,
        dataset.descriptions,
        dataset.colorinterp,
        dataset.mask_flag_enums,
        dataset.block_shapes,
        strict=True,
    )
    bands = []
    for index, dtype, nodata, scale, offset, label, color, flags, block in columns:
        if "complex" in dtype:
            raise ImageryError(f"band {index} of '{uri}' holds {dtype} numbers", hint="store amplitude or intensity")
        band = RasterBand(
            index=index,
            dtype=dtype,
            nodata=float(nodata) if nodata is not None and math.isfinite(nodata) else None,
            scale=float(scale),
            offset=float(offset),
            label=label or None,
            color=color.name,
            has_mask=MaskFlags.per_dataset in flags,
            overviews=tuple(dataset.overviews(index)),
            block=tuple(block),
        )
        bands.append(band)
    return tuple(b for b in bands if b.color != ColorInterp.alpha.name)
