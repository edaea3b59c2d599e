"""Region files: GeoJSON from disk."""

from __future__ import annotations

import json
from pathlib import Path

from geowatch.errors import RegionError
from geowatch.grid.region import Region, parse_region

__all__ = ["read_region_file"]


def read_region_file(path: str) -> Region:
    """Return the region in a GeoJSON file.

    Raises:
        RegionError: it cannot be read, or is no region.
    """
    try:
        document = json.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise RegionError(
            f"the region file {path} cannot be read: {error.strerror}", hint="give a GeoJSON file"
        ) from error
    except (ValueError, RecursionError) as error:
        raise RegionError(f"the region file {path} is not JSON: {error!s:.200}", hint="give a GeoJSON file") from error
    return parse_region(document, name=Path(path).stem)
