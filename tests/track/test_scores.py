"""Scores in whole numbers: exact whatever the type on disk, the class or the machine."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.sites.fragment import FULL_SCORE
from geowatch.track.scores import NONE, Scale, ratio, to_units, winners

SCALES = {"uint8": Scale("uint8", 254, 255), "uint16": Scale("uint16", 65534, 65535)}


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
def test_every_stored_value_becomes_the_nearest_unit(scale):
    stored = np.arange(scale.top + 2).astype(scale.stored)
    expected = [round(Fraction(value * FULL_SCORE, scale.top)) for value in range(scale.top + 1)]
    assert scale.units(stored).tolist() == [*expected, 0]
    assert scale.salience(stored[np.newaxis]).tolist() == [*expected, NONE]


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
def test_classes_are_added_before_they_are_rounded_and_cut_at_one(scale):
    rng = np.random.default_rng(3)
    stored = rng.integers(0, scale.top + 1, (3, 4000)).astype(scale.stored)
    total = np.minimum(stored.sum(axis=0, dtype=np.int64), scale.top)
    expected = [round(Fraction(int(value) * FULL_SCORE, scale.top)) for value in total]
    assert scale.salience(stored).tolist() == expected


@pytest.mark.parametrize("stored", ["float16", "float32"])
def test_floats_are_cut_to_scores_and_keep_their_sign_in_sums(stored):
    values = np.array([[0.5, -0.25, np.nan, 3.0, np.inf], [0.25, 0.5, np.nan, 0.0, 0.0]], stored)
    scale = Scale(stored)
    assert scale.salience(values).tolist() == [24576, 8192, NONE, FULL_SCORE, FULL_SCORE]
    assert scale.units(values[0]).tolist() == [16384, -8192, 0, 3 * FULL_SCORE, 1 << 30]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1 << 30), st.integers(0, 1 << 15)), min_size=1))
def test_means_are_rounded_half_up_exactly(pairs):
    pairs = [(min(total, count * FULL_SCORE), count) for total, count in pairs]
    found = ratio(*(np.array(column) for column in zip(*pairs, strict=True)))
    expected = [(2 * total + count) // (2 * count) if count else NONE for total, count in pairs]
    assert found.tolist() == expected


def test_the_first_of_equal_classes_wins_as_on_maps():
    rng = np.random.default_rng(0)
    fields = rng.integers(0, 4, (5, 1000)).astype(np.uint8)
    found = winners(fields, np.zeros(1000, bool), range(5))
    assert np.array_equal(found, np.argmax(fields, axis=0))
    assert set(winners(fields, fields[0] == 3, (1, 4)).tolist()) == {-1, 1, 4}


def test_thresholds_are_in_units():
    assert [to_units(score) for score in (0, 0.3, 1)] == [0, 9830, FULL_SCORE]
