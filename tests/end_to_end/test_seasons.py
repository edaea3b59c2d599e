"""Seasons of vegetation in a real series of 68 dates, tracked from NDVI and cloud mask as they are."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from support.eolearn_series import write_eolearn

from benchmarks.seasons import compare, draw, track_seasons

pytestmark = pytest.mark.slow


def test_seasons_are_dated_as_a_double_logistic_dates_them(shared_data, tmp_path):
    series = write_eolearn(shared_data("eolearn"), tmp_path / "series")
    found = compare(track_seasons(series, tmp_path), series, every_px=12)
    assert len(found.seasons) > 100
    assert found.median_days <= 15
    # In 2017 clear dates lie close together, and both ends of the season are known.
    assert np.median(np.abs(found.differences(0, 2017))) <= 15
    assert np.median(np.abs(found.differences(1, 2017))) <= 15
    assert "Median difference" in draw(found, series)
