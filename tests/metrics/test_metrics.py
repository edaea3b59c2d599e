"""Figures against cases small enough to be worked out by hand, and against their own definitions."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from geowatch.metrics import BINS, STEPS, Calibration, Confusion, ErrorCurve, ScoreCurves

CASES = st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=40)


def test_confusion_of_ten_pixels():
    #                  0  0  0  0  0  1  1  1  2  2
    truth = np.array([0, 0, 0, 0, 0, 1, 1, 1, 2, 2])
    found = np.array([0, 0, 0, 1, 2, 1, 1, 0, 2, 2])
    table = Confusion.of(truth, found, 3)
    assert table.counts.tolist() == [[3, 1, 1], [1, 2, 0], [0, 0, 2]]
    assert table.accuracy == pytest.approx(0.7)
    # Chance: 0.5 * 0.4 + 0.3 * 0.3 + 0.2 * 0.3 = 0.35.
    assert table.kappa == pytest.approx((0.7 - 0.35) / 0.65)
    assert table.iou == pytest.approx((3 / 6, 2 / 4, 2 / 3))
    assert table.f1 == pytest.approx((6 / 9, 4 / 6, 4 / 5))
    assert table.precision == pytest.approx((3 / 4, 2 / 3, 2 / 3))
    assert table.recall == pytest.approx((3 / 5, 2 / 3, 1))


def test_a_class_that_is_nowhere_has_no_figure_and_no_pixels_none_at_all():
    table = Confusion.of(np.array([0, 1]), np.array([0, 1]), 3)
    assert np.isnan(table.iou[2])
    assert table.kappa == 1
    assert np.isnan(Confusion.empty(2).accuracy)
    assert np.isnan(Confusion.empty(2).kappa)
    assert np.isnan(ScoreCurves.empty().auroc)
    assert np.isnan(ScoreCurves.empty().average_precision)
    assert np.isnan(Calibration.empty().error)
    assert np.isnan(ErrorCurve.empty().error_rate)


@given(CASES)
def test_area_under_the_curve_is_the_share_of_pairs_in_the_right_order(case):
    scores = np.array([score / 20 for score, _ in case])
    is_class = np.array([inside for _, inside in case])
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[is_class] for b in scores[~is_class]]
    found = ScoreCurves.of(scores, is_class).auroc
    assert np.isnan(found) if not pairs else found == pytest.approx(np.mean(pairs))


@given(CASES)
def test_average_precision_goes_over_every_threshold(case):
    scores = np.array([score / 20 for score, _ in case])
    is_class = np.array([inside for _, inside in case])
    found = ScoreCurves.of(scores, is_class).average_precision
    if not is_class.any():
        assert np.isnan(found)
        return
    total, last = 0.0, 0.0
    for limit in sorted(set(scores), reverse=True):
        taken = scores >= limit
        recall = is_class[taken].sum() / is_class.sum()
        total += (recall - last) * is_class[taken].mean()
        last = recall
    assert found == pytest.approx(total)


def test_scores_of_a_heatmap_of_8_bits_are_told_apart_exactly():
    scores = np.arange(255) / np.float32(254)
    assert (np.rint(scores * STEPS) == np.arange(255) * 16).all()


def test_calibration_of_two_bins():
    # Ten pixels at 0.9 of which six are right, ten at 0.5 of which five are: (10 * 0.3 + 10 * 0) / 20.
    scores = np.repeat([0.9, 0.5], 10)
    right = np.array([True] * 6 + [False] * 4 + [True, False] * 5)
    found = Calibration.of(scores, right)
    assert found.error == pytest.approx(0.15)
    assert np.nansum(found.pixels) == 20
    assert found.share_right[int(np.ceil(0.9 * BINS)) - 1] == pytest.approx(0.6)
    assert found.mean_score[int(np.ceil(0.5 * BINS)) - 1] == pytest.approx(0.5)


@given(CASES)
def test_each_bin_has_the_mean_score_and_the_share_of_its_own_pixels(case):
    scores, right = (np.array(column) for column in zip(*case, strict=True))
    found = Calibration.of(scores / 20, right)
    edges = np.arange(BINS + 1) * 20 / BINS
    for number, (low, high) in enumerate(pairwise(edges.tolist())):
        mine = ((low < scores) | ((number == 0) & (scores == 0))) & (scores <= high)
        assert found.pixels[number] == mine.sum()
        for figure, values in ((found.mean_score, scores[mine] / 20), (found.share_right, right[mine])):
            assert np.isnan(figure[number]) if not mine.any() else figure[number] == pytest.approx(values.mean())


@given(st.lists(st.tuples(st.integers(0, STEPS), st.booleans()), min_size=1, max_size=40))
@example([(3700, True), (4000, False)])  # beside each other in the last bins
@example([(0, True), (300, True), (50, False)])
def test_the_calibration_of_a_class_is_that_of_its_scores_on_all_pixels(case):
    steps, inside = (np.array(column) for column in zip(*case, strict=True))
    scores = steps / STEPS
    error = ScoreCurves.of(scores, inside).calibration_error
    assert error == pytest.approx(Calibration.of(scores, inside).error)


def test_scores_at_the_ends_and_on_the_edge_of_a_bin_have_a_place():
    found = Calibration.of(np.array([0.0, 1 / BINS, 1.0]), np.ones(3, bool))
    assert found.pixels.tolist() == [2, *[0] * (BINS - 2), 1]


def test_errors_that_come_last_are_foretold():
    uncertainty = np.array([0.1, 0.2, 0.3, 0.4])
    curve = ErrorCurve.of(uncertainty, np.array([False, False, True, True]))
    assert curve.auroc == 1
    assert [curve.error_at(share) for share in (0.5, 0.75, 1)] == pytest.approx([0, 1 / 3, 0.5])
    assert ErrorCurve.of(uncertainty, np.array([True, True, False, False])).auroc == 0
    assert ErrorCurve.of(np.full(4, 0.5), np.array([True, False, False, False])).error_at(0.5) == pytest.approx(0.25)


@given(CASES, st.integers(0, 40))
def test_what_is_counted_in_parts_adds_up_to_the_whole(case, cut):
    scores = np.array([score / 20 for score, _ in case])
    flags = np.array([inside for _, inside in case])
    classes = (scores * 20).astype(int) % 3
    for kind, counted in (
        (ScoreCurves, lambda part: ScoreCurves.of(scores[part], flags[part])),
        (Calibration, lambda part: Calibration.of(scores[part], flags[part])),
        (ErrorCurve, lambda part: ErrorCurve.of(scores[part], flags[part])),
        (Confusion, lambda part: Confusion.of(classes[part], flags[part].astype(int), 3)),
    ):
        whole, parts = counted(slice(None)), counted(slice(cut)) + counted(slice(cut, None))
        for name in ("auroc", "average_precision", "error", "error_rate", "kappa", "iou"):
            if hasattr(whole, name):
                assert np.allclose(getattr(whole, name), getattr(parts, name), equal_nan=True), kind


def test_pixels_that_are_all_alike_are_as_wrong_at_any_share():
    curve = ErrorCurve.of(np.zeros(4), np.array([True, False, False, False]))
    assert [curve.error_at(share) for share in (0.1, 0.5, 1)] == pytest.approx([0.25] * 3)


def test_calibration_of_a_class_is_that_of_its_scores():
    rng = np.random.default_rng(3)
    scores = rng.integers(0, 255, 5000) / 254
    is_class = rng.random(5000) < scores**2
    error = ScoreCurves.of(scores, is_class).calibration_error
    assert error == pytest.approx(Calibration.of(scores, is_class).error)
    assert 0.1 < error < 0.25
    assert np.isnan(ScoreCurves.empty().calibration_error)
