"""What a user notices of the change detector: what it calls pixels whose history is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from geowatch.errors import ConfigError
from geowatch.nets.change import BANDS, CLASSES, FILL, ChangeConfig, _falling
from geowatch.nets.registry import build_net

T, YEAR = 72, 24
NA, SP, AC, PC = range(4)
SOIL = np.array([0.08, 0.12, 0.16, 0.23, 0.31], np.float32)
SUBSOIL = np.array([0.12, 0.17, 0.23, 0.29, 0.37], np.float32)
PLANTS = np.array([0.03, 0.06, 0.035, 0.46, 0.20], np.float32)
CONCRETE = np.array([0.22, 0.25, 0.27, 0.29, 0.31], np.float32)
METAL = np.array([0.32, 0.34, 0.35, 0.37, 0.38], np.float32)
MUD = np.array([0.06, 0.08, 0.10, 0.13, 0.13], np.float32)
WATER = np.array([0.05, 0.05, 0.035, 0.02, 0.01], np.float32)


def field() -> np.ndarray:
    """(T, C): green for a third of each year, about its middle, bare soil otherwise."""
    when = np.arange(T) % YEAR
    green = np.where((when >= 8) & (when < 16), 0.85, 0.05)[:, None]
    return (green * PLANTS + (1 - green) * SOIL).astype(np.float32)


def worked(since: int, until: int = T) -> np.ndarray:
    """(T, C): a field until ``since``, then a site whose surface changes from date to date, then concrete."""
    x = field()
    turns = [SUBSOIL, METAL, MUD, CONCRETE]
    for k in range(since, T):
        x[k] = turns[k // 2 % 4] if k < until else CONCRETE
    return x


def scores(*pixels: np.ndarray, config: ChangeConfig | None = None) -> np.ndarray:
    """(n, classes) of pixels (T, C), side by side in one window."""
    net = build_net("change-detector", {})
    x = torch.from_numpy(np.stack(pixels, -1)[None, ..., None, :].copy())
    with torch.inference_mode():
        return net(x)["scores"].softmax(1)[0, :, 0].T.numpy()


def test_a_field_a_lake_and_a_village_are_no_activity():
    village = np.tile(0.6 * CONCRETE + 0.4 * SOIL, (T, 1)).astype(np.float32)
    lake = np.tile(WATER, (T, 1))
    for found in scores(field(), lake, village):
        assert found[NA] > 0.85


def test_a_site_is_prepared_then_built_on():
    prepared = field()
    prepared[30:] = SUBSOIL
    still, busy = scores(prepared, worked(26))
    assert still.argmax() == SP
    assert busy.argmax() == AC


def test_what_was_finished_lately_is_post_construction():
    done = field()
    done[22:26] = SUBSOIL
    done[26:] = CONCRETE
    assert scores(done)[0].argmax() == PC


def test_a_pond_that_falls_dry_is_no_site():
    pond = np.tile(WATER, (T, 1))
    pond[30:40] = MUD
    pond[40:50] = SOIL
    assert scores(pond)[0][NA] > 0.8


def test_a_green_season_that_clouds_hid_is_not_taken_for_a_site():
    hidden = field()
    hidden[32:40] = FILL  # the season about the middle date
    assert scores(hidden)[0][NA] > 0.8


def tilled(green_from: int) -> np.ndarray:
    """(T, C): green for a third of each year from a date of it on; else bare, and another surface on each date."""
    surfaces = np.stack([SOIL, 0.5 * SOIL, CONCRETE])
    green = (np.arange(T) - green_from) % YEAR < 8
    return np.where(green[:, None], PLANTS, surfaces[np.arange(T) % 3]).astype(np.float32)


def test_restless_fields_are_no_sites_at_the_ends_of_a_series_where_nobody_saw_them_green():
    first, last = tilled(2), tilled(14)
    first[: T // 2], last[T // 2 :] = FILL, FILL
    for found in scores(first, last):
        assert found[NA] > 0.8


def test_a_site_that_is_built_when_the_series_begins_is_seen_on_its_first_day():
    busy = worked(0)
    busy[: T // 2] = FILL
    assert scores(busy)[0].argmax() == AC


def test_a_pixel_that_nobody_saw_is_no_activity():
    assert scores(np.full((T, len(BANDS)), FILL, np.float32))[0][NA] > 0.95


def test_a_third_of_the_dates_under_clouds_changes_no_verdict():
    rng = np.random.default_rng(0)
    field_, busy = field(), worked(26)
    for pixel in (field_, busy):
        pixel[rng.random(T) < 0.35] = FILL
    found = scores(field_, busy)
    assert found[0].argmax() == NA
    assert found[1].argmax() == AC


def test_single_clouds_and_shadows_that_a_mask_missed_change_no_verdict():
    field_, busy = field(), worked(26)
    for pixel in (field_, busy):
        pixel[[5, 33, 47]] = 0.55
        pixel[[12, 39, 60]] *= 0.4
    found = scores(field_, busy)
    assert found[0].argmax() == NA
    assert found[1].argmax() == AC


def test_a_window_does_not_depend_on_its_batch():
    net = build_net("change-detector", {})
    x = torch.from_numpy(np.random.default_rng(1).random((3, T, len(BANDS), 5, 7), dtype=np.float32))
    x[torch.rand(3, T, 1, 5, 7, generator=torch.Generator().manual_seed(0)).expand_as(x) < 0.4] = FILL
    with torch.inference_mode():
        whole = net(x)["scores"]
        for k in range(3):
            assert torch.equal(net(x[k : k + 1])["scores"][0], whole[k])
        assert torch.equal(net(x[..., 2:3, 4:6])["scores"], whole[..., 2:3, 4:6])
    assert whole.shape == (3, len(CLASSES), 5, 7)


@pytest.mark.parametrize("count", [1, 2, 3, 8, 12, 24, 31])
def test_values_are_put_in_order_largest_first(count):
    x = torch.randn(2, 1, count, 3, 4, generator=torch.Generator().manual_seed(count)).round(decimals=1)
    assert torch.equal(_falling(x), x.sort(2, descending=True).values)


@pytest.mark.parametrize("wrong", [{"dates": 70}, {"years": 0}, {"dates": 12, "years": 3}, {"proof": 0.0}])
def test_dates_that_make_no_seasons_are_refused(wrong):
    with pytest.raises(ConfigError):
        ChangeConfig(**wrong)


@pytest.mark.slow
def test_its_package_needs_one_command_and_runs_alike_on_every_backend(tmp_path):
    from geowatch.stages.model.packages import PackageConfig, package_model, verify_model

    options = {"dates": 24}
    package = package_model(PackageConfig(net="change-detector", output=tmp_path / "pkg", options=options))
    manifest = package.manifest
    assert manifest.heads[0].classes == CLASSES
    assert manifest.dates == 24
    assert manifest.series is not None
    assert not manifest.window.fixed  # what one pass writes down holds for any number and size of windows
    assert manifest.batch is None
    assert {spec.fill for spec in manifest.inputs} == {FILL}
    verdict = verify_model(package.path)
    assert {"onnxruntime", "openvino"} <= {identity.name for identity in verdict.gates}
    assert not verdict.refused
    assert all(report.passed for report in verdict.gates.values())
