"""Outlines are read in every form that they are written in, and pixels come back as they were."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from geowatch.datasets.kwcoco_predictions import segmentation_of
from geowatch.datasets.segmentation import burn, outlines_of_mask, read_runs, shape_of, written_runs
from geowatch.errors import ImageryError

MASKS = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))


@settings(deadline=None)
@given(MASKS)
def test_a_mask_comes_back_from_its_outlines(mask):
    shapes = [(shape, 1) for shape in outlines_of_mask(mask)]
    np.testing.assert_array_equal(burn(shapes, mask.shape) == 1, mask)
    assert sum(shape.area for shape, _ in shapes) == mask.sum()


@settings(deadline=None)
@given(MASKS)
def test_a_mask_comes_back_from_what_is_written_of_it(mask):
    np.testing.assert_array_equal(read_runs(written_runs(mask)), mask)
    parts = [p for shape in outlines_of_mask(mask) for p in segmentation_of(shape)]
    shape = shape_of({"segmentation": parts}, "x")
    np.testing.assert_array_equal(burn([(shape, 1)], mask.shape) == 1, mask)


SQUARE = shapely.box(1, 2, 4, 6)


@pytest.mark.parametrize(
    "written",
    [
        {"segmentation": [{"exterior": [[1, 2], [4, 2], [4, 6], [1, 6]], "interiors": []}]},
        {"segmentation": {"exterior": [[1, 2], [4, 2], [4, 6], [1, 6]]}},
        {"segmentation": [[1, 2, 4, 2, 4, 6, 1, 6]]},
        {"segmentation": [1, 2, 4, 2, 4, 6, 1, 6]},
        {"segmentation": {"size": [8, 8], "counts": [10, 4, 4, 4, 4, 4, 34]}},
        {"bbox": [1, 2, 3, 4]},
    ],
)
def test_all_forms_say_the_same(written):
    assert shape_of(written, "x").equals(SQUARE)


def test_packed_run_lengths_of_the_documentation():
    # The example of the comments of pycocotools: an image of 9 x 10 pixels.
    runs = {"size": [9, 10], "counts": "61X13mN000`0"}
    np.testing.assert_array_equal(written_runs(read_runs(runs))["counts"], [6, 1, 40, 4, 5, 4, 5, 4, 21])


@pytest.mark.parametrize(
    "written", [{"bbox": [1, 2]}, {"segmentation": [[1, 2, 3]]}, {"segmentation": {"size": [2, 2], "counts": [9]}},
                {"segmentation": {"exterior": "x"}}]
)  # fmt: skip
def test_what_is_no_outline_is_named(written):
    with pytest.raises(ImageryError, match="outline of annotation 7"):
        shape_of(written, "annotation 7")
