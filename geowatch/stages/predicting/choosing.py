"""Which backend runs a run's network, in which windows: the recipe's, the one asked for, or the fastest here.

Before a recipe exists the choice is free: what is chosen is compared with the package's reference on windows of the
run's own imagery, or was by an earlier run that left its verdict in the cache. Once it exists, it is obeyed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from geowatch.errors import ConfigError, RecipeMismatchError
from geowatch.grid.windows import WindowLattice
from geowatch.package.backends import BACKENDS, open_reference
from geowatch.package.backends.base import Precision
from geowatch.package.cache import CompiledCache
from geowatch.package.choose import Asked, Choice, autotune, choose_backend
from geowatch.package.gate import Evidence, gather_evidence
from geowatch.package.prove import Proving, prove
from geowatch.package.tune import Cut
from geowatch.predict.recipe import BackendPin
from geowatch.stages.predicting.samples import masked_windows, sample_windows
from geowatch.stages.predicting.timing import settle_norm
from geowatch.stages.working.process import cores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geowatch.package import Package
    from geowatch.predict.recipe import Recipe
    from geowatch.stages.binding.parts import Part
    from geowatch.stages.predicting.config import PredictConfig
    from geowatch.stages.working.events import Events

__all__ = ["AUTO", "EVERY", "Chosen", "cache_of", "obeyed", "settle_backend", "threads_of"]

#: Values of ``jit`` that measure: what is quick to compile or in the cache, and everything.
AUTO, EVERY = "auto", "all"
#: Windows that are looked at for evidence, in windows of 256 px, and the fewest of larger ones.
LOOKED_AT, FEWEST = 12, 3
#: Larger windows that are tried, as multiples of the package's own, and their longest side in pixels.
LARGER, LONGEST_PX = (2, 4), 1024


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was settled."""

    pin: BackendPin
    """The backend, for the recipe."""
    windows: WindowLattice
    """Where windows stand."""
    reason: str
    """Why, in one line for people."""
    batch: int | None = None
    """Windows in a run that did best, where that was measured."""
    fused: bool = False
    """Whether the network's activation is compiled with it."""


