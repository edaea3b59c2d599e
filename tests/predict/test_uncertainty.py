import numpy as np
import pytest

from geowatch.package.manifest import HeadSpec
from geowatch.predict.combine import Spread
from geowatch.predict.uncertainty import deviation, entropy


def head(classes=3, activation="softmax"):
    return HeadSpec(name="s", output="y", classes=tuple("abcdef"[:classes]), activation=activation)


def pixel(*values):
    return np.array(values, np.float32).reshape(1, -1, 1, 1)


def test_entropy_is_nothing_where_one_class_has_all_and_one_where_all_are_equal():
    assert entropy(head(), pixel(1, 0, 0)).item() == 0
    assert entropy(head(), pixel(1 / 3, 1 / 3, 1 / 3)).item() == pytest.approx(1)
    # - (0.5 ln 0.5 + 0.25 ln 0.25 + 0.25 ln 0.25) / ln 3
    assert entropy(head(), pixel(0.5, 0.25, 0.25)).item() == pytest.approx(1.0397208 / 1.0986123)


def test_independent_classes_are_told_one_by_one():
    two = head(2, "sigmoid")
    assert entropy(two, pixel(0.5, 1)).item() == pytest.approx(0.5)
    assert entropy(head(1, "sigmoid"), pixel(0.5)).item() == pytest.approx(1)
    assert deviation(two, pixel(0.25, 0.25)).item() == pytest.approx(1)


def test_deviation_is_the_root_of_the_variance_of_all_classes():
    spread = Spread()
    for answer in (pixel(1, 0), pixel(0, 1), pixel(1, 0), pixel(0, 1)):
        spread.add(answer)
    assert deviation(head(2), spread.variance).item() == pytest.approx(np.sqrt(0.5))


def test_answers_that_agree_have_exactly_no_spread():
    spread = Spread()
    odd = np.random.default_rng(0).random((2, 3, 5, 5), np.float32)
    for _ in range(7):
        spread.add(odd)
    assert np.array_equal(spread.mean.value, odd)
    assert not spread.variance.any()
