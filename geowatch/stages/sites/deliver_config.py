"""What is to be made of a region's sites: the options that every command that writes deliverables has."""

from __future__ import annotations

from dataclasses import dataclass

from geowatch.errors import ConfigError
from geowatch.sites.model import PERFORMERS

__all__ = ["OUTPUTS", "DeliverConfig"]

OUTPUTS = ("parquet", "fgb", "gpkg", "geojson", "smart", "summary", "picture", "mosaic", "stac", "report")
"""What can be made, in the order in which it is made."""


@dataclass(frozen=True)
class DeliverConfig:
    """Which files are written of the sites, and how."""

    outputs: tuple[str, ...] | None = None
    """Any of parquet, fgb, gpkg, geojson, smart, summary, picture, mosaic, stac, report; None for all that fit the
    region."""
    region_id: str | None = None
    """Region id in SMART documents, such as KR_R001, where the region's own is no such id."""
    originator: str = "kit"
    """Code of who proposes the sites, in SMART documents."""
    geojson_bytes: int = 64_000_000
    """Largest GeoJSON that is written; other files have no limit."""
    mosaic_crs: str | None = None
    """CRS of the joined maps; None for EPSG:4326 where the region spans several zones, else none is made."""
    mosaic_aggregate: str = "latest"
    """How a series becomes one joined map: latest (date), latest-valid (each pixel's latest score), mean, max, median
    or norm:P of all dates that were tracked."""
    report_sites: int = 60
    """Sites that the report shows with a time line, largest first."""

    def __post_init__(self) -> None:
        unknown = [name for name in self.outputs or () if name not in OUTPUTS]
        if unknown:
            raise ConfigError(f"'{unknown[0]}' is no output", hint=f"choose from {', '.join(OUTPUTS)}")
        if self.report_sites < 0 or self.geojson_bytes < 1:
            raise ConfigError("negative limits", hint="give --report-sites from 0 and --geojson-bytes above 0")
        if self.originator not in PERFORMERS:
            raise ConfigError(
                f"'{self.originator}' is no originator of proposals", hint=f"choose from {', '.join(PERFORMERS)}"
            )

    def asks(self, name: str) -> bool:
        """Whether an output is asked for by name."""
        return self.outputs is not None and name in self.outputs

    def wants(self, name: str) -> bool:
        """Whether an output is to be made where it can be."""
        return self.outputs is None or name in self.outputs
