"""What a run's networks take in memory: packages, backend and ways of looking into the workload that plans are made of.

Nothing is opened and nothing runs: all of it follows from the packages' graphs and from what is asked for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from geowatch.package.backends import BACKENDS
from geowatch.package.footprint import Running, footprint
from geowatch.predict.augment import transforms_of
from geowatch.predict.combine import Joining
from geowatch.predict.scoring import Looks
from geowatch.stages.predicting.choosing import FEWEST, LOOKED_AT, threads_of
from geowatch.stages.predicting.samples import SAMPLE_CACHE_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geowatch.grid.estimate import Workload
    from geowatch.package import Package
    from geowatch.package.footprint import Footprint
    from geowatch.predict.recipe import Recipe
    from geowatch.stages.predicting.config import PredictConfig

__all__ = ["backends_of", "looks_asked", "running_of", "with_network"]

#: Batches that are scored at a time.
_SCORING = 2
#: Outputs that are held of a window while backends are compared: both answers, their probabilities, and differences.
_COMPARED = 6
#: Backends that are measured where the choice is left to that, as far as they are quick to open.
_MEASURED = ("onnxruntime", "openvino", "eager")


def with_network(load: Workload, packages: Sequence[Package], looks: Looks, running: Sequence[Running]) -> Workload:
    """Return a workload with what the networks take.

    Args:
        load: Windows, bands and classes.
        packages: The run's package, and those that answer beside it.
        looks: Ways of looking at a window.
        running: How they run; of several ways the one that takes the most counts.
    """
    if load.windows is None:
        return load
    first = packages[0].manifest
    scale = max(way.scale for way in looks.transforms)
    height, width = (round(side * max(1.0, scale)) + first.window.multiple_of for side in load.windows.size)
    shown = (height, width) if scale > 1 else load.windows.size
    sizes = len({way.scale for way in looks.transforms})

    def loaded(way: Running) -> Workload:
        feet = [footprint(package, replace(way, window_px=shown)) for package in packages]
        if looks.passes:
            feet.append(footprint(packages[0], replace(way, backend="eager", window_px=shown)))
        # Each compiled form keeps its memory, one for each size.
        forms = sizes if way.backend == "openvino" else 1
        return replace(
            load,
            network_bytes=sum(each.fixed_bytes for each in feet),
            window_bytes=sum(each.window_bytes for each in feet) * forms,
            lanes=way.threads,
            at_once=feet[0].at_once,
            answer_bytes=_answers(feet[0], looks, len(packages)),
            gate_bytes=_gate(feet[0], load, SAMPLE_CACHE_BYTES),
        )

    return max(map(loaded, running), key=lambda each: each.network_bytes + each.window_bytes * each.windows_at_once)


def _answers(feet: Footprint, looks: Looks, packages: int) -> int:
    """Return what the answers to one window take: output, and where there are several, copies and running means."""
    means = 2
    if looks.runs(packages) > 1:
        means += 3 + 5 * looks.joining.over_transforms + 3 * bool(looks.passes)
        means += (packages + 3) * looks.joining.over_members
    shown = feet.input_bytes if len(looks.transforms) > 1 else 0
    return _SCORING * (shown + means * feet.answer_bytes)


def _gate(feet: Footprint, load: Workload, cache_bytes: int) -> int:
    """Return what windows for the comparison take: those that are looked at, and those of them that are kept."""
    height, width = load.windows.size if load.windows is not None else (0, 0)
    count = max(FEWEST, round(LOOKED_AT / max(1.0, height * width / 256**2)))
    read = 4 * height * width * (load.bands or 0)
    return (LOOKED_AT + count) * max(feet.input_bytes, read) + count * _COMPARED * feet.answer_bytes + cache_bytes


def looks_asked(config: PredictConfig) -> Looks:
    """Return the ways of looking that are asked for, before there is a recipe."""
    kinds = config.looks.uncertainty or ()
    joining = Joining("soft", "probability", "tta" in kinds, "ensemble" in kinds)
    passes = (config.looks.passes or 1) if "mc-dropout" in kinds else 0
    return Looks(transforms_of(config.looks.tta or ()), joining, passes=passes)


def backends_of(config: PredictConfig) -> tuple[str, ...]:
    """Return the backends of which one will run the network, before there is a recipe."""
    if config.jit in BACKENDS:
        return (str(config.jit),)
    return ("onnxruntime",) if config.jit is None else _MEASURED


def running_of(config: PredictConfig, pinned: Recipe | None) -> list[Running]:
    """Return how the network will run, as far as that is known."""
    threads = threads_of(config, config.workers or 1, pinned.backend.threads if pinned else None)
    if pinned is not None:
        return [Running(pinned.backend.name, threads=threads, fixed_batch=pinned.backend.fixed_batch)]
    return [Running(name, threads=threads) for name in backends_of(config)]
