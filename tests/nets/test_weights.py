from __future__ import annotations

import pytest
import torch
from torch import nn

from geowatch.errors import PackageError
from geowatch.nets.weights import fill_weights, parse_weights, read_weights


@pytest.mark.parametrize("nest", [None, "state_dict", "model_state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module.", "model.", "_orig_mod.", "module.net."])
def test_checkpoints_of_common_trainers_are_taken(tmp_path, nest, prefix):
    trained, fresh = nn.Conv2d(2, 3, 1), nn.Conv2d(2, 3, 1)
    state = {prefix + name: x for name, x in trained.state_dict().items()}
    torch.save(state if nest is None else {nest: state, "epoch": 4}, tmp_path / "w.pth")
    fill_weights(fresh, read_weights(tmp_path / "w.pth"), "w.pth")
    assert torch.equal(fresh.weight, trained.weight)


def test_names_and_shapes_that_do_not_fit_are_named():
    net = nn.Conv2d(2, 3, 1)
    with pytest.raises(PackageError, match="lacks weight 'bias'"):
        fill_weights(net, {"weight": net.weight}, "w")
    with pytest.raises(PackageError, match="unknown weight 'extra'"):
        fill_weights(net, {**net.state_dict(), "extra": torch.zeros(1)}, "w")
    with pytest.raises(PackageError, match=r"'weight' of w has shape \(3, 5, 1, 1\)"):
        fill_weights(net, {"weight": torch.zeros(3, 5, 1, 1), "bias": torch.zeros(3)}, "w")


@pytest.mark.parametrize("content", [b"", b"junk", b"PK\x03\x04", b"\x80\x04N."])
def test_files_that_hold_no_weights_are_refused(tmp_path, content):
    for name in ("w.pth", "w.safetensors"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(PackageError):
            read_weights(tmp_path / name)


def test_a_missing_file_is_said(tmp_path):
    for name in ("w.pth", "w.safetensors"):
        with pytest.raises(PackageError, match="cannot read"):
            read_weights(tmp_path / name)


def test_other_things_than_tensors_are_named(tmp_path):
    torch.save({"weight": torch.zeros(1), "note": "hello"}, tmp_path / "w.pth")
    with pytest.raises(PackageError, match="'note'"):
        read_weights(tmp_path / "w.pth")
    torch.save([1, 2], tmp_path / "w.pth")
    with pytest.raises(PackageError, match="no weights by name"):
        read_weights(tmp_path / "w.pth")


def test_damaged_safetensors_are_refused():
    with pytest.raises(PackageError, match="no safetensors"):
        parse_weights(b"\xff" * 40, "w")
