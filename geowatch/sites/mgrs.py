"""Names of 100 km squares of the Military Grid Reference System, such as ``23KPR``.

A longitude and latitude come in (WGS 84), a name goes out: zone (two digits), band, column and row of the square;
near the poles, beyond 84° north and 80° south, column and row of the polar grid alone. Projections are written out
here: transverse Mercator as Krüger's series (1912) to the third order, good to less than a millimetre within a zone;
polar stereographic as Snyder gives it (1987, section 21). Letters follow NGA.SIG.0012 (2014).
"""

from __future__ import annotations

import math

__all__ = ["square"]

_A_M, _F = 6378137.0, 1 / 298.257223563
_E = math.sqrt(_F * (2 - _F))
_N = _F / (2 - _F)
_RADIUS_M = _A_M / (1 + _N) * (1 + _N**2 / 4 + _N**4 / 64)
_ALPHA = (
    _N / 2 - 2 / 3 * _N**2 + 5 / 16 * _N**3,
    13 / 48 * _N**2 - 3 / 5 * _N**3,
    61 / 240 * _N**3,
)
_BANDS = "CDEFGHJKLMNPQRSTUVWX"
_COLUMNS = ("ABCDEFGH", "JKLMNPQR", "STUVWXYZ")
_ROWS = "ABCDEFGHJKLMNPQRSTUV"
_POLAR_ROWS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
#: Columns of the polar halves by their first letter, and where the first column and row begin, in 100 km.
_POLAR = {
    "A": ("JKLPQRSTUXYZ", 8, 8), "B": ("ABCFGHJKLPQR", 20, 8), "Y": ("RSTUXYZ", 13, 13), "Z": ("ABCFGHJ", 20, 13),
}  # fmt: skip


def square(lon: float, lat: float) -> str:
    """Return the name of the 100 km square that a point lies in.

    >>> square(-43.9, -22.6), square(5.3, 60.4), square(0.0, 90.0)
    ('23KPR', '32VKN', 'ZAH')

    Args:
        lon: Longitude in degrees; beyond ±180 it goes on around the globe.
        lat: Latitude in degrees, -90 to 90.
    """
    if not (-90 <= lat <= 90 and math.isfinite(lon)):
        raise ValueError(f"longitude {lon}, latitude {lat} is no place on the globe")
    lon = (lon + 180) % 360 - 180
    return _polar(lon, lat) if lat < -80 or lat > 84 else _utm(lon, lat)


def _utm(lon: float, lat: float) -> str:
    zone = _zone(lon, lat)
    easting_m, northing_m = _mercator(lon - (6 * zone - 183), lat)
    column = _COLUMNS[(zone - 1) % 3][int(easting_m // 1e5) - 1]
    row = (int(northing_m // 1e5) + (0 if zone % 2 else 5)) % 20
    return f"{zone:02d}{_BANDS[min(int((lat + 80) // 8), 19)]}{column}{_ROWS[row]}"


def _zone(lon: float, lat: float) -> int:
    """Return the zone of UTM; Norway's south-west and Svalbard have zones of their own widths."""
    if 56 <= lat < 64 and 3 <= lon < 12:
        return 32
    if lat >= 72 and 0 <= lon < 42:
        return 31 + 2 * sum(lon >= edge for edge in (9, 21, 33))
    return int((lon + 180) // 6) + 1


def _mercator(east_deg: float, lat: float) -> tuple[float, float]:
    """Return easting and northing, in metres, of a point ``east_deg`` east of the zone's meridian."""
    phi, lam = math.radians(lat), math.radians(east_deg)
    t = math.sinh(math.atanh(math.sin(phi)) - _E * math.atanh(_E * math.sin(phi)))
    xi = math.atan2(t, math.cos(lam))
    eta = math.asinh(math.sin(lam) / math.hypot(t, math.cos(lam)))
    east, north = eta, xi
    for k, alpha in enumerate(_ALPHA, start=1):
        east += alpha * math.cos(2 * k * xi) * math.sinh(2 * k * eta)
        north += alpha * math.sin(2 * k * xi) * math.cosh(2 * k * eta)
    scale = 0.9996 * _RADIUS_M
    return 5e5 + scale * east, scale * north + (1e7 if lat < 0 else 0)


def _polar(lon: float, lat: float) -> str:
    phi, lam = math.radians(abs(lat)), math.radians(lon)
    sine = _E * math.sin(phi)
    t = math.tan(math.pi / 4 - phi / 2) / ((1 - sine) / (1 + sine)) ** (_E / 2)
    spread = math.sqrt((1 + _E) ** (1 + _E) * (1 - _E) ** (1 - _E))
    radius = 2 * _A_M * 0.994 * t / spread
    easting = 20 + radius * math.sin(lam) / 1e5
    northing = 20 + math.copysign(radius, -lat) * math.cos(lam) / 1e5
    half = "AB" if lat < 0 else "YZ"
    letter = half[easting >= 20]
    columns, first_column, first_row = _POLAR[letter]
    return f"{letter}{columns[int(easting) - first_column]}{_POLAR_ROWS[int(northing) - first_row]}"
