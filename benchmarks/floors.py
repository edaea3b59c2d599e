"""The floors: network, decoding, blending and writing, each alone, at its best, in a process of its own.

``python -m benchmarks.floors '{"floor": "decode", ...}'`` prints seconds as JSON. Start-up is not in them: libraries
are loaded, arrays made and networks opened before the clock starts.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["FLOORS", "blend", "boxes", "decode", "main", "write"]

#: Windows whose values differ, so that no cache holds all of them.
_DISTINCT = 32


def network(request: dict[str, Any]) -> dict[str, Any]:
    """Run the network alone, through its backend, over so many windows.

    ``request``: package, backend (as a recipe pins it), threads, window_px, windows, batch, cache.
    """
    from geowatch.package import load_package
    from geowatch.package.backends import BackendSpec, open_backend
    from geowatch.package.cache import CompiledCache

    package = load_package(request["package"])
    pin, batch, (height, width) = request["backend"], request["batch"], request["window_px"]
    spec = BackendSpec(
        pin["name"], threads=request["threads"], precision=pin["precision"], window_px=(height, width), batch=batch,
        fixed_batch=pin.get("fixed_batch"),
    )  # fmt: skip
    backend = open_backend(package, spec, cache=CompiledCache(Path(request["cache"])))
    rng = np.random.default_rng(0)
    (entry,) = package.manifest.inputs
    shape = (max(batch, _DISTINCT // batch * batch), len(entry.channels), height, width)
    feed = rng.standard_normal(shape, np.float32)
    backend.run({entry.name: feed[:batch]})
    started = time.perf_counter()
    for first in range(0, request["windows"], batch):
        at = first % len(feed)
        backend.run({entry.name: feed[at : at + min(batch, request["windows"] - first)]})
    return {"alone_s": time.perf_counter() - started}


def decode(request: dict[str, Any]) -> dict[str, Any]:
    """Read the whole raster into an array of its own type, with the bare library: raster, threads."""
    import rasterio

    with rasterio.open(request["raster"], num_threads=request["threads"]) as source:
        target = np.empty((source.count, *source.shape), source.dtypes[0])
        target.fill(0)  # memory is there before the clock starts
        started = time.perf_counter()
        source.read(out=target)
        return {"alone_s": time.perf_counter() - started}


def blend(request: dict[str, Any]) -> dict[str, Any]:
    """Add up windows with their weights in a band of rows, in two ways: rows, columns, window, stride, classes.

    What is timed is the sum alone: scores are there, and nothing is made of the finished rows.
    """
    (height, width), (down, right), classes = request["window_px"], request["stride_px"], request["classes"]
    rng = np.random.default_rng(0)
    scores = rng.random((max(1, _DISTINCT * 256 * 256 // (height * width)), classes, height, width), np.float32)
    weights = rng.random((height, width), np.float32)
    columns = request["columns"]
    band = np.zeros((classes, height + down, (columns - 1) * right + width), np.float32)
    found = {}
    for name, add in {"numpy": _add_numpy, **_compiled(request["threads"])}.items():
        add(band, scores[:columns], weights, (0, right))
        started = time.perf_counter()
        for row in range(request["rows"]):
            for first in range(0, columns, len(scores)):
                some = scores[: min(len(scores), columns - first)]
                add(band, some, weights, (first * right, right))
            at = row % 2 * down  # finished rows are cleared, wherever a ring of rows begins
            band[:, at : at + down] = 0
        found[f"{name}_s"] = time.perf_counter() - started
    return {"alone_s": min(found.values()), **found}


def _add_numpy(
    band: NDArray[np.float32], scores: NDArray[np.float32], weights: NDArray[np.float32], place: tuple[int, int]
) -> None:
    height, width = weights.shape
    for k, window in enumerate(scores):
        x = place[0] + k * place[1]
        band[:, :height, x : x + width] += window * weights


def _compiled(threads: int) -> dict[str, Callable[..., None]]:
    """Return the same sum as one compiled loop over rows, where numba is installed."""
    try:
        import numba
    except ImportError:
        return {}
    numba.set_num_threads(threads)

    @numba.njit(parallel=threads > 1, fastmath=True)
    def add(band: Any, scores: Any, weights: Any, place: Any) -> None:  # noqa: ANN401  # numba finds the types
        count, classes, height, width = scores.shape
        for y in numba.prange(height):
            for n in range(count):
                for k in range(classes):
                    for x in range(width):
                        band[k, y, place[0] + n * place[1] + x] += scores[n, k, y, x] * weights[y, x]

    return {"compiled": add}


def write(request: dict[str, Any]) -> dict[str, Any]:
    """Encode and write a finished heatmap with the bare libraries: run, head, threads, folder.

    Values, shards, chunks and codec are those that predict left; the fastest way counts.
    """
    import zarr

    source = zarr.open_array(Path(request["run"]) / "heatmap.zarr" / request["head"], mode="r")
    values = np.asarray(source[:])
    found = {}
    with tempfile.TemporaryDirectory(dir=request["folder"]) as folder:
        ways: dict[str, Callable[[Path], None]] = {
            "threads": lambda path: _write_threads(source, values, path, request["threads"]),
            "zarr": lambda path: _write_zarr(source, values, path, "zarr.core.codec_pipeline.BatchedCodecPipeline"),
            "zarrs": lambda path: _write_zarr(source, values, path, "zarrs.ZarrsCodecPipeline"),
        }
        for name, way in ways.items():
            started = time.perf_counter()
            way(Path(folder, name))
            found[f"{name}_s"] = time.perf_counter() - started
            shutil.rmtree(Path(folder, name))
    return {"alone_s": min(found.values()), "raw_bytes": values.nbytes, **found}


def _write_zarr(source: Any, values: NDArray[Any], path: Path, pipeline: str) -> None:  # noqa: ANN401  # zarr's array
    import zarr

    with zarr.config.set({"codec_pipeline.path": pipeline}):
        target = zarr.create_array(
            path, shape=source.shape, shards=source.shards, chunks=source.chunks, dtype=source.dtype,
            fill_value=source.fill_value, compressors=source.compressors,
        )  # fmt: skip
        target[:] = values


def _write_threads(source: Any, values: NDArray[Any], path: Path, threads: int) -> None:  # noqa: ANN401  # zarr's array
    """Encode chunks with the codec's own library in threads; write each shard's chunks as one file."""
    path.mkdir()
    encode = _encoder(source.metadata)

    def one(place: tuple[slice, ...]) -> None:
        shard = values[place]
        parts = [encode(np.ascontiguousarray(shard[chunk])) for chunk in boxes(shard.shape, source.chunks)]
        (path / "-".join(str(s.start) for s in place)).write_bytes(b"".join(parts))

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, boxes(values.shape, source.shards)))


def _encoder(metadata: Any) -> Callable[[NDArray[Any]], bytes]:  # noqa: ANN401  # zarr's metadata
    """Return what compresses one chunk, as the array's inner codecs say."""
    from numcodecs import LZ4, Blosc, Zstd

    (sharding,) = metadata.to_dict()["codecs"]
    known = {"zstd": Zstd, "lz4": LZ4}
    for codec in sharding["configuration"]["codecs"]:
        options = codec.get("configuration", {})
        if codec["name"] in known:
            engine = known[codec["name"]](options.get("level", 1))
            return lambda chunk: bytes(engine.encode(chunk))
        if codec["name"] == "blosc":
            shuffle = {"noshuffle": 0, "shuffle": 1, "bitshuffle": 2}[options["shuffle"]]
            blosc = Blosc(options["cname"], options["clevel"], shuffle)
            return lambda chunk: bytes(blosc.encode(chunk))
    return lambda chunk: chunk.tobytes()


def boxes(shape: tuple[int, ...], size: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """Cut an array's shape into boxes of a size."""
    starts = (range(0, whole, part) for whole, part in zip(shape, size, strict=True))
    for corner in product(*starts):
        yield tuple(slice(at, at + part) for at, part in zip(corner, size, strict=True))


FLOORS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "network": network, "decode": decode, "blend": blend, "write": write,
}  # fmt: skip


def main() -> None:
    """Measure the floor that the request names."""
    request = json.loads(sys.argv[1])
    print(json.dumps(FLOORS[request["floor"]](request)))


if __name__ == "__main__":
    main()
