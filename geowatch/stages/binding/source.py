"""Where imagery is and what its numbers mean: what every command that reads images can be told."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date

from geowatch.errors import ConfigError
from geowatch.read.options import SceneOptions
from geowatch.read.remote import Remote

__all__ = ["SourceConfig", "day_of"]


@dataclass(frozen=True)
class SourceConfig:
    """Where imagery is, and what its numbers mean."""

    images: tuple[str, ...] = ()
    """Files, folders, globs, STAC documents or kwcoco bundles; https and s3 addresses of them, and s3 prefixes."""
    video: str | None = None
    """Series of a kwcoco bundle to take, by name."""
    sensor: str | None = None
    """Sensor preset, such as sentinel-2-l1c, where files do not say it."""
    bands: tuple[str, ...] = ()
    """Names of the bands of multi-band files, in order."""
    stack: tuple[str, ...] = ()
    """Days of multi-band files that hold the bands of one day after another, in order, YYYY-MM-DD."""
    scale: float | None = None
    """Physical value of one stored unit."""
    offset: float | None = None
    """Physical value of stored 0."""
    nodata: float | None = None
    """Stored value that means no data."""
    sun_elevation: float | None = None
    """Elevation of the sun in degrees, for top-of-atmosphere reflectance of Landsat level 1."""
    mask: tuple[str, ...] = ("fill",)
    """What the product's own mask hides: fill, saturated, cloud, cirrus, shadow, snow, water, dark."""
    mask_band: str | None = None
    """Band that is a mask, for products that gw does not know."""
    mask_values: tuple[int, ...] = ()
    """Numbers of that band that hide a pixel."""
    mask_bits: int = 0
    """Bits of that band that hide a pixel."""
    s3_endpoint: str | None = None
    """Address of an S3 service other than Amazon's, such as https://minio.example.org:9000."""
    s3_region: str | None = None
    """Region of the buckets, where the service does not tell it."""
    anonymous: bool = False
    """Read buckets without credentials: open data."""
    requester_pays: bool = False
    """Pay for what is read from buckets whose owner does not."""
    timeout: float = 30.0
    """Longest wait for a server, in seconds."""

    @property
    def remote(self) -> Remote:
        """How remote imagery is reached."""
        return Remote(
            endpoint=self.s3_endpoint,
            region=self.s3_region,
            anonymous=self.anonymous,
            requester_pays=self.requester_pays,
            timeout_s=self.timeout,
        )

    @property
    def options(self) -> SceneOptions:
        """The same, as readers take it."""
        names = {f.name for f in fields(SceneOptions)} & {f.name for f in fields(self)}
        same = {name: getattr(self, name) for name in names - {"stack"}}
        days = tuple(map(day_of, self.stack))
        return SceneOptions(**same, stack=days, sun_elevation_deg=self.sun_elevation, remote=self.remote)


def day_of(text: str) -> date:
    """Return a day that a user wrote. Raises ConfigError for what is none."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"'{text}' is no day", hint="write it as YYYY-MM-DD, such as 2020-06-01") from error
