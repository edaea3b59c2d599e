"""Choosing a backend before a run's recipe is pinned: as asked, by trust, or by measurement.

Whatever is chosen has passed the gate (`geowatch.package.prove`). A backend that was asked for by name and fails is
an error with the figures; where the choice is ours, the next one is taken, and the reason is told.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, get_args

from geowatch.errors import BackendError
from geowatch.package.backends import BACKENDS, BackendSpec, Precision, is_slow, refusal_of
from geowatch.package.backends.base import BackendIdentity, BackendName
from geowatch.package.prove import check_window, prove, remember_seconds, verdict_key
from geowatch.package.tune import Cut, Race, Timed, title, variants

if TYPE_CHECKING:
    from geowatch.package.bundle import Package
    from geowatch.package.cache import ArtifactKey
    from geowatch.package.gate import GateReport
    from geowatch.package.prove import Proving

__all__ = ["BUDGET_S", "Asked", "Choice", "autotune", "candidates", "choose_backend", "usual_batch"]

#: Seconds that measuring may take beside opening and compiling.
BUDGET_S = 15.0
#: Windows in a run where nobody says how many.
DEFAULT_BATCH = 4
#: What takes at most so much longer counts as equally fast: measuring is no more exact than that.
NEARLY = 1.05


def usual_batch(window_px: tuple[int, int]) -> int:
    """Return how many windows run at once where nobody says: fewer large ones, since memory follows their pixels.

    >>> usual_batch((256, 256)), usual_batch((512, 512)), usual_batch((64, 64))
    (4, 1, 4)
    """
    return min(DEFAULT_BATCH, max(1, DEFAULT_BATCH * 256**2 // (window_px[0] * window_px[1])))


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of the choice."""

    name: BackendName | None = None
    """The only backend; None leaves it open."""
    precision: Precision | None = None
    """The only number type; None is fp32, or whatever passes the gate when backends are measured."""
    device: str = "cpu"
    """Device."""
    threads: int = 1
    """Threads of one network."""
    batch: int | None = None
    """Windows in a run; None leaves it open."""
    slow: bool = False
    """Whether to measure also backends that compile for minutes and are not in the cache."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The backend that was chosen, and why."""

    identity: BackendIdentity
    """The chosen one's identity; belongs into the recipe."""
    spec: BackendSpec
    """The chosen one in the setting that did best."""
    cut: Cut
    """How to cut the imagery for it."""
    gate: GateReport | None
    """How far it is from the reference; None where an earlier run knew."""
    timed: tuple[Timed, ...] = ()
    """What was measured, the fastest first."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Those that cannot be used, with the reason."""
    left_out: tuple[str, ...] = ()
    """Those that were not tried since they compile for long."""

    @property
    def reason(self) -> str:
        """One line for people, such as ``openvino bf16: 6.1 ms a window, batch 4 (onnxruntime fp32 9.8)``."""
        name = f"{self.identity.name} {self.identity.precision}"
        if not self.timed:
            return f"{name}: {'passed the gate before' if self.gate is None else self.gate}"
        own = self.timed[0]
        rest = [f"{title(t.spec)} {t.seconds_per_window * 1e3:.1f}" for t in self.timed if title(t.spec) != name]
        behind = f" ({', '.join(dict.fromkeys(rest))})" if rest else ""
        return f"{name}: {own.seconds_per_window * 1e3:.1f} ms a window of {own.cut.size[0]} px{behind}"

    @property
    def table(self) -> tuple[str, ...]:
        """What was measured, a line each."""
        lines = [
            f"{title(t.spec):<18} window {t.cut.size[0]:>5} px  batch {t.spec.batch:>2}  "
            f"{t.seconds_per_window * 1e3:>8.1f} ms a window  {t.seconds:>8.1f} s in all"
            for t in self.timed
        ]
        lines += [f"{name:<18} refused: {why}" for name, why in self.refused.items()]
        return (*lines, *(f"{name:<18} not tried: it compiles for long (--jit all tries it)" for name in self.left_out))


