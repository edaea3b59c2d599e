"""Band names: from what sensors and files call their bands to the field's common names.

Common names are those of the STAC electro-optical extension. A file's band is told by the end of its name
(`split_name`): ``s2_B02.jp2`` is band ``B02`` of the scene ``s2``; two digits and ``B8A`` are Sentinel-2's
way, one digit is Landsat's.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

__all__ = ["COMMON_NAMES", "LANDSAT_OLI", "LANDSAT_TM", "SENTINEL_2", "common_name", "family_of",
    "split_name", "time_in"]  # fmt: skip

SENTINEL_2 = {
    "B01": "coastal", "B02": "blue", "B03": "green", "B04": "red", "B05": "rededge071", "B06": "rededge075",
    "B07": "rededge078", "B08": "nir", "B8A": "nir08", "B09": "nir09", "B10": "cirrus", "B11": "swir16",
    "B12": "swir22",
}  # fmt: skip
LANDSAT_OLI = {
    "B1": "coastal", "B2": "blue", "B3": "green", "B4": "red", "B5": "nir08", "B6": "swir16", "B7": "swir22",
    "B8": "pan", "B9": "cirrus", "B10": "lwir11", "B11": "lwir12",
}  # fmt: skip
LANDSAT_TM = {
    "B1": "blue", "B2": "green", "B3": "red", "B4": "nir08", "B5": "swir16", "B6": "lwir", "B7": "swir22",
    "B8": "pan",
}  # fmt: skip
COMMON_NAMES = frozenset(
    {*SENTINEL_2.values(), *LANDSAT_OLI.values(), *LANDSAT_TM.values(), "rededge", "yellow", "gray"}
)

_MASKS = ("SCL", "QA_PIXEL", "QA_RADSAT", "BQA")
_SENSOR_BAND = r"(?:SR_|ST_)?B(?:0[1-9]|1[0-2]|8A|[1-9])"
_TOKEN = re.compile(
    rf"^(?P<key>.*?)(?:^|[_.\-])(?P<token>{_SENSOR_BAND}|{'|'.join(_MASKS)}|{'|'.join(sorted(COMMON_NAMES))})"
    r"(?:_(?P<res>\d{2,3})m)?$",
    re.IGNORECASE,
)
_LANDSAT_BANDS = {"LC": LANDSAT_OLI, "LO": LANDSAT_OLI, "LT": LANDSAT_TM, "LE": LANDSAT_TM}
_TIME = re.compile(r"(?<!\d)((?:19|20)\d{2})-?(\d{2})-?(\d{2})(?:T(\d{2}):?(\d{2}):?(\d{2}))?(?!\d)")


def split_name(stem: str) -> tuple[str, str] | None:
    """Split a file's stem into (scene, band) where it ends with a band's name.

    >>> split_name("s2_B02"), split_name("T32TQM_20200601T101559_B8A_20m"), split_name("photo")
    (('s2', 'B02'), ('T32TQM_20200601T101559', 'B8A'), None)
    """
    match = _TOKEN.match(stem)
    if match is None:
        return None
    token = match["token"]
    return match["key"], token.lower() if token.lower() in COMMON_NAMES else token.upper()


def family_of(natives: set[str], key: str = "") -> str | None:
    """Return ``sentinel-2`` or ``landsat`` for a set of native band names, None if they do not say.

    >>> family_of({"B02", "B8A"}), family_of({"B2", "BQA"}), family_of({"red"})
    ('sentinel-2', 'landsat', None)
    """
    if "SCL" in natives or any(re.fullmatch(r"B0\d|B8A", n) for n in natives):
        return "sentinel-2"
    landsat = any(re.fullmatch(r"(SR_|ST_)?B\d|BQA|QA_PIXEL", n) for n in natives)
    return "landsat" if landsat or re.match(r"L[COTE]0[4-9]_", key) else None


def common_name(native: str, family: str | None, key: str = "") -> str:
    """Return the common name of a sensor's band; the name itself where there is none.

    >>> common_name("B04", "sentinel-2"), common_name("SR_B4", "landsat")
    ('red', 'red')
    >>> common_name("B4", "landsat", "LT05_L1TP")
    'nir08'
    """
    name = re.sub(r"^(SR|ST)_", "", native.upper())
    if family == "sentinel-2":
        return SENTINEL_2.get(name, native.lower())
    if family == "landsat":
        return _LANDSAT_BANDS.get(key[:2].upper(), LANDSAT_OLI).get(name, native.lower())
    return native.lower()


def time_in(name: str) -> datetime | date | None:
    """Return the first time (UTC) that a file's name holds, or the first date where it tells no hour.

    >>> time_in("T32TQM_20200601T101559").isoformat(), time_in("field_2019-05-03").isoformat(), time_in("s2")
    ('2020-06-01T10:15:59+00:00', '2019-05-03', None)
    """
    for match in _TIME.finditer(name):
        year, month, day, hour, minute, second = (None if g is None else int(g) for g in match.groups())
        try:
            known = date(year or 0, month or 0, day or 0)
            if hour is None:
                return known
            return datetime(known.year, known.month, known.day, hour, minute or 0, second or 0, tzinfo=UTC)
        except ValueError:
            continue
    return None
