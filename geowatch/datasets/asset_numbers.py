"""What the numbers of an asset mean: physical values, no data, and what hides a pixel.

``quantization`` is kwcoco's: ``value = (number - quant_min) * (orig_max - orig_min) / (quant_max - quant_min) +
orig_min``. ``gw_bands`` and ``gw_masks`` are what gw adds to an asset, so that what it knew of a scene comes back as it
was; other readers pass over them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from geowatch.errors import ImageryError
from geowatch.read.scene import BandSource, MaskSource

if TYPE_CHECKING:
    from geowatch.datasets.bundle import Json

__all__ = ["MASK_LIKE", "masks_of", "numbered", "written_bands", "written_masks"]

#: Names of channels that are masks as a rule, though what their numbers mean is not known.
MASK_LIKE = frozenset({"cloudmask", "cloud_mask", "clm", "fmask", "mask", "quality", "qa", "udm", "udm2", "valid"})

_OWN = ("name", "native", "scale", "offset", "nodata")


def numbered(asset: Json, band: BandSource) -> BandSource:
    """Return a band with the numbers that its asset declares; the file's where it declares none."""
    own = next((b for b in asset.get("gw_bands") or () if b.get("channel") == band.native), None)
    if own is not None:
        known = {k: own[k] for k in _OWN if own.get(k) is not None}
        return replace(band, **known | ({"nodata": _number(own["nodata"])} if "nodata" in own else {}))
    metas = asset.get("band_metas") or ()
    meta = metas[band.index - 1] if len(metas) >= band.index else {}
    nodata = _number(meta.get("nodata")) if isinstance(meta, dict) else None
    band = band if nodata is None else replace(band, nodata=nodata)
    stored = asset.get("quantization")
    return replace(band, **_dequantised(stored)) if isinstance(stored, dict) and "quant_max" in stored else band


def _dequantised(stored: Json) -> dict[str, Any]:
    low, high = _number(stored.get("orig_min"), 0.0), _number(stored.get("orig_max"), 1.0)
    first, last = _number(stored.get("quant_min"), 0.0), _number(stored["quant_max"])
    if low is None or high is None or first is None or last is None or last == first or high == low:
        raise ImageryError(
            f"quantization {str(stored)[:120]} says no values", hint="give orig_min, orig_max, quant_min, quant_max"
        )
    scale = (high - low) / (last - first)
    found = {"scale": scale, "offset": low - first * scale}
    nodata = _number(stored.get("nodata"))
    return found if nodata is None else found | {"nodata": nodata}


def _number(value: object, default: float | None = None) -> float | None:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def masks_of(asset: Json, bands: Sequence[BandSource], channels: Sequence[str], what: str) -> Iterator[MaskSource]:
    """Yield the masks that ``gw_masks`` of an asset explains; ``channels`` are the names of its bands there.

    Raises:
        ImageryError: it names a channel that the asset has not.
    """
    for entry in asset.get("gw_masks") or ():
        band = dict(zip(channels, bands, strict=True)).get(entry.get("channel"))
        if band is None:
            raise ImageryError(
                f"gw_masks of {what} names channel {entry.get('channel')!r}",
                hint=f"its channels: {', '.join(channels)}",
            )
        values = tuple(int(v) for v in entry.get("values") or ())
        yield MaskSource(
            str(entry.get("kind", "bitmask")), band.uri, band.index, band.grid, values, int(entry.get("bits") or 0)
        )


def written_bands(channels: Sequence[tuple[str, BandSource]]) -> list[Json]:
    """Return ``gw_bands`` for bands and the channels that they are stored under."""
    return [{"channel": channel, **{key: getattr(b, key) for key in _OWN}} for channel, b in channels]


def written_masks(channels: Sequence[tuple[str, MaskSource]]) -> list[Json]:
    """Return ``gw_masks`` for masks and the channels that they are stored under."""
    return [
        {"channel": channel, "kind": m.kind, "values": list(m.bad_values), "bits": m.bad_bits}
        for channel, m in channels
    ]