def candidates(package: Package, asked: Asked) -> list[BackendSpec]:
    """Return what can run the package here as asked, most trusted first."""
    names = BACKENDS if asked.name is None else (asked.name,)
    precisions = get_args(Precision) if asked.precision is None else (asked.precision,)
    specs = [
        BackendSpec(name, asked.threads, precision, asked.device, batch=asked.batch or DEFAULT_BATCH)
        for name in names
        for precision in precisions
    ]
    return [spec for spec in specs if refusal_of(package, spec) is None]


def choose_backend(proving: Proving, asked: Asked, cut: Cut) -> Choice:
    """Take the backend that is asked for, or the most trusted one that passes the gate.

    Raises:
        BackendError: none passes; ``fact`` says why, with the figures.
    """
    asked = replace(asked, precision=asked.precision or "fp32")
    specs = candidates(proving.package, asked)
    if asked.name is not None and not specs:
        spec = BackendSpec(asked.name, precision=asked.precision or "fp32", device=asked.device)
        raise BackendError(
            f"backend '{asked.name}' cannot run here: {refusal_of(proving.package, spec)}",
            hint="gw doctor shows what this machine has, gw model show what runs the package",
        )
    specs = [replace(spec, batch=asked.batch or usual_batch(cut.size)) for spec in specs]
    quick = [spec for spec in specs if asked.name is not None or not is_slow(spec.name)]
    refused: dict[str, str] = {}
    for spec in (replace(spec, window_px=cut.size) for spec in quick):
        try:
            verdict = prove(proving, spec)
        except BackendError as error:
            if asked.name is not None:
                raise
            refused[title(spec)] = error.fact
        else:
            return Choice(verdict.identity, spec, cut, verdict.gate, refused=refused)
    raise _none(proving.package, refused)


def _none(package: Package, refused: Mapping[str, str]) -> BackendError:
    reasons = "; ".join(f"{name}: {why}" for name, why in refused.items()) or "there is none"
    return BackendError(f"no backend can run {package.manifest.name}: {reasons}", hint="gw doctor says what is here")


def autotune(proving: Proving, asked: Asked, cuts: Sequence[Cut], *, budget_s: float = BUDGET_S) -> Choice:
    """Measure what can run the package here and take the fastest that passes the gate.

    The result is kept in the cache; the same question is answered from there while no library changes.

    Args:
        proving: what backends are proven with.
        asked: limits of the choice.
        cuts: ways to cut the imagery into windows, the package's own first.
        budget_s: seconds that running networks may take in all.

    Raises:
        BackendError: none passes; ``fact`` says why for each.
    """
    specs = candidates(proving.package, asked)
    left_out = [] if asked.slow else [spec for spec in specs if is_slow(spec.name) and not _is_cached(proving, spec)]
    specs = [spec for spec in specs if spec not in left_out]
    known = _known_choice(proving, asked, specs, cuts)
    if known is not None:
        return known
    race = Race(proving, proving.evidence(cuts[0].size).windows, budget_s)
    first = race.run((replace(spec, window_px=cuts[0].size), cuts[0]) for spec in specs)
    refused: dict[str, str] = {}
    best = _fastest(proving, first, cuts[0], refused)
    others = race.run(_settings(proving, asked, best, cuts))
    timed = _ranked([*(t for t in first if title(t.spec) not in refused), *others])
    chosen = _fastest(proving, timed, cuts[0], refused)
    verdict = prove(proving, chosen.spec)
    rest = [t for t in timed if t is not chosen]
    choice = Choice(
        verdict.identity, chosen.spec, chosen.cut, verdict.gate, (chosen, *rest), {**race.refused, **refused},
        tuple(title(spec) for spec in left_out),
    )  # fmt: skip
    _keep_choice(proving, asked, specs, choice)
    return choice


