"""Do the fast ways say the same? Most probable classes of each setup and peer against plain fp32.

``python -m benchmarks.agreement '{...}'`` compares two heatmaps (a run folder or a GeoTIFF of scores) and prints the
share of pixels whose most probable class is the same.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.end_to_end import PEERS, predict_peer, setups
from benchmarks.gw import predict
from benchmarks.process import module
from benchmarks.session import PEER_PYTHON, WORK, Session

__all__ = ["main", "measure"]

_SIDE_PX = 2048


def measure(session: Session) -> None:
    """Predict one raster in every way, scores kept in 16 bits, and compare."""
    part = session.results.part("agreement")
    if part.done:
        return
    side = min(_SIDE_PX, session.scale.main_px)
    job = session.job(side)
    folder = WORK / "kept" / "agreement"
    ways = setups(session)
    part.note(side_px=side, against=ways[0].name)
    made: dict[str, Path] = {}
    for way in ways:
        kept = folder / str(len(made))
        try:
            predict(session.setup(replace(way, more=("--stored", "uint16")), job), job, keep=kept)
        except RuntimeError as error:
            session.say(f"  {way.name} is refused: {error}")
            continue
        made[way.name] = kept
    if PEER_PYTHON.exists():
        best = session.results.part("peers").facts
        for peer in PEERS:
            made[peer.name] = folder / f"{peer.key}.tif"
            predict_peer(session, side, best[peer.name], made[peer.name])
    first = next(iter(made.values()))
    for name, path in made.items():
        found = module("agreement", {"ours": str(first), "theirs": str(path)}).last_line
        session.say(f"  {name}: {found['agreement']:.4%}")
        part.add(name, found)
    shutil.rmtree(folder)
    part.finish()


def classes_of(path: Path) -> NDArray[np.intp]:
    """Return the most probable class of each pixel (H, W)."""
    if path.suffix == ".tif":
        import rasterio

        with rasterio.open(path) as source:
            return np.asarray(source.read().argmax(0))
    import zarr

    recipe = json.loads((path / "recipe.json").read_text())
    scores = zarr.open_array(path / "heatmap.zarr" / recipe["heads"][0]["name"], mode="r")
    return np.asarray(np.asarray(scores[0]).argmax(0))


def main() -> None:
    """Compare as the request says."""
    request: dict[str, Any] = json.loads(sys.argv[1])
    ours, theirs = (classes_of(Path(request[name])) for name in ("ours", "theirs"))
    rows, columns = min(ours.shape[0], theirs.shape[0]), min(ours.shape[1], theirs.shape[1])
    same = ours[:rows, :columns] == theirs[:rows, :columns]
    inner = same[256:-256, 256:-256]
    print(json.dumps({"agreement": float(same.mean()), "inner_agreement": float(inner.mean())}))


if __name__ == "__main__":
    main()
