"""How results are said."""

from __future__ import annotations

__all__ = ["counted"]


def counted(number: int, what: str) -> str:
    """Return a number of things in words.

    >>> counted(1, "image"), counted(0, "label")
    ('1 image', '0 labels')
    """
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