def _ranked(timed: Sequence[Timed]) -> list[Timed]:
    """Return the fastest first; of those that are about as fast, first the one that takes the least memory."""
    limit = NEARLY * min((t.seconds for t in timed), default=0.0)
    near = sorted((t for t in timed if t.seconds <= limit), key=lambda t: (_pixels_at_once(t), t.seconds))
    return near + sorted((t for t in timed if t.seconds > limit), key=lambda t: t.seconds)


def _pixels_at_once(timed: Timed) -> int:
    return max(math.prod(timed.cut.size) * timed.spec.batch, DEFAULT_BATCH * 256**2)


def _settings(proving: Proving, asked: Asked, best: Timed, cuts: Sequence[Cut]) -> list[tuple[BackendSpec, Cut]]:
    """Return the settings of the fastest backend that are worth a trial."""
    identity = prove(proving, best.spec).identity
    found = variants(best, cuts, identity.fixed_batch)
    return [(spec, cut) for spec, cut in found if asked.batch in {None, spec.batch}]


def _fastest(proving: Proving, timed: Sequence[Timed], own: Cut, refused: dict[str, str]) -> Timed:
    """Return the first that passes the gate, noting those before it that do not."""
    for each in timed:
        try:
            prove(proving, each.spec)
            if each.cut != own:
                check_window(proving, each.spec, own.size)
        except BackendError as error:
            refused[title(each.spec) + ("" if each.cut == own else f" {each.cut.size[0]} px")] = error.fact
        else:
            remember_seconds(proving, each.spec, each.seconds_per_window)
            return each
    raise _none(proving.package, refused)


def _is_cached(proving: Proving, spec: BackendSpec) -> bool:
    """Whether a compiled form for this backend and precision is in the cache."""
    if proving.cache is None:
        return False
    wanted = {"package": proving.form(spec).digest, "backend": spec.name, "precision": spec.precision}
    return any(all(entry.key.get(k) == v for k, v in wanted.items()) for entry in proving.cache.entries())


def _known_choice(proving: Proving, asked: Asked, specs: Sequence[BackendSpec], cuts: Sequence[Cut]) -> Choice | None:
    """Return what an earlier run chose among the same candidates and cuts."""
    if proving.cache is None or not specs:
        return None
    note = proving.cache.verdict(_choice_key(proving, asked, specs))
    if note is None:
        return None
    cut = next((cut for cut in cuts if list(cut.size) == note["window_px"]), None)
    identity = BackendIdentity(**note["identity"])
    spec = next((s for s in specs if (s.name, s.precision) == (identity.name, identity.precision)), None)
    if cut is None or spec is None:
        return None
    return Choice(identity, replace(spec, window_px=cut.size, batch=note["batch"]), cut, None)


def _keep_choice(proving: Proving, asked: Asked, specs: Sequence[BackendSpec], choice: Choice) -> None:
    sure = proving.real and choice.gate is not None and choice.gate.classes > 1
    if proving.cache is not None and sure:
        note: dict[str, Any] = {
            "identity": asdict(choice.identity), "window_px": list(choice.cut.size), "batch": choice.spec.batch
        }  # fmt: skip
        proving.cache.put_verdict(_choice_key(proving, asked, specs), note)


def _choice_key(proving: Proving, asked: Asked, specs: Sequence[BackendSpec]) -> ArtifactKey:
    """Return what a choice depends on: the candidates with their libraries, and what was asked."""
    keys = [verdict_key(proving.package, spec, asked.threads) for spec in specs]
    versions = {pair for key in keys for pair in key.versions}
    form = "fused" if proving.fused else "plain"
    return replace(
        keys[0], backend="autotune", versions=tuple(sorted(versions)), precision=asked.precision or "any",
        batch=asked.batch, form=f"choice 1 {form} {', '.join(title(spec) for spec in specs)}",
    )  # fmt: skip
