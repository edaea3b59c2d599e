"""Transforms of bundles put pixels where the field's own package puts them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.datasets.transforms import read_affine, written_affine
from geowatch.errors import ImageryError

NUMBERS = st.floats(-5, 5).filter(lambda v: abs(v) > 0.01)
PAIRS = st.one_of(NUMBERS, st.lists(NUMBERS, min_size=2, max_size=2))
PARTS = st.fixed_dictionaries(
    {}, optional={"scale": PAIRS, "offset": PAIRS, "theta": NUMBERS, "shearx": st.floats(-0.5, 0.5), "about": PAIRS}
)


@settings(deadline=None)
@given(PARTS)
def test_parts_compose_as_the_package_does(parts):
    kwimage = pytest.importorskip("kwimage")
    ours = np.array(read_affine(parts, "x")).reshape(3, 3)
    np.testing.assert_allclose(ours, np.asarray(kwimage.Affine.coerce(parts)), atol=1e-9)


@given(PARTS)
def test_a_written_transform_reads_back(parts):
    made = read_affine(parts, "x")
    assert read_affine(written_affine(made), "x") == made


def test_none_and_matrices_are_taken():
    assert read_affine(None, "x").is_identity
    assert read_affine({"type": "affine", "matrix": None}, "x").is_identity
    assert read_affine([[2, 0, 1], [0, 2, 3]], "x") @ (1, 1) == (3, 5)


@pytest.mark.parametrize(
    "spec", [{"scale": 0}, {"scale": "big"}, {"zoom": 2}, [[1, 2], [3, 4]], "2", {"scale": [1, 2, 3]},
             {"matrix": [[1, 0, 0], [0, 1, 0], [0.1, 0, 1]]}, {"offset": float("nan")}],
)  # fmt: skip
def test_what_is_no_affine_transform_is_named(spec):
    with pytest.raises(ImageryError) as caught:
        read_affine(spec, "warp_img_to_vid of image 3")
    assert caught.value.fact.startswith("warp_img_to_vid of image 3 is")
    assert caught.value.hint
