"""How chunks of a cube may be stored: ``python benchmarks/codecs_of_cubes.py``.

Of the real Sentinel-2 scene of ../shared/data, a band as it is stored (uint16) and one that is resampled (float32):
bytes after compression to those before, and the processor time of reading one band of windows of 256 px at random
places into float32, with the checksum, in one thread.
"""

from __future__ import annotations

import time
from itertools import product
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
from numcodecs.blosc import BITSHUFFLE, NOSHUFFLE, SHUFFLE, Blosc, decompress
from numpy.typing import NDArray

from geowatch.grid.lattice import PixelBox
from geowatch.read.catalog import find_scenes
from geowatch.read.frames import make_frames
from geowatch.read.plan import lattice_of, plan_frame
from geowatch.read.reader import FrameReader

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "sentinel2_l1c"
SIDE_PX, WINDOW_PX, WINDOWS = 1536, 256, 200
CODECS = {
    "as they are": None,
    "lz4": Blosc("lz4", 5, NOSHUFFLE, 1 << 17),
    "lz4, bytes shuffled": Blosc("lz4", 5, SHUFFLE, 1 << 17),
    "lz4, bits shuffled": Blosc("lz4", 5, BITSHUFFLE, 1 << 17),
    "zstd 1, bytes shuffled": Blosc("zstd", 1, SHUFFLE, 1 << 17),
    "zstd 1, bits shuffled": Blosc("zstd", 1, BITSHUFFLE, 1 << 17),
}
Place = tuple[int, int]


def bands() -> dict[str, NDArray[Any]]:
    """Return a copied band as it is stored, and a resampled one."""
    frame = make_frames(find_scenes([DATA]).scenes)[0]
    plan = plan_frame(frame, ["red", "swir16"], lattice_of(frame.scenes, ["red"]))
    y, x = plan.extent.y0 + 50, plan.extent.x0 + 50
    with FrameReader(plan, cache_bytes=0) as reader:
        red, swir = reader.read(PixelBox(y, x, y + SIDE_PX, x + SIDE_PX)).values
    return {"uint16": np.rint(red * 10_000).astype("uint16"), "float32": swir.copy()}


def chunks_of(band: NDArray[Any], side: int) -> dict[Place, NDArray[Any]]:
    """Cut a band into chunks."""
    count = SIDE_PX // side
    return {
        (y, x): np.ascontiguousarray(band[y * side : (y + 1) * side, x * side : (x + 1) * side])
        for y, x in product(range(count), range(count))
    }


def encoded(chunks: dict[Place, NDArray[Any]], codec: Blosc | None) -> dict[Place, bytes]:
    """Compress chunks."""
    return {at: chunk.tobytes() if codec is None else bytes(codec.encode(chunk)) for at, chunk in chunks.items()}


def read(stored: dict[Place, bytes], like: NDArray[Any], codec: Blosc | None) -> float:
    """Return the processor seconds of a window, over windows at random places."""
    side, dtype = like.shape[0], like.dtype
    chunk, window = np.empty_like(like), np.empty((WINDOW_PX, WINDOW_PX), np.float32)
    places = np.random.default_rng(0).integers(0, SIDE_PX - WINDOW_PX + 1, (WINDOWS, 2)).tolist()
    started = time.process_time()
    for y, x in places:
        for iy, ix in product(*(range(at // side, (at + WINDOW_PX - 1) // side + 1) for at in (y, x))):
            content = stored[iy, ix]
            google_crc32c.value(content)
            if codec is None:
                chunk = np.frombuffer(content, dtype).reshape(side, side)
            else:
                decompress(content, chunk)
            box = PixelBox(iy * side, ix * side, (iy + 1) * side, (ix + 1) * side)
            part = box & PixelBox(y, x, y + WINDOW_PX, x + WINDOW_PX)
            window[part.y0 - y : part.y1 - y, part.x0 - x : part.x1 - x] = chunk[part.within(box)]
    return (time.process_time() - started) / WINDOWS


def main() -> None:
    """Measure; print a table."""
    for (name, band), side in product(bands().items(), (64, 128, 256)):
        chunks = chunks_of(band, side)
        for codec_name, codec in CODECS.items():
            stored = encoded(chunks, codec)
            seconds = min(read(stored, chunks[0, 0], codec) for _ in range(3))
            size = sum(map(len, stored.values())) / band.nbytes
            print(f"{name:8} chunks of {side:3} px, {codec_name:22} size {size:.2f}, {seconds * 1e3:.2f} ms a window")


if __name__ == "__main__":
    main()
