from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.errors import ConfigError
from geowatch.nets.registry import NETS, build_net, net_config, restore_net
from geowatch.nets.unet import UNet, UNetConfig
from geowatch.nets.weights import dump_weights


@settings(max_examples=15, deadline=None)
@given(
    depth=st.integers(1, 4),
    rows=st.integers(1, 3),
    cols=st.integers(1, 3),
    channels=st.integers(1, 5),
    classes=st.integers(1, 4),
)
def test_every_multiple_of_two_to_the_depth_is_a_size(depth, rows, cols, channels, classes):
    config = UNetConfig(channels=channels, heads={"a": classes, "b": 1}, width=2, depth=depth)
    side = config.multiple_of
    with torch.inference_mode():
        out = UNet(config).eval()(torch.zeros(2, channels, rows * side, cols * side))
    assert {k: tuple(v.shape) for k, v in out.items()} == {
        "a": (2, classes, rows * side, cols * side),
        "b": (2, 1, rows * side, cols * side),
    }


def test_the_seed_alone_decides_the_weights_and_torch_is_left_as_it_was():
    options = {"channels": 2, "width": 2, "depth": 2}
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first = build_net("unet", options, seed=1)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(6)
    assert dump_weights(build_net("unet", options, seed=1)) == dump_weights(first)
    assert dump_weights(build_net("unet", options, seed=2)) != dump_weights(first)
    assert not first.training


def test_activations_neither_vanish_nor_explode_at_the_start():
    net = build_net("unet", {"channels": 4, "width": 8})
    with torch.inference_mode():
        out = net(torch.randn(2, 4, 64, 64, generator=torch.Generator().manual_seed(0)))["scores"]
    assert 0.05 < float(out.std()) < 50


def test_what_is_far_away_matters_and_what_is_beyond_the_window_does_not():
    net = build_net("unet", {"channels": 1, "width": 4, "depth": 4})
    x = torch.zeros(1, 1, 128, 128)
    y = x.clone()
    y[0, 0, 64, 64] = 100
    with torch.inference_mode():
        changed = (net(x)["scores"] != net(y)["scores"]).any(1)[0]
    assert changed[64, 40]
    assert changed.sum() > 48 * 48


def test_weights_survive_the_package_bit_for_bit():
    options = {"channels": 3, "heads": {"scores": 2}, "width": 4, "depth": 2}
    net = build_net("unet", options, seed=4)
    net.stem[1].running_mean += 0.5
    restored = restore_net("unet", options, dump_weights(net), "test")
    x = torch.randn(1, 3, 16, 16)
    with torch.inference_mode():
        assert torch.equal(restored(x)["scores"], net(x)["scores"])
    assert not any(p.is_meta for p in (*restored.parameters(), *restored.buffers()))


@pytest.mark.parametrize(
    "options",
    [
        {"channels": 0},
        {"channels": 1, "depth": 9},
        {"channels": 1, "heads": {}},
        {"channels": 1, "width": -1},
    ],
)
def test_shapes_that_make_no_network_are_refused(options):
    with pytest.raises(ConfigError):
        net_config("unet", options)


def test_a_missing_option_is_said():
    with pytest.raises(ConfigError, match="channels"):
        net_config("unet", {})


def test_every_network_of_the_registry_has_a_summary():
    assert all(entry.summary for entry in NETS.values())
