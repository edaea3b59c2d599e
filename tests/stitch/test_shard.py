import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.errors import DamagedError
from geowatch.stitch.codec import compressor
from geowatch.stitch.quantise import Quantiser
from geowatch.stitch.shard import decode_shard, encode_shard, inner_chunk_px


def core_of(stored, seed, tile=64, chunk=16):
    quantiser = Quantiser(stored)
    rng = np.random.default_rng(seed)
    core = quantiser.empty((1, 2, tile, tile))
    for y in range(0, tile, chunk):
        for x in range(0, tile, chunk):
            if rng.random() < 0.5:
                core[..., y : y + chunk, x : x + chunk] = quantiser.encode(
                    rng.random((2, chunk, chunk), np.float32), rng.random((chunk, chunk)) < 0.8
                )
    return quantiser, core


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), chunks=st.tuples(*[st.integers(0, 4)] * 4))
def test_a_part_of_a_core_makes_the_shard_of_the_whole(seed, chunks):
    quantiser, core = core_of("uint8", seed)
    (y0, y1), (x0, x1) = sorted(chunks[:2]), sorted(chunks[2:])
    place = (..., slice(16 * y0, 16 * y1), slice(16 * x0, 16 * x1))
    whole = quantiser.empty(core.shape)
    whole[place] = core[place]
    part = encode_shard(core[place], quantiser.is_fill, 16, side_px=64, at=(16 * y0, 16 * x0))
    assert part == encode_shard(whole, quantiser.is_fill, 16)


@pytest.mark.parametrize("stored", ["uint8", "uint16", "float16", "float32"])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_any_zarr_library_reads_the_shard(stored, seed, tmp_path_factory):
    quantiser, core = core_of(stored, seed)
    folder = tmp_path_factory.mktemp("zarr")
    array = zarr.create_array(
        folder, shape=(1, 2, 128, 64), shards=(1, 2, 64, 64), chunks=(1, 1, 16, 16), dtype=stored,
        fill_value=quantiser.fill, compressors=compressor(quantiser.dtype),
    )  # fmt: skip
    content = encode_shard(core, quantiser.is_fill, 16)
    if content is not None:
        place = folder / "c/0/0/1/0"
        place.parent.mkdir(parents=True)
        place.write_bytes(content)
    assert np.array_equal(array[:, :, 64:], core, equal_nan=stored.startswith("float"))
    back = quantiser.empty(core.shape)
    if content is not None:
        decode_shard(content, back, 16)
    assert np.array_equal(back, core, equal_nan=stored.startswith("float"))


def test_a_core_that_is_all_fill_takes_no_bytes():
    core = Quantiser("uint8").empty((1, 3, 32, 32))
    assert encode_shard(core, Quantiser("uint8").is_fill, 32) is None


@pytest.mark.parametrize("place", [-1, -10, -60])
def test_a_flipped_byte_of_the_index_is_noticed(place):
    quantiser, core = core_of("uint8", 3)
    content = bytearray(encode_shard(core, quantiser.is_fill, 16))
    content[place] ^= 0x55
    with pytest.raises(DamagedError):
        decode_shard(bytes(content), quantiser.empty(core.shape), 16)


def test_chunks_divide_the_tile():
    for tile in range(1, 3000, 7):
        assert tile % inner_chunk_px(tile) == 0
