"""Of boxes that show the same object the best one stays, whatever their order and however they are grouped."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.sites.detections import Detections
from geowatch.sites.suppression import suppressed
from tests.sites.test_detections import boxes


def of(*rows: tuple[float, ...], cut: tuple[int, ...] | None = None, kind: tuple[int, ...] | None = None) -> Detections:
    """Boxes from (y0, x0, y1, x1, score)."""
    table = np.array(rows, float)
    kinds = np.zeros(len(rows), int) if kind is None else np.array(kind)
    found = Detections.of(table[:, :4], kinds, table[:, 4])
    columns = {name: getattr(found, name) for name in Detections.__slots__}
    return found if cut is None else Detections(**{**columns, "cut": np.array(cut, np.uint8)})


def one_by_one(found: Detections, share: Fraction) -> set[tuple[int, ...]]:
    """The usual greedy rule, in plain Python with fractions."""
    rows = sorted(
        zip(*(getattr(found, name).tolist() for name in Detections.__slots__), strict=True),
        key=lambda r: (r[7], -r[6], r[0], r[5], *r[1:5]),
    )
    kept: list[tuple[int, ...]] = []
    for row in rows:
        if not any(_same(better, row, share) for better in kept):
            kept.append(row)
    return set(kept)


def _same(a: tuple[int, ...], b: tuple[int, ...], share: Fraction) -> bool:
    if a[0] != b[0] or a[5] != b[5]:
        return False
    shared = max(0, min(a[3], b[3]) - max(a[1], b[1])) * max(0, min(a[4], b[4]) - max(a[2], b[2]))
    areas = [(r[3] - r[1]) * (r[4] - r[2]) for r in (a, b)]
    union = sum(areas) - shared
    return shared > 0 and (Fraction(shared, union) >= share or (b[7] > 0 and Fraction(shared, areas[1]) >= share))


def rows_of(found: Detections) -> set[tuple[int, ...]]:
    return set(zip(*(getattr(found, name).tolist() for name in Detections.__slots__), strict=True))


@settings(deadline=None, max_examples=60)
@given(boxes(most=40, reach=12), st.integers(1, 10))
def test_the_outcome_is_that_of_the_greedy_rule(found, tenths):
    assert rows_of(suppressed(found, tenths / 10)) == one_by_one(found, Fraction(tenths, 10))


@settings(deadline=None, max_examples=60)
@given(boxes(most=40, reach=12), st.randoms(use_true_random=False))
def test_order_does_not_matter(found, random):
    order = list(range(len(found)))
    random.shuffle(order)
    assert suppressed(found.where(np.array(order, int)), 0.3).to_bytes() == suppressed(found, 0.3).to_bytes()


@settings(deadline=None, max_examples=60)
@given(boxes(most=40, reach=12))
def test_what_stays_stays_when_asked_again(found):
    once = suppressed(found, 0.3)
    assert suppressed(once, 0.3).to_bytes() == once.to_bytes()


def test_a_box_stays_where_the_one_above_it_went():
    chain = of((0, 0, 10, 10, 0.9), (0, 4, 10, 14, 0.8), (0, 8, 10, 18, 0.7))
    assert (suppressed(chain, 0.3).x0 // 16).tolist() == [0, 8]


def test_equal_scores_are_told_apart_by_place():
    twins = of((5, 5, 9, 9, 0.5), (5, 4, 9, 8, 0.5))
    assert (suppressed(twins, 0.5).x0 // 16).tolist() == [4]


def test_whole_boxes_win_over_those_cut_off_at_a_border_whatever_the_scores():
    part, whole = (0, 0, 10, 4, 0.99), (0, 0, 10, 20, 0.4)
    assert (suppressed(of(part, whole, cut=(1, 0)), 0.5).x1 // 16).tolist() == [20]
    assert len(suppressed(of(part, whole, cut=(0, 0)), 0.5)) == 2


@pytest.mark.parametrize(("kind", "time"), [((0, 1), (0, 0)), ((0, 0), (0, 1))])
def test_classes_and_times_do_not_meet(kind, time):
    pair = of((0, 0, 9, 9, 0.5), (0, 0, 9, 9, 0.6), kind=kind)
    joined = Detections.joined([pair.where(np.array([n])).at(at) for n, at in enumerate(time)])
    assert len(suppressed(joined, 0.5)) == 2
