"""Statistics of pieces are those of the whole."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.datasets.statistics import MAX_BINS, BandStatistics, statistics_document

VALUES = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=60)


def of(pieces):
    found = BandStatistics()
    for piece in pieces:
        found.add(np.array(piece, np.float32))
    return found


@settings(deadline=None)
@given(VALUES, st.randoms())
def test_any_cut_gives_the_figures_of_the_whole(values, random):
    cuts = sorted(random.sample(range(len(values) + 1), min(3, len(values) + 1)))
    pieces = [values[a:b] for a, b in zip([0, *cuts], [*cuts, len(values)], strict=True)]
    random.shuffle(pieces)
    whole, cut = of([values]), of(pieces)
    exact = np.array(values, np.float32).astype(np.float64)
    assert (cut.count, cut.low, cut.high) == (whole.count, whole.low, whole.high) == (
        len(values), exact.min(), exact.max(),
    )  # fmt: skip
    assert cut.mean == pytest.approx(exact.mean(), rel=1e-9, abs=1e-6)
    assert cut.deviation == pytest.approx(exact.std(), rel=1e-6, abs=1e-3)
    assert (cut.histogram.power, cut.histogram.first) == (whole.histogram.power, whole.histogram.first)
    np.testing.assert_array_equal(cut.histogram.counts, whole.histogram.counts)
    assert cut.histogram.counts.sum() == len(values)
    assert cut.histogram.counts.size <= MAX_BINS


def test_quantiles_are_close_to_the_exact_ones():
    values = np.random.default_rng(1).normal(0.3, 0.1, 100_000).astype(np.float32)
    found = of(np.array_split(values, 7))
    for share in (0.02, 0.5, 0.98):
        assert found.histogram.quantile(share) == pytest.approx(np.quantile(values, share), abs=0.002)


def test_the_document_lists_the_channels_in_their_order():
    document = statistics_document({"s2": {"nir": of([[1, 3]]), "red": of([[2, 2]])}}, {"s2": {"scenes": 4}})
    found = json.loads(json.dumps(document))["domains"]["s2"]
    assert (found["channels"], found["mean"], found["std"], found["count"], found["scenes"]) == (
        ["nir", "red"], [2, 2], [1, 0], 2, 4,
    )  # fmt: skip
    assert document["schema_version"] == "1"
    assert sum(found["histogram"][0]["counts"]) == 2
