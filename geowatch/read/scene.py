"""Scenes: what an image of one sensor at one time is made of, as plain frozen records.

A `Scene` names for each band where it is stored, how its numbers become physical values and where its pixels
lie, and for each mask which of its values hide a pixel. Nothing here opens a file; records can be pinned in a
run folder and read back (`documents`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from affine import Affine

from geowatch.errors import ImageryError

__all__ = ["BandSource", "Fingerprint", "MaskSource", "RasterGrid", "Scene"]

#: A pixel further than this many pixels from its CRS's origin is nowhere: a transform in ruins.
MAX_INDEX = 1e12
_Six = tuple[float, float, float, float, float, float]
#: Near infra-red is band 8 or 8A for Sentinel-2, and one band for Landsat: a scene with one of them has
#: "nir".
_TWINS = {"nir": "nir08", "nir08": "nir", "rededge": "rededge071"}
#: What helps where a band is missing from a scene of several bands, and from one of a single band.
_BANDS = "name the bands of a multi-band file in order with --bands, or leave the scene out"
_ONE_BAND = (
    "name the file's band with --bands; files are bands of one image where their names end with a band's name, such as "
    "red.tif: give others as one file, a STAC item or a kwcoco bundle"
)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What tells whether a file is still the file that was planned."""

    uri: str
    """Where it is."""
    size_bytes: int
    """How long it is."""
    mtime_ns: int | None = None
    """When it changed last, for local files."""
    etag: str | None = None
    """The store's own tag, for objects."""


@dataclass(frozen=True, slots=True)
class RasterGrid:
    """Where the pixels of a stored raster are."""

    shape: tuple[int, int]
    """(rows, columns) at full resolution."""
    affine: _Six
    """(a, b, c, d, e, f) from (column, row) to (x, y)."""
    crs: str | None
    """``EPSG:n`` or WKT; None without georeference."""

    def __post_init__(self) -> None:
        if min(self.shape) < 1:
            raise ImageryError(f"a raster of {self.shape[0]} x {self.shape[1]} pixels holds nothing")
        finite = all(map(math.isfinite, self.affine)) and self.transform.determinant
        if not finite or max(map(abs, self.bounds)) > MAX_INDEX * min(self.steps):
            raise ImageryError(
                f"a transform {self.affine} places no pixels", hint="georeference the file again, e.g. with gdal_edit"
            )

    @property
    def transform(self) -> Affine:
        """The transform as an `Affine`."""
        return Affine(*self.affine)

    @property
    def is_straight(self) -> bool:
        """Whether rows and columns run along the axes of the CRS."""
        return not (self.affine[1] or self.affine[3])

    @property
    def steps(self) -> tuple[float, float]:
        """(height, width) of a pixel in CRS units, without sign."""
        a = self.transform
        return math.hypot(a.b, a.e), math.hypot(a.a, a.d)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(left, bottom, right, top) in CRS units."""
        rows, cols = self.shape
        corners = [self.transform @ p for p in ((0, 0), (cols, 0), (0, rows), (cols, rows))]
        xs, ys = [p[0] for p in corners], [p[1] for p in corners]
        return min(xs), min(ys), max(xs), max(ys)


@dataclass(frozen=True, slots=True)
class BandSource:
    """One band of a scene: where it is stored and what its numbers mean. Value = stored * scale + offset."""

    name: str
    """The field's common name, such as ``red`` or ``swir16``."""
    native: str
    """The sensor's own name, such as ``B04``."""
    uri: str
    """The file."""
    index: int
    """Band number in the file, from 1."""
    dtype: str
    """Stored type."""
    grid: RasterGrid
    """Where its pixels are."""
    nodata: float | None = None
    """Stored number that means no data; NaN and infinity always do."""
    scale: float = 1.0
    """Factor from stored numbers to physical values."""
    offset: float = 0.0
    """What is added after the factor."""
    overviews: tuple[int, ...] = ()
    """Factors of the stored overviews, finest first."""
    has_mask: bool = False
    """Whether the file brings a mask or an alpha channel that tells valid pixels."""
    block: tuple[int, int] = (0, 0)
    """(rows, columns) of a stored block."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.scale) and math.isfinite(self.offset) and self.scale):
            raise ImageryError(
                f"band '{self.name}' of '{self.uri}' has scale {self.scale} and offset {self.offset}",
                hint="give finite numbers and a scale that is not 0: --scale, --offset",
            )


@dataclass(frozen=True, slots=True)
class MaskSource:
    """A raster that says which pixels of its scene are to be hidden."""

    kind: str
    """What it is: ``scl``, ``qa_pixel``, ``bqa``, ``classes`` or ``bitmask``."""
    uri: str
    """The file."""
    index: int
    """Band number in the file, from 1."""
    grid: RasterGrid
    """Where its pixels are."""
    bad_values: tuple[int, ...] = ()
    """Numbers that hide a pixel."""
    bad_bits: int = 0
    """A pixel is hidden if any of these bits is set."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One image of one sensor at one time."""

    id: str
    """Its name, unique among the scenes of a run."""
    sensor: str
    """``sentinel-2-l2a``, ``landsat-8-l1``, ... or ``image``."""
    time: datetime | None
    """When it was sensed (UTC), if known."""
    bands: tuple[BandSource, ...]
    """Its bands."""
    masks: tuple[MaskSource, ...] = ()
    """What hides its pixels."""
    cloud_cover: float | None = None
    """Percent of it under cloud, if its metadata say so."""
    priority: int = 0
    """Where scenes overlap, a lower number is on top."""
    fingerprints: tuple[Fingerprint, ...] = ()
    """One for each file of it."""
    center_lon: float | None = None
    """Longitude of its middle (degrees), for the solar day."""
    domain: str | None = None
    """Whose statistics normalise it; None: its sensor's."""

    @property
    def solar_day(self) -> date | None:
        """Date of the sun's time at its middle: UTC + longitude / 15 hours."""
        if self.time is None:
            return None
        return (self.time + timedelta(hours=(self.center_lon or 0.0) / 15)).date()

    def band(self, name: str) -> BandSource:
        """Return a band by common or native name; ``nir`` and ``nir08`` stand in for each other.

        Raises:
            ImageryError: the scene has no such band.
        """
        found = self._find(name) or self._find(_TWINS.get(name.lower(), name))
        if found is None:
            raise ImageryError(
                f"scene '{self.id}' has no band '{name}'; it has {', '.join(b.name for b in self.bands) or 'none'}",
                hint=_ONE_BAND if len(self.bands) == 1 else _BANDS,
            )
        return found

    def has_bands(self, names: tuple[str, ...]) -> bool:
        """Whether the scene has all of these bands."""
        return all(self._find(n) or self._find(_TWINS.get(n.lower(), n)) for n in names)

    def with_bands(self, names: tuple[str, ...]) -> Scene:
        """Return the scene with these bands only, in this order, and the fingerprints that matter to them."""
        bands = tuple(self.band(n) for n in names)
        needed = {b.uri for b in bands} | {m.uri for m in self.masks}
        others = {b.uri for b in self.bands} - needed
        kept = tuple(f for f in self.fingerprints if f.uri not in others)
        return replace(self, bands=bands, fingerprints=kept)

    def _find(self, name: str) -> BandSource | None:
        low = name.lower()
        named = (b for b in self.bands if b.name.lower() == low)
        native = (b for b in self.bands if b.native.lower() == low)
        return next(named, None) or next(native, None)