def threads_of(config: PredictConfig, workers: int, pinned: int | None) -> int:
    """Return the threads of each network where ``workers`` share this machine: the recipe's, if it names them.

    >>> from geowatch.stages.predicting.config import PredictConfig
    >>> threads_of(PredictConfig(threads=3), 1, None), threads_of(PredictConfig(threads=3), 1, 2)
    (3, 2)
    """
    if pinned is not None:
        return pinned
    if config.threads is not None:
        return config.threads
    return 1 if config.scheduler is not None else max(1, cores() // max(1, workers))


def cache_of(config: PredictConfig) -> CompiledCache | None:
    """Return the cache of compiled networks that the options name."""
    return None if config.cache is None else CompiledCache(Path(config.cache))


def obeyed(config: PredictConfig, pinned: Recipe) -> Chosen:
    """Return what the run's recipe says. Raises RecipeMismatchError where the options say otherwise."""
    pin = pinned.backend
    device = config.device and config.device.partition(":")[0]
    asked = {
        "--jit": (None if config.jit in {AUTO, EVERY} else config.jit, pin.name),
        "--precision": (config.precision, pin.precision),
        "--device": (device, pin.device.partition("-")[0]),
        "--threads": (config.threads if pin.threads else None, pin.threads),
    }
    lines = [
        f"{name}: {here} here, {there} in the run" for name, (here, there) in asked.items() if here not in {None, there}
    ]
    if lines:
        raise RecipeMismatchError(
            f"the run was begun with another backend: {'; '.join(lines)}",
            hint="leave these options out to go on with it, or start another run with --run",
        )
    windows = WindowLattice(pinned.window_px, pinned.stride_px)
    return Chosen(pin, windows, "as the run's recipe says", fused=pinned.fused)


def settle_backend(
    config: PredictConfig, packages: Sequence[Package], parts: Sequence[Part], windows: WindowLattice, events: Events
) -> Chosen:
    """Choose the backend of a run that has no recipe yet.

    Args:
        config: what is asked for.
        packages: the run's package, and those that answer beside it.
        parts: planes of the heatmap, whose imagery backends are compared on.
        windows: windows as asked for, or the package's own.
        events: hears the measurements, and what was passed over.

    Raises:
        BackendError: for a backend that cannot run or does not pass the gate, with the figures.
    """
    package, *members = packages
    asked = _asked(config)
    proving = _proving(config, package, parts, windows, asked.threads, events)
    own = _cut(windows, parts)
    if config.jit in {AUTO, EVERY}:
        choice = autotune(proving, asked, [own, *_larger(config, package, own, windows, parts)])
        if choice.timed:
            events.note("backends measured on this machine:\n" + "\n".join(choice.table))
    else:
        choice = choose_backend(proving, asked, own)
        for name, why in choice.refused.items():
            events.note(f"{name} was passed over: {why}")
    _prove_members(config, members, parts, choice, events)
    lattice = WindowLattice(choice.cut.size, choice.cut.stride)
    fused = proving.form(choice.spec) is not package
    return Chosen(BackendPin(**asdict(choice.identity)), lattice, choice.reason, choice.spec.batch, fused)


def _asked(config: PredictConfig) -> Asked:
    name = None if config.jit in {None, AUTO, EVERY} else config.jit
    _check(name, BACKENDS, "--jit")
    _check(config.precision, get_args(Precision), "--precision")
    threads = config.threads or (cores() // config.workers if config.workers else 1)
    return Asked(
        name=name,  # type: ignore[arg-type]  # checked above
        precision=config.precision,  # type: ignore[arg-type]
        device=config.device or "cpu",
        threads=max(1, threads),
        batch=config.batch,
        slow=config.jit == EVERY,
    )


def _check(value: str | None, known: Sequence[str], option: str) -> None:
    if value is not None and value not in known:
        raise ConfigError(f"{option} got '{value}'", hint=f"choose from {', '.join(known)}")


def _proving(
    config: PredictConfig, package: Package, parts: Sequence[Part], windows: WindowLattice, threads: int, events: Events
) -> Proving:
    @cache
    def evidence(size: tuple[int, int]) -> Evidence:
        lattice = _resized(windows, size)
        area = size[0] * size[1] / 256**2
        norm = settle_norm(config.norm, None)
        count = max(FEWEST, round(LOOKED_AT / max(1.0, area)))
        seen = sample_windows(package.manifest, lattice, parts, count, norm)
        if seen is None:
            return Evidence.of_nothing(masked_windows(package.manifest, size))
        reference = open_reference(package, threads=max(threads, cores()))
        try:
            found = gather_evidence(package.manifest, reference, seen)
        finally:
            reference.close()
        if found.classes < 2:
            events.note(f"the gate saw one class only in {found.count} windows, where agreement says little")
        return found

    # Whoever averages logits or looks for dropout needs what comes before the activation.
    return Proving(package, evidence, cache_of(config), fused=config.looks == type(config.looks)())


def _prove_members(
    config: PredictConfig, members: Sequence[Package], parts: Sequence[Part], choice: Choice, events: Events
) -> None:
    """Let the other packages pass the gate with the backend that was chosen for the first."""
    windows = WindowLattice(choice.cut.size, choice.cut.stride)
    for member in members:
        prove(_proving(config, member, parts, windows, choice.spec.threads, events), choice.spec)


def _cut(windows: WindowLattice, parts: Sequence[Part]) -> Cut:
    count = sum(len(down) * len(right) for down, right in (windows.touching(p.extent & p.grid.bounds) for p in parts))
    return Cut(windows.size, windows.stride, max(1, count))


def _larger(
    config: PredictConfig, package: Package, own: Cut, windows: WindowLattice, parts: Sequence[Part]
) -> list[Cut]:
    """Return larger windows with the same overlap in pixels, where nothing that was asked for stands against them."""
    rule = package.manifest.window
    if rule.fixed or config.window or config.overlap or config.memory_bytes or config.looks != type(config.looks)():
        return []
    if package.manifest.boxes:
        return []  # how many objects a window has room for goes with its size
    sizes = [(own.size[0] * n, own.size[1] * n) for n in LARGER]
    fitting = [size for size in sizes if max(size) <= LONGEST_PX and rule.accepts(size)]
    return [_cut(_resized(windows, size), parts) for size in fitting]


def _resized(windows: WindowLattice, size: tuple[int, int]) -> WindowLattice:
    """Return windows of another size that overlap by the same pixels."""
    down, right = (n - old + step for n, old, step in zip(size, windows.size, windows.stride, strict=True))
    return WindowLattice(size, (down, right))
