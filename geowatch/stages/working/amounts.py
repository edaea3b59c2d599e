"""Amounts in words, as stages say them of their work."""

from __future__ import annotations

__all__ = ["in_pixels"]


def in_pixels(count: float) -> str:
    """Return a number of pixels in words, small ones to the pixel.

    >>> in_pixels(1), in_pixels(12_345), in_pixels(2_340_000)
    ('1 pixel', '12,345 pixels', '2.3 megapixels')
    """
    if count >= 100_000:
        return f"{count / 1e6:,.1f} megapixels"
    return f"{count:,.0f} {'pixel' if count == 1 else 'pixels'}"
