"""What predict is asked for; beside the stage, since opening a run and settling its recipe need it too."""

from __future__ import annotations

from dataclasses import dataclass, field

from geowatch.stages.binding.imagery import ImageryConfig
from geowatch.stages.predicting.looks import LooksConfig
from geowatch.stages.predicting.timing import NormConfig, TimeConfig

__all__ = ["PredictConfig"]


@dataclass(frozen=True)
class PredictConfig:
    """What predict is asked for. None means: as the run's recipe says, else the package's default."""

    run: str = "gw-run"
    """Run folder with a plan."""
    model: str | None = None
    """Package folder; may be left out when the run has one."""
    imagery: ImageryConfig = field(default_factory=ImageryConfig)
    """Imagery; may be left out when the run is bound to some."""
    jit: str | None = None
    """Backend: a name, ``auto`` to measure and take the fastest, or ``all`` to measure also what compiles for long."""
    precision: str | None = None
    """Number type of the network: fp32, bf16, fp16 or int8; ``auto`` takes any that passes the gate, else fp32."""
    device: str | None = None
    """Device of the network: cpu, cuda or cuda:1; None is cpu."""
    cache: str | None = None
    """Folder of compiled networks; None compiles in memory."""
    window: int | None = None
    """Side of a window in pixels, for networks that take several."""
    overlap: float | None = None
    """Overlap of windows: pixels, or a share of the window below 1."""
    blend: str | None = None
    """Blend weights: hann, gaussian, linear, crop or mean."""
    stored: str | None = None
    """Type of the heatmap: uint8 (default), uint16, float16 or float32."""
    looks: LooksConfig = field(default_factory=LooksConfig)
    """In which ways a window is looked at, and what is kept beside scores."""
    time: TimeConfig = field(default_factory=TimeConfig)
    """How planes stand in time, and what each sees of a series."""
    norm: NormConfig = field(default_factory=NormConfig)
    """Normalisation by hand."""
    min_score: float | None = None
    """Least score of a box that is kept, 0 to 1, at least the package's; None takes the package's."""
    batch: int | None = None
    """Most windows that run at once, 4 unless measured; it changes no value."""
    workers: int | None = None
    """Processes; 1 is a plain loop without Dask; None takes one for every 4 cores when there is enough to do."""
    threads: int | None = None
    """Threads of one network; part of the recipe where values depend on them, else one worker's share of the cores."""
    scheduler: str | None = None
    """Address of a running Dask scheduler."""
    shard: tuple[int, int] | None = None
    """(i, n): do the i-th of n shares of the sweeps, counted from 1."""
    memory_bytes: int | None = None
    """Memory that one worker may take."""
    in_memory: bool = False
    """Stitch the whole region in memory, for small regions; same values."""
    fsync: bool = False
    """Results survive a loss of power."""
    dry_run: bool = False
    """Say what would be done, do nothing."""
