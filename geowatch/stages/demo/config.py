"""What the demonstration of sites is asked for."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DemoSitesConfig"]


@dataclass(frozen=True)
class DemoSitesConfig:
    """What the demonstration is asked for."""

    out: str = "gw-demo-sites"
    """Folder of the series, the package and the run."""
    seed: int = 0
    """What everything random depends on."""
    region: str | None = None
    """SMART region model to simulate over; None makes a region up."""
    truth: tuple[str, ...] = ()
    """Site models of that region, or folders of them: what is built there, and what scores are taken against. Left out:
    the summaries in the region model."""
    size_px: int = 384
    """Side of a made-up region in pixels."""
    resolution: float = 10.0
    """Side of a pixel in metres; the coarser of the two sensors has three times as much."""
    revisit_days: int = 10
    """Days from one pass of the finer sensor to the next; the coarser one's grow alike."""
    cloudy: float = 0.4
    """Share of all looks at a pixel that are under cloud or shadow, 0 to 1."""
    start: str | None = None
    """First day of the series, YYYY-MM-DD. None: the real region's, or 2017-01-01."""
    end: str | None = None
    """Last day of the series. None: the real region's, or 2020-12-31."""
    lat: float = 45.0
    """Latitude of a made-up region in degrees: seasons and shadows follow it."""
    tiles: int = 9
    """Tiles that the region is cut into: a square number, about as many for a real region; it changes no site."""
    max_cloud: float = 70.0
    """Leave out images with more cloud than this, percent."""
    model: str | None = None
    """Package of another detector of the same classes; None makes the one that needs no training."""
    workers: int | None = None
    """Processes of predict and track; 1 works without Dask. None: as predict finds fit."""
