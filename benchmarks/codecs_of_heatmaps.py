"""Which codec suits heatmaps: size and speed on real ones, for each type that scores are stored in.

The heatmaps are those of a trained cloud network over the demo's Landsat scene and, where ../shared/data is, over a
labelled cloudy scene and a clear one of Sentinel-2. ``python -m benchmarks.codecs_of_heatmaps '{...}'`` measures all
codecs on the runs that it is given, in turns, on one thread, chunk by chunk as they are stored.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.gw import gw
from benchmarks.process import module
from benchmarks.results import ROOT
from benchmarks.session import WORK, Session

__all__ = ["main", "measure"]

_CHUNK_PX = 512
_SHARED = ROOT.parent / "shared" / "data"
_DEMO = ROOT / "cli" / "gw_cli" / "demo_scene"
_BANDS = ("blue", "green", "red", "nir", "swir16", "swir22")
_S2 = ("02", "03", "04", "08", "11", "12")
_STORED = ("uint8", "uint16", "float16")
_TOP = {"uint8": 254, "uint16": 65534}
#: Bytes of one heatmap that are measured at most.
_ENOUGH = 1 << 24

Chunk = NDArray[Any]


def measure(session: Session) -> None:
    """Make the heatmaps, then measure the codecs on them."""
    part = session.results.part("codecs")
    if part.done:
        return
    runs = part.once("runs", lambda: _heatmaps(session))
    request = {"runs": runs, "rounds": session.scale.short_rounds}
    part.note(rows=module("codecs_of_heatmaps", request, threads=1).last_line["rows"])
    part.finish()


def _heatmaps(session: Session) -> dict[str, str]:
    """Predict each scene with the cloud network; return run folders by name."""
    folder = WORK / "heatmaps"
    if not (folder / "cloud-package" / "manifest.json").exists():
        session.say("  the cloud network")
        gw("demo", "--out", str(folder))
    scenes = {"cloudy Landsat 8": ["--images", str(_DEMO), "--sensor", "landsat-8-l1", "--sun-elevation", "45"]}
    if _SHARED.exists():
        scenes["cloudy Sentinel-2"] = ["--images", str(_labelled(folder / "labelled.tif"))]
        clear = (word for band in _S2 for word in ("--images", str(_SHARED / f"sentinel2_l1c/s2_B{band}.jp2")))
        scenes["clear Sentinel-2"] = [*clear, "--sensor", "sentinel-2", "--scale", "1e-4"]
    found = {}
    for name, imagery in scenes.items():
        run = folder / name.lower().replace(" ", "-")
        if not (run / "markers").exists():
            session.say(f"  heatmap: {name}")
            model = ["--run", str(run), "--model", str(folder / "cloud-package"), *imagery]
            gw("tile", *model, "--tile-size", "512")
            gw("predict", *model, "--stored", "float32", "--jit", "onnxruntime", "--workers", "1")
        found[name] = str(run.relative_to(ROOT))
    return found


def _labelled(path: Path) -> Path:
    """Write the labelled scene as a GeoTIFF."""
    import rasterio
    from affine import Affine

    if not path.exists():
        values = np.load(_SHARED / "cloud_scene" / "sentinel2.npz")["img"].transpose(2, 0, 1)
        at = Affine(10, 0, 600_000, 0, -10, 5_400_000)
        profile = {"driver": "GTiff", "count": 6, "height": 512, "width": 512, "dtype": "float32", "crs": "EPSG:32632"}
        with rasterio.open(path, "w", transform=at, **profile) as target:
            target.write(values)
            target.descriptions = _BANDS
    return path


class Filtered:
    """A codec behind the difference of each row to the one above, which no core codec of Zarr v3 does."""

    def __init__(self, codec: Any) -> None:  # noqa: ANN401  # numcodecs has no types
        self._codec = codec

    def encode(self, chunk: Chunk) -> bytes:
        """Compress."""
        bits = chunk.view(f"u{chunk.itemsize}")
        return bytes(self._codec.encode(np.diff(bits, axis=0, prepend=bits.dtype.type(0))))

    def decode(self, content: bytes, like: Chunk) -> Chunk:
        """Decompress."""
        bits = np.frombuffer(self._codec.decode(content), f"u{like.itemsize}").reshape(like.shape)
        return np.cumsum(bits, axis=0, dtype=bits.dtype).view(like.dtype)


class Plain:
    """A codec of numcodecs."""

    def __init__(self, codec: Any) -> None:  # noqa: ANN401  # numcodecs has no types
        self._codec = codec

    def encode(self, chunk: Chunk) -> bytes:
        """Compress."""
        return bytes(self._codec.encode(chunk))

    def decode(self, content: bytes, like: Chunk) -> Chunk:
        """Decompress."""
        return np.frombuffer(self._codec.decode(content), like.dtype).reshape(like.shape)


def codecs() -> dict[str, Plain | Filtered]:
    """Return the codecs by name."""
    from numcodecs import LZ4, Blosc, Zlib, Zstd

    found: dict[str, Plain | Filtered] = {f"zstd {n}": Plain(Zstd(level=n)) for n in (-5, -1, 1, 3, 5, 9)}
    found |= {"lz4": Plain(LZ4()), "deflate 6": Plain(Zlib(level=6))}
    for name, level in (("lz4", 5), ("zstd", 1), ("zstd", 3)):
        for shuffle, said in ((Blosc.SHUFFLE, "bytes shuffled"), (Blosc.BITSHUFFLE, "bits shuffled")):
            found[f"blosc {name} {level}, {said}"] = Plain(Blosc(name, level, shuffle))
    return found | {"row differences, zstd 1": Filtered(Zstd(level=1))}


def chunks_of(run: str) -> list[Chunk]:
    """Return the chunks of a float32 heatmap that hold scores everywhere."""
    import zarr

    recipe = json.loads(Path(run, "recipe.json").read_text())
    scores = np.asarray(zarr.open_array(Path(run, "heatmap.zarr", recipe["heads"][0]["name"]), mode="r")[0])
    seen = ~np.isnan(scores).all(0)
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    scores = scores[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    count = [size // _CHUNK_PX * _CHUNK_PX for size in scores.shape[1:]]
    return [
        np.ascontiguousarray(scores[k, y : y + _CHUNK_PX, x : x + _CHUNK_PX])
        for y in range(0, count[0], _CHUNK_PX)
        for x in range(0, count[1], _CHUNK_PX)
        for k in range(len(scores))
    ]


def stored_as(chunk: NDArray[np.float32], stored: str) -> Chunk:
    """Return scores as they are stored."""
    if stored not in _TOP:
        return chunk.astype(stored)
    top = _TOP[stored]
    return np.where(np.isnan(chunk), top + 1, np.rint(np.nan_to_num(chunk).clip(0, 1) * top)).astype(stored)


def one_pass(codec: Plain | Filtered, chunks: Sequence[Chunk]) -> dict[str, float]:
    """Compress and decompress; tell the share of the size and bytes a second both ways."""
    raw = sum(chunk.nbytes for chunk in chunks)
    started = time.perf_counter()
    encoded = [codec.encode(chunk) for chunk in chunks]
    between = time.perf_counter()
    decoded = [codec.decode(content, chunk) for content, chunk in zip(encoded, chunks, strict=True)]
    ended = time.perf_counter()
    if any(a.tobytes() != b.tobytes() for a, b in zip(decoded, chunks, strict=True)):
        raise RuntimeError("a codec lost values")
    share = sum(map(len, encoded)) / raw
    return {
        "share": share,
        "encode_mb_s": raw / (between - started) / 1e6,
        "decode_mb_s": raw / (ended - between) / 1e6,
    }


def table(runs: dict[str, str], rounds: int) -> list[dict[str, Any]]:
    """Measure every codec on every heatmap and type; medians over the rounds."""
    from numcodecs import blosc

    blosc.use_threads = False
    chunks = {name: chunks_of(run) for name, run in runs.items()}
    kept: defaultdict[tuple[str, str, str], list[dict[str, float]]] = defaultdict(list)
    for stored in _STORED:
        typed = {n: [stored_as(c, stored) for c in some[: _ENOUGH // some[0].size]] for n, some in chunks.items()}
        for _ in range(rounds):
            for codec, engine in codecs().items():
                for heatmap, some in typed.items():
                    kept[stored, codec, heatmap].append(one_pass(engine, some))
    return [
        {"stored": key[0], "codec": key[1], "heatmap": key[2]} | {k: median(run[k] for run in runs_) for k in runs_[0]}
        for key, runs_ in kept.items()
    ]


def main() -> None:
    """Measure as the request says."""
    request = json.loads(sys.argv[1])
    print(json.dumps({"rows": table(request["runs"], request["rounds"])}))


if __name__ == "__main__":
    main()
