import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from geowatch.predict.reflect import pieces, reflect


@given(
    first=st.integers(-50, 50),
    size=st.integers(1, 20),
    start=st.integers(-100, 100),
    length=st.integers(1, 60),
)
def test_beyond_the_edge_lies_the_mirror_image(first, size, start, length):
    image = np.arange(first, first + size)
    reach = 200
    mirrored = np.pad(image, reach, mode="symmetric")
    expected = mirrored[start - first + reach :][:length]
    assert np.array_equal(reflect(start, start + length, first, first + size), expected)


@given(start=st.integers(-30, 30), length=st.integers(1, 60), first=st.integers(-5, 5), size=st.integers(1, 9))
def test_pieces_show_the_same_as_indices(start, length, first, size):
    place = reflect(start, start + length, first, first + size) - first
    line = np.arange(size) * 10
    out = np.full(length, -1)
    for here, there in pieces(place):
        out[here] = line[there]
    assert np.array_equal(out, line[place])
