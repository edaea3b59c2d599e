"""Objects of two backends are the same where the last bit moves them by a pixel, and no further."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from support.detectors import SIDE_PX, detector, said

from geowatch.package.box_gate import compare_boxes
from geowatch.package.importing import import_onnx
from geowatch.package.spec import ImportSpec


@pytest.fixture(scope="module")
def head(tmp_path_factory):
    folder = tmp_path_factory.mktemp("detector")
    onnx.save(detector("plain"), folder / "net.onnx")
    spec = ImportSpec(bands=("red", "green", "blue"), **said("plain"))
    return import_onnx(folder / "net.onnx", spec, folder / "package").manifest.boxes[0]


def raw(head, moved_px: float) -> dict[str, np.ndarray]:
    """One spot of 6 x 6 px, moved to the right."""
    kind = head.classes.index(head.objects[0])
    scores = np.zeros((1, 1, len(head.classes)), np.float32)
    scores[..., kind] = 0.9
    corners = np.array([[[10.0 + moved_px, 10, 16 + moved_px, 16]]], np.float32)
    return {f"{head.name}.boxes": corners, f"{head.name}.scores": scores}


@pytest.mark.parametrize(("moved_px", "agreement"), [(0, 1), (1, 1), (1.5, 0), (3, 0)])
def test_an_object_is_found_again_a_pixel_away_at_most(head, moved_px, agreement):
    _, _, same, _ = compare_boxes(head, raw(head, moved_px), raw(head, 0), (SIDE_PX, SIDE_PX))
    assert same == agreement
