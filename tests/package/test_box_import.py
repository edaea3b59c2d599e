"""Detectors of any order and shape of outputs become packages that tell the same objects."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from support.detectors import FORMS, SIDE_PX, detector, said

from geowatch.errors import BackendError, PackageError
from geowatch.package import load_package
from geowatch.package.backends import open_backend
from geowatch.package.importing import import_onnx
from geowatch.package.spec import ImportSpec
from geowatch.package.window_boxes import objects_of

BANDS = ("red", "green", "blue")


def packaged(folder, form: str = "plain", **more: object):
    path = folder / "net.onnx"
    onnx.save(detector(form), path)
    return import_onnx(path, ImportSpec(bands=BANDS, **{**said(form), **more}), folder / "package")


def spots(count: int = 3) -> np.ndarray:
    """Windows with spots of brightness 0.6 to 0.9 on dark ground."""
    windows = np.full((2, 3, SIDE_PX, SIDE_PX), 0.1, np.float32)
    rng = np.random.default_rng(1)
    for n in range(2):
        for k, (y, x) in enumerate(rng.permutation(25)[:count, None] // [5, 1] % 5 * 6 + 4):
            windows[n, :, y, x] = 0.6 + 0.1 * k
    return windows


def found(package, windows: np.ndarray, backend: str = "onnxruntime"):
    opened = open_backend(package, backend)
    step = package.manifest.batch or len(windows)
    raw = [opened.run({package.manifest.inputs[0].name: windows[n : n + step]}) for n in range(0, len(windows), step)]
    opened.close()
    (head,) = package.manifest.boxes
    every = objects_of(head, {key: np.concatenate([each[key] for each in raw]) for key in raw[0]}, (SIDE_PX, SIDE_PX))
    return [
        sorted(zip(map(tuple, each.corners.round(3).tolist()), each.score.astype(float).round(5).tolist(), strict=True))
        for each in every
    ]


@pytest.mark.parametrize("form", FORMS)
def test_detectors_tell_the_same_objects_whatever_the_order_of_their_outputs(tmp_path, form):
    windows = spots()
    package = load_package(packaged(tmp_path, form).path)
    assert package.manifest.boxes[0].objects[0] == "spot"
    wanted = [
        sorted(((y - 2.5, x - 2.5, y + 3.5, x + 3.5), round(float(s), 5)) for y, x, s in _bright(window))
        for window in windows
    ]
    assert found(package, windows) == wanted
    assert sum(map(len, wanted)) == 6


def _bright(window: np.ndarray) -> list[tuple[int, int, float]]:
    return [(int(y), int(x), float(window[0, y, x])) for y, x in np.argwhere(window[0] > 0.5)]


@pytest.mark.parametrize("form", ["one tensor turned", "as found"])
def test_openvino_tells_the_same_objects(tmp_path, form):
    package = packaged(tmp_path, form)
    assert found(package, spots(), "openvino") == found(package, spots())


def test_what_finds_more_than_there_is_room_for_is_an_error(tmp_path):
    package = packaged(tmp_path, "as found", most_boxes=2)
    assert len(found(package, spots(2))[0]) == 2
    with pytest.raises(BackendError, match="found more than 2 objects in a window"):
        found(package, spots(3))


def test_fewer_objects_than_room_fill_up_with_none(tmp_path):
    assert [len(each) for each in found(packaged(tmp_path, "as found"), spots(0))] == [0, 0]


@pytest.mark.parametrize(
    ("change", "fact", "hint"),
    [
        ({"scores_tensor": "boxes"}, "scores of 2 classes", "name as many --classes"),
        ({"boxes_tensor": "corners"}, "the graph has no output 'corners'; it has boxes, scores", None),
        ({"box_format": "cxcywh", "box_units": "share"}, "far outside of a window", "--box-units"),
        ({"box_format": "xywh", "background": "ship"}, "background 'ship' is none of", None),
        ({"classes": ("a", "b")}, "has shape \\(3, 12, 1\\); scores of these boxes are \\(3, 12, 2\\)", "--classes"),
        (
            {"labels_tensor": "boxes"},
            "has shape \\(3, 12, 4\\); labels of these boxes are \\(3, 12\\)",
            "--labels-tensor",
        ),
        ({"activation": "labels"}, "scores of boxes have no activation labels", "sigmoid"),
        ({"min_score": 0.0}, "min_score", None),
    ],
)
def test_what_does_not_fit_is_refused_with_the_remedy(tmp_path, change, fact, hint):
    if change.get("scores_tensor") == "boxes":
        change = {**change, "classes": ("a", "b")}
    with pytest.raises(PackageError, match=fact) as told:
        packaged(tmp_path, **change)
    assert hint is None or hint in str(told.value.hint)


def test_scores_beyond_one_must_be_said_to_be_logits(tmp_path):
    path = tmp_path / "net.onnx"
    model = detector("rows first")
    by_ten = onnx.helper.make_node("Mul", ["pair", "ten"], ["logits"])
    model.graph.node.append(by_ten)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(10), "ten"))
    model.graph.output.append(onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, None))
    onnx.save(model, path)
    spec = ImportSpec(bands=BANDS, **{**said("rows first"), "scores_tensor": "logits"})
    with pytest.raises(PackageError, match="no probabilities") as told:
        import_onnx(path, spec, tmp_path / "package")
    assert "--activation" in str(told.value.hint)
    made = import_onnx(path, replace(spec, activation="softmax"), tmp_path / "package")
    assert made.manifest.boxes[0].activation == "softmax"


def test_a_network_may_have_maps_and_boxes(tmp_path):
    model = detector()
    model.graph.output.append(onnx.helper.make_tensor_value_info("grey", onnx.TensorProto.FLOAT, None))
    onnx.save(model, tmp_path / "net.onnx")
    from geowatch.package.box_head import BoxesSpec
    from geowatch.package.manifest import HeadSpec

    spec = ImportSpec(
        bands=BANDS,
        heads=(HeadSpec(name="light", output="grey", classes=("bright",), activation="none"),),
        boxes=(BoxesSpec(name="spots", boxes="boxes", scores="scores", classes=("spot",)),),
    )
    manifest = import_onnx(tmp_path / "net.onnx", spec, tmp_path / "package").manifest
    assert list(manifest.outputs) == ["light", "spots.boxes", "spots.scores"]
    assert manifest.boxes[0].most is None
