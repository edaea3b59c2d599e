"""Band names: from what sensors and files call their bands to the field's common names.

Common names are those of the STAC electro-optical extension. A file's band is told by the end of its name
(`split_name`): ``s2_B02.jp2`` is band ``B02`` of the scene ``s2``; two digits and ``B8A`` are Sentinel-2's
way, one digit is Landsat's.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from pathlib import PurePath

__all__ = ["COMMON_NAMES", "LANDSAT_OLI", "LANDSAT_TM", "SENTINEL_2", "common_name", "family_of",
    "sensor_band", "split_name", "time_in", "time_of_file"]  # fmt: skip

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
_CLOCK = r"(?P<hour>\d{2})[:._-]?(?P<minute>\d{2})[:._-]?(?P<second>\d{2})"
_YEAR = r"(?<!\d)(?P<year>(?:19|20)\d{2})"
#: Ways in which names say a time, the plainest first: a seven-digit number may be something else than a day of a year.
_TIMES = (
    re.compile(rf"{_YEAR}(?P<sep>[-_.]?)(?P<month>\d{{2}})(?P=sep)(?P<day>\d{{2}})(?:[T ]{_CLOCK})?(?!\d)"),
    re.compile(rf"{_YEAR}(?P<month>\d{{2}})(?P<day>\d{{2}}){_CLOCK}(?!\d)"),
    re.compile(rf"{_YEAR}-?(?P<of_year>[0-3]\d{{2}})(?:T{_CLOCK})?(?!\d)"),
)


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

    >>> common_name("B04", "sentinel-2"), common_name("B4", "sentinel-2"), common_name("SR_B4", "landsat")
    ('red', 'red', 'red')
    >>> common_name("B4", "landsat", "LT05_L1TP")
    'nir08'
    """
    name = re.sub(r"^(SR|ST)_", "", native.upper())
    if family == "sentinel-2":
        return SENTINEL_2.get(re.sub(r"^B(\d)$", r"B0\1", name), native.lower())
    if family == "landsat":
        return _LANDSAT_BANDS.get(key[:2].upper(), LANDSAT_OLI).get(name, native.lower())
    return native.lower()


def sensor_band(native: str, sensor: str) -> str:
    """Return the common name of a band of ``sensor``, as gw calls sensors; the name itself where there is none.

    >>> sensor_band("B8A", "sentinel-2-l2a"), sensor_band("B4", "landsat-8"), sensor_band("B4", "landsat-5-l2")
    ('nir08', 'red', 'nir08')
    """
    family = next((f for f in ("sentinel-2", "landsat") if sensor.startswith(f)), None)
    # Landsat 4 to 7 number their bands in another way; products say which by the first letters of their names.
    older = sensor.startswith(("landsat-4", "landsat-5", "landsat-7"))
    return common_name(native, family, "LT" if older else "")


def time_in(name: str) -> datetime | date | None:
    """Return the first time (UTC) that a file's name holds, or the first date where it tells no hour.

    Dates are year, month and day, alike divided by nothing, ``-``, ``_`` or ``.``; or year and day of the year,
    where no other date is there. Which of two numbers of two digits is the month cannot be told: the year is first.

    >>> time_in("T32TQM_20200601T101559").isoformat(), time_in("field_2019_05_03").isoformat(), time_in("s2")
    ('2020-06-01T10:15:59+00:00', '2019-05-03', None)
    >>> time_in("20200601103031").isoformat(), time_in("MOD13Q1.A2020153.h18v04").isoformat(), time_in("03-05-2019")
    ('2020-06-01T10:30:31+00:00', '2020-06-01', None)
    """
    found = (_time_of(match.groupdict()) for form in _TIMES for match in form.finditer(name))
    return next((each for each in found if each is not None), None)


def _time_of(parts: dict[str, str | None]) -> datetime | date | None:
    """Return the time or the date of a match; None where there is no such day."""
    count = {key: int(text) for key, text in parts.items() if text and key != "sep"}
    try:
        if "of_year" in count:
            known = date(count["year"], 1, 1) + timedelta(days=count["of_year"] - 1)
            if count["of_year"] < 1 or known.year != count["year"]:
                return None
        else:
            known = date(count["year"], count["month"], count["day"])
    except ValueError:
        return None
    if "hour" not in count or count["hour"] > 23 or count["minute"] > 59 or count["second"] > 59:
        return known
    clock = time(count["hour"], count["minute"], count["second"], tzinfo=UTC)
    return datetime.combine(known, clock)


def time_of_file(stem: str, folder: PurePath) -> datetime | date | None:
    """Return the time that a file's name or its folder's says; folders may be ``2020/06/01``, one in the other.

    >>> time_of_file("img", PurePath("/series/2020/06/01")).isoformat()
    '2020-06-01'
    """
    named = time_in(stem) or time_in(folder.name)
    if named is not None:
        return named
    nested = "-".join(folder.parts[-3:])
    return time_in(nested) if re.fullmatch(r"\d{4}-\d{2}-\d{2}", nested) else None
