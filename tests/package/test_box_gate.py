"""Objects of two backends are the same where the last bit moves them by a pixel or off the list, and no further."""

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


def raw(head, *spots: tuple[float, float]) -> dict[str, np.ndarray]:
    """Spots of 6 x 6 px, each by its left column and score."""
    kind = head.classes.index(head.objects[0])
    scores = np.zeros((1, len(spots), len(head.classes)), np.float32)
    scores[0, :, kind] = [score for _, score in spots]
    corners = np.array([[[x, 10, x + 6, 16] for x, _ in spots]], np.float32)
    return {f"{head.name}.boxes": corners, f"{head.name}.scores": scores}


@pytest.mark.parametrize(("moved_px", "agreement"), [(0, 1), (1, 1), (1.5, 0), (3, 0)])
def test_an_object_is_found_again_a_pixel_away_at_most(head, moved_px, agreement):
    _, _, same, _ = compare_boxes(head, raw(head, (10 + moved_px, 0.9)), raw(head, (10, 0.9)), (SIDE_PX, SIDE_PX))
    assert same == agreement


CROWD = [(100 * n, 0.9) for n in range(99)]


@pytest.mark.parametrize(
    ("mine", "reference", "found"),
    [
        ([*CROWD, (50, 0.5)], [*CROWD, (150, 0.5)], 198 / 198),
        ([*CROWD, (50, 0.7)], [*CROWD, (150, 0.5)], 198 / 199),
        ([*CROWD, (50, 0.5)], [*CROWD, (150, 0.5), (150, 0.0)], 198 / 199),
        ([(x + 50, 0.9) for x, _ in CROWD], CROWD, 0),
        (CROWD[:1], [(50, 0.9)], 0),
    ],
    ids=["both full", "one is better", "one has room", "all others", "one box alone"],
)
def test_few_of_a_fixed_number_may_be_others_that_are_no_better(head, mine, reference, found):
    _, _, same, _ = compare_boxes(head, raw(head, *mine), raw(head, *reference), (SIDE_PX, SIDE_PX))
    assert same == pytest.approx(found)
