"""Networks become graphs without a word of torch to the user: its exporters warn of what is none of theirs."""

from __future__ import annotations

import warnings

import numpy as np
import onnx
import pytest
from torch import Tensor, nn

from geowatch.nets.export import export_onnx


class Doubled(nn.Module):
    """Doubles what it is given."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 2


@pytest.mark.parametrize("traced", [True, False])
def test_an_export_says_nothing(traced, capfd):
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        content = export_onnx(
            Doubled(), {"x": np.ones((2, 3, 8, 8), np.float32)}, ("y",), free_axes={"x": (0, 2, 3)}, traced=traced
        )
    assert [str(each.message) for each in heard] == []
    assert capfd.readouterr() == ("", "")
    graph = onnx.load_from_string(content).graph
    assert [each.name for each in graph.input] == ["x"]
    assert [each.name for each in graph.output] == ["y"]
