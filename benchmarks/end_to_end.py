"""End to end over the floors, beside the peers, all in one interleaved session for each size of raster.

A round runs, one after the other: each setup of gw as a whole process; the network alone as that setup uses it; the
blend of its windows alone; decoding and writing alone; each peer. Ratios are taken round by round.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.gw import Job, Setup, predict
from benchmarks.machine import cores
from benchmarks.process import module
from benchmarks.results import Part, Run
from benchmarks.session import PEER_PYTHON, WORK, Session

__all__ = ["PEERS", "measure", "predict_peer", "setups"]

_BATCHES = (1, 2, 4, 8, 16)
_TRIAL_PX = 1024 * 1024 * 8
_SEARCHED_PX = 2048


def measure(session: Session) -> None:
    """Measure each size of raster."""
    for side in session.scale.sides_px:
        part = session.results.part(f"end_to_end_{side}")
        if not part.done:
            session.say(f" raster of {side} x {side} pixels")
            _measure(session, part, side)


def setups(session: Session) -> list[Setup]:
    """Return the ways in which gw runs."""
    base, free = session.base(), session.free_window_px()
    found = [base]
    if free != base.window_px:
        found.append(replace(base, name="fp32, windows free", window_px=free))
    if reduced := session.reduced():
        found.append(replace(base, name=f"{reduced}, windows free", precision=reduced, window_px=free))
    return found


def _measure(session: Session, part: Part, side: int) -> None:
    job = session.job(side)
    part.note(side_px=side, threads=cores())
    runs: dict[str, Callable[[], Run]] = {}
    for setup in setups(session):
        for name, run in _cases(session, part, setup, job).items():
            runs.setdefault(name, run)
    decode = {"floor": "decode", "raster": str(job.raster), "threads": cores()}
    runs["decode"] = partial(_floor, decode)
    runs |= peers(session, side)
    session.interleave(part, runs, session.scale.rounds, slower_peers(session))
    part.finish()


def _cases(session: Session, part: Part, setup: Setup, job: Job) -> dict[str, Callable[[], Run]]:
    """Return a setup's run and its floors; none where gw refuses it, which is noted."""
    kept = WORK / "kept" / f"{part.path.stem}-{setup.name.replace(', ', '-').replace(' ', '-')}"
    try:
        settled = session.setup(setup, job)
        best = _with_batch(session, part, settled, job)
        facts = part.once(f"setup of {setup.name}", partial(_first, settled, job, kept, best.batch))
    except RuntimeError as error:
        part.note(**{f"refused {setup.name}": str(error)[-500:]})
        session.say(f"  {setup.name} is refused: {error}")
        return {}
    side = part.facts["side_px"]
    return {
        setup.name: partial(predict, settled, job),
        f"network of {setup.name}": partial(_floor, _network(facts, best, job)),
        f"blend of {setup.name}": partial(_floor, _blend(facts, side)),
        "write": partial(_floor, _write(facts, kept)),
    }


def _first(setup: Setup, job: Job, kept: Path, batch: int | None) -> dict[str, Any]:
    """Run a setup once, not counted, and keep its heatmap; ``batch`` is that of the network alone."""
    told = predict(setup, job, keep=kept)
    return {**{k: told[k] for k in ("windows", "window_px", "stride_px", "backend", "heads")}, "batch": batch}


