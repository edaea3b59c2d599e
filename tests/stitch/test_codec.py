"""Compressed chunks depend on values alone, whichever thread compresses them."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from geowatch.stitch.codec import compress, decompress


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32"])
def test_bytes_are_the_same_from_any_thread_and_come_back(dtype):
    smooth = np.cumsum(np.random.default_rng(0).random((512, 512)), axis=1)
    chunk = (smooth / smooth.max() * 200).astype(dtype)
    here = compress(chunk)
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(compress, [chunk] * 20)) == {here}
    assert decompress(here, chunk.dtype) == chunk.tobytes()
    assert len(here) < chunk.nbytes
