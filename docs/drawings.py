"""The drawings of docs/concepts, as SVG."""

from __future__ import annotations


def drawings() -> dict[str, str]:
    """Give each drawing by name."""
    return {}
