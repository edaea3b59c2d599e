import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from geowatch.predict.reflect import reflect


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