def _with_batch(session: Session, part: Part, setup: Setup, job: Job) -> Setup:
    """Find the batch at which the network alone is fastest. gw itself runs at its own."""

    def find() -> int:
        session.say(f"  {setup.name}: the best batch of the network")
        pin = {"name": setup.backend, "precision": setup.precision}
        windows = max(16, _TRIAL_PX // setup.window_px**2)
        facts = {"backend": pin, "window_px": [setup.window_px] * 2, "windows": windows}
        batches = [b for b in _BATCHES if b * setup.window_px**2 <= 16 * 512**2]
        seconds = {b: _floor(_network(facts, replace(setup, batch=b), job))["alone_s"] for b in batches}
        return min(seconds, key=lambda b: seconds[b])

    return replace(setup, batch=part.once(f"batch of {setup.name}", find))


def _floor(request: dict[str, Any]) -> Run:
    return module("floors", request).last_line


def _network(facts: dict[str, Any], setup: Setup, job: Job) -> dict[str, Any]:
    return {
        "floor": "network", "package": str(job.package), "backend": facts["backend"], "threads": setup.threads,
        "window_px": facts["window_px"], "windows": facts["windows"], "batch": setup.batch, "cache": str(job.cache),
    }  # fmt: skip


def _blend(facts: dict[str, Any], side: int) -> dict[str, Any]:
    overlap = facts["window_px"][1] - facts["stride_px"][1]
    columns = -(-(side + overlap) // facts["stride_px"][1])
    rows = -(-facts["windows"] // columns)
    return {
        "floor": "blend", "rows": rows, "columns": columns, "window_px": facts["window_px"],
        "stride_px": facts["stride_px"], "classes": 3, "threads": cores(),
    }  # fmt: skip


def _write(facts: dict[str, Any], kept: Path) -> dict[str, Any]:
    (head,) = facts["heads"]
    return {"floor": "write", "run": str(kept), "head": head, "threads": cores(), "folder": str(WORK / "runs")}


@dataclass(frozen=True)
class Peer:
    """A peer, and the settings that are tried."""

    name: str
    """What the tables call it."""
    key: str
    """What `benchmarks.peer` calls it."""
    modes: tuple[str, ...]
    """Ways of joining windows, its fastest first."""


PEERS = (Peer("MONAI", "monai", ("constant", "gaussian")), Peer("TerraTorch", "terratorch", ("mean", "blend")))


def peers(session: Session, side: int) -> dict[str, Callable[[], Run]]:
    """Return what runs each peer at its best."""
    part = session.results.part("peers")
    if not PEER_PYTHON.exists():
        part.note(missing=f"no {PEER_PYTHON.relative_to(WORK.parent.parent)}: `make bench` makes it")
        return {}
    found: dict[str, Callable[[], Run]] = {}
    for peer in PEERS:
        best = part.once(peer.name, partial(_search, session, part, peer))
        found[peer.name] = partial(_peer, session, side, best)
    part.finish()
    return found


def slower_peers(session: Session) -> dict[str, int]:
    """Return the rounds of all peers but the fastest: they take long, and no ratio is taken to them."""
    facts = session.results.part("peers").facts
    best = {
        peer.name: min(float(run["steady_s"]) for run in facts[f"settings of {peer.name}"])
        for peer in PEERS
        if f"settings of {peer.name}" in facts
    }
    fastest = min(best, key=lambda name: best[name], default="")
    return {name: session.scale.short_rounds for name in best if name != fastest}


def _search(session: Session, part: Part, peer: Peer) -> dict[str, Any]:
    """Try a peer's settings on a small raster; keep all figures, return the fastest."""
    session.say(f"  {peer.name}: its best settings")
    tried = [
        {"peer": peer.key, "mode": mode, "batch": batch, "channels_last": last}
        for mode in peer.modes
        for batch, last in session.scale.peer_settings
    ]
    side = min(_SEARCHED_PX, session.scale.sides_px[0])
    done = [{**settings, **_peer(session, side, settings)} for settings in tried]
    part.note(**{f"settings of {peer.name}": done})
    fastest = min(done, key=lambda run: float(run["steady_s"]))
    return {k: fastest[k] for k in tried[0]}


def _peer(session: Session, side: int, settings: dict[str, Any]) -> Run:
    output = WORK / "runs" / f"{settings['peer']}.tif"
    found = predict_peer(session, side, settings, output)
    output.unlink()
    return found


def predict_peer(session: Session, side: int, settings: dict[str, Any], output: Path) -> Run:
    """Predict a raster with a peer, at its settings."""
    request = {
        **settings, "raster": str(session.material.raster(side)), "package": str(session.material.package()),
        "output": str(output), "window_px": 256, "overlap_px": 64, "threads": cores(), "classes": 3,
    }  # fmt: skip
    ran = module("peer", request, python=str(PEER_PYTHON))
    return {"whole_s": ran.wall_s, "cpu_s": ran.cpu_s, "peak_mb": ran.peak_mb, **ran.last_line}
