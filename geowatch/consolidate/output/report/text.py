"""Numbers, days and elements as the page writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

__all__ = ["area", "days", "element", "many", "plain_area", "size"]


def element(name: str, content: str, kind: str = "") -> str:
    """Return an element that holds content as it stands, which is escaped already."""
    return f'<{name} class="{kind}">{content}</{name}>' if kind else f"<{name}>{content}</{name}>"


def many(count: int, noun: str) -> str:
    """Return a count with its noun.

    >>> many(1, "site"), many(1200, "site")
    ('1 site', '1,200 sites')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def area(area_m2: float, crs: str | None) -> str:
    """Return an area in the unit that fits, as HTML; pixels without a CRS have no metres.

    >>> area(2400.0, "EPSG:32618"), area(84_000.0, "EPSG:32618"), area(3_210_000.0, "EPSG:32618")
    ('2,400 <small>m²</small>', '8.4 <small>ha</small>', '3.21 <small>km²</small>')
    >>> area(84_000.0, None)
    '84,000 <small>px</small>'
    """
    if crs is None:
        return f"{area_m2:,.0f} <small>px</small>"
    if area_m2 >= 1e6:
        return f"{area_m2 / 1e6:,.2f} <small>km²</small>"
    if area_m2 >= 1e4:
        return f"{area_m2 / 1e4:,.1f} <small>ha</small>"
    return f"{area_m2:,.0f} <small>m²</small>"


def plain_area(area_m2: float, crs: str | None) -> str:
    """Return an area in the unit that fits, as text.

    >>> plain_area(84_000.0, "EPSG:32618")
    '8.4 ha'
    """
    return area(area_m2, crs).replace("<small>", "").replace("</small>", "")


def days(start: date | None, end: date | None) -> str:
    """Return a range of days.

    >>> from datetime import date
    >>> days(date(2020, 5, 1), None)
    'from 2020-05-01'
    """
    if start and end:
        return f"{start} to {end}"
    return f"from {start}" if start else f"until {end}" if end else ""


def size(size_bytes: int) -> str:
    """Return a file's size.

    >>> size(950), size(12_400), size(3_000_000)
    ('1 kB', '12 kB', '3.0 MB')
    """
    if size_bytes >= 1e6:
        return f"{size_bytes / 1e6:.1f} MB"
    return f"{max(1, round(size_bytes / 1e3))} kB"
