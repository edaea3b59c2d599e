"""The season network says where an index stands in its year, whatever clouds hide."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from geowatch.errors import ConfigError
from geowatch.nets.registry import build_net
from geowatch.nets.season import FILL, _interpolated
from geowatch.package.importing import ImportSpec
from geowatch.package.packaging import NetSource, package_net

DATES, MISSING = 13, -9.0


def run(values: np.ndarray) -> np.ndarray:
    """Green scores (H, W) of an index (T, H, W)."""
    with torch.inference_mode():
        scores = build_net("season", {"dates": len(values)})(torch.from_numpy(values[None, :, None]))["scores"]
    return scores[0, 1].numpy()


def reference(values: np.ndarray) -> float:
    """The same for one pixel, with NumPy's own interpolation and quantiles."""
    at = np.arange(len(values))
    seen = values > MISSING
    year = np.interp(at, at[seen], values[seen])
    low, high = np.quantile(year, [0.1, 0.9])
    return float(np.clip((year[len(year) // 2] - low) / max(high - low, 0.2), 0, 1)) if high - low >= 0.2 else 0.0


def test_the_score_is_where_the_middle_stands_between_low_and_high():
    rng = np.random.default_rng(3)
    values = rng.uniform(0.1, 0.9, (DATES, 8, 8)).astype(np.float32)
    values[rng.random(values.shape) < 0.4] = MISSING
    values[0, 0, 0] = 0.5  # every pixel is seen once at least
    found = run(values)
    seen = (values > MISSING).any(0)
    wanted = np.array([[reference(values[:, y, x]) if seen[y, x] else 0 for x in range(8)] for y in range(8)])
    np.testing.assert_allclose(found, wanted, atol=2e-6)


def test_a_pixel_that_was_never_seen_or_never_changes_is_dormant():
    values = np.full((DATES, 1, 2), MISSING, np.float32)
    values[:, 0, 1] = 0.7
    assert run(values).tolist() == [[0.0, 0.0]]


def test_a_window_without_a_middle_is_refused():
    with pytest.raises(ConfigError, match="no middle"):
        build_net("season", {"dates": 4})


def test_the_package_knows_its_dates_and_takes_windows_of_any_size(tmp_path):
    package = package_net(NetSource(net="season", options={"dates": 5}), ImportSpec(), tmp_path / "season")
    assert package.manifest.dates == 5
    assert package.manifest.bands == ("ndvi",)
    assert package.manifest.series is not None
    assert package.manifest.series.step_days == 10
    assert not package.manifest.window.fixed


def test_a_year_of_dates_is_a_small_graph():
    net = build_net("season", {"dates": 37})
    traced = torch.jit.trace(net, torch.zeros(1, 37, 1, 8, 8), strict=False)
    # Steps grow with the logarithm of the dates: one by one, packaging a year takes many times as long.
    assert sum(node.kind().startswith("aten::") for node in traced.inlined_graph.nodes()) < 200


def test_gaps_are_filled_as_straight_lines_in_time_fill_them():
    rng = np.random.default_rng(3)
    values = rng.uniform(0, 1, (9, 6, 7)).astype(np.float32)
    values[rng.uniform(size=values.shape) < 0.5] = FILL
    seen = values > -2
    found = _interpolated(torch.from_numpy(values)[None], torch.from_numpy(seen)[None])[0].numpy()
    for y, x in np.ndindex(6, 7):
        days = np.flatnonzero(seen[:, y, x])
        if len(days):
            assert found[:, y, x] == pytest.approx(np.interp(np.arange(9), days, values[days, y, x]), abs=1e-6)
