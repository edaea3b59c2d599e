"""The stages of predict, each alone on one thread, beside the bare libraries doing the same.

``python -m benchmarks.stages '{"stage": "decode", ...}'`` prints seconds a way as JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import floors
from benchmarks.gw import predict
from benchmarks.process import module
from benchmarks.results import Run
from benchmarks.session import WORK, Session

__all__ = ["STAGES", "main", "measure"]

_ROWS = 192
"""Rows that a strip reads at once."""


def measure(session: Session) -> None:
    """Time each stage and its bare counterparts, in turns."""
    part = session.results.part("stages")
    if part.done:
        return
    side = session.scale.sides_px[0]
    job = session.job(side)
    setup = session.setup(session.base(), job)
    kept = WORK / "kept" / f"stages-{side}"
    (head,) = part.once("heads", lambda: predict(setup, job, keep=kept)["heads"])
    part.note(side_px=side)
    requests: dict[str, dict[str, Any]] = {
        "decode": {"raster": str(job.raster)},
        "blend": {"side_px": side, "window_px": [256, 256], "stride_px": [192, 192], "classes": 3},
        "write": {"run": str(kept), "head": head, "folder": str(WORK / "runs")},
    }
    cases = {name: partial(_stage, name, request) for name, request in requests.items()}
    session.interleave(part, cases, session.scale.rounds)
    part.finish()


def _stage(name: str, request: dict[str, Any]) -> Run:
    return module("stages", {"stage": name, **request}, threads=1).last_line


def decode(request: dict[str, Any]) -> dict[str, float]:
    """Read a raster: by gw in strips, exactly, as float32 with a mask; by rasterio whole."""
    from benchmarks.material import BANDS
    from geowatch.grid.lattice import PixelBox
    from geowatch.read.catalog import find_scenes
    from geowatch.read.frames import make_frames
    from geowatch.read.plan import lattice_of, plan_frame
    from geowatch.read.reader import FrameReader

    scenes = find_scenes([Path(request["raster"])]).scenes
    (frame,) = make_frames(scenes)
    plan = plan_frame(frame, BANDS, lattice_of(scenes, BANDS))
    box = plan.extent
    started = time.perf_counter()
    with FrameReader(plan, cache_bytes=256 << 20) as reader:
        for y in range(box.y0, box.y1, _ROWS):
            reader.read(PixelBox(y, box.x0, min(y + _ROWS, box.y1), box.x1))
    ours = time.perf_counter() - started
    return {"gw_s": ours, "rasterio_s": floors.decode({**request, "threads": 1})["alone_s"]}


def blend(request: dict[str, Any]) -> dict[str, float]:
    """Add up the windows of a raster: by gw's band, by plain numpy, by one compiled loop."""
    from geowatch.grid.windows import WindowLattice
    from geowatch.stitch.band import Band, unit_weights

    windows = WindowLattice(tuple(request["window_px"]), tuple(request["stride_px"]))
    columns = rows = -(-request["side_px"] // windows.stride[1])
    weights = unit_weights("hann", windows)
    made = np.random.default_rng(0).random((16, request["classes"], *windows.size), np.float32)
    band = Band(request["classes"], windows, weights, (0, columns * windows.stride[1] + windows.size[1]))
    ours = 0.0
    for _ in range(rows):
        for first in range(0, columns, len(made)):
            some = made[: columns - first].copy()  # used up by the band
            started = time.perf_counter()
            band.add(range(first, first + len(some)), some)
            ours += time.perf_counter() - started
        started = time.perf_counter()
        band.move_on()
        ours += time.perf_counter() - started
    bare = floors.blend({**request, "rows": rows, "columns": columns, "threads": 1})
    return {"gw_s": ours, **{name: bare[name] for name in ("numpy_s", "compiled_s") if name in bare}}


def write(request: dict[str, Any]) -> dict[str, float]:
    """Encode and write a heatmap: by gw tile by tile, by zarr-python with its own codecs and with zarrs."""
    import zarr

    from geowatch.stitch.quantise import Quantiser
    from geowatch.stitch.shard import encode_shard
    from geowatch.store import LocalStore

    source = zarr.open_array(Path(request["run"]) / "heatmap.zarr" / request["head"], mode="r")
    values = np.asarray(source[:])
    fill = Quantiser(str(source.dtype)).is_fill  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory(dir=request["folder"]) as folder:
        store, chunk_px = LocalStore(Path(folder)), source.chunks[-1]
        started = time.perf_counter()
        for number, place in enumerate(floors.boxes(values.shape, source.shards or source.chunks)):
            content = encode_shard(values[place], fill, chunk_px)
            if content is not None:
                store.put(f"shard/{number}", content)
        ours = time.perf_counter() - started
    bare = floors.write({**request, "threads": 1})
    return {"gw_s": ours, **{name: bare[name] for name in ("zarr_s", "zarrs_s", "threads_s")}}


STAGES: dict[str, Callable[[dict[str, Any]], dict[str, float]]] = {"decode": decode, "blend": blend, "write": write}


def main() -> None:
    """Time the stage that the request names."""
    request = json.loads(sys.argv[1])
    print(json.dumps(STAGES[request["stage"]](request)))


if __name__ == "__main__":
    main()
