from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.errors import BackendError
from geowatch.package import HeadSpec, activate

CLASSES = ("a", "b", "c")
HEADS = {
    "softmax": HeadSpec(name="h", output="y", classes=CLASSES),
    "sigmoid": HeadSpec(name="h", output="y", classes=CLASSES, activation="sigmoid"),
    "binary": HeadSpec(name="h", output="y", classes=("no", "yes"), activation="binary"),
    "none": HeadSpec(name="h", output="y", classes=CLASSES, activation="none"),
    "labels": HeadSpec(name="h", output="y", classes=CLASSES, activation="labels"),
    "channels last": HeadSpec(name="h", output="y", classes=CLASSES, layout="NHWC"),
    "plane": HeadSpec(name="h", output="y", classes=("yes",), activation="sigmoid", layout="NHW"),
    "quarter": HeadSpec(name="h", output="y", classes=CLASSES, reduction=4),
    "half labels": HeadSpec(name="h", output="y", classes=CLASSES, activation="labels", layout="NHW", reduction=2),
}


def raw_of(head: HeadSpec, n: int, seed: int, size: tuple[int, int] = (6, 5)) -> np.ndarray:
    sizes = {"N": n, "C": head.raw_channels, "H": size[0], "W": size[1]}
    rng = np.random.default_rng(seed)
    shape = [sizes[axis] for axis in head.layout]
    if head.activation == "labels":
        return rng.integers(0, len(head.classes), shape)
    return (rng.standard_normal(shape) * 20).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(sorted(HEADS)), n=st.integers(1, 6), seed=st.integers(0, 99))
def test_a_window_is_activated_alike_in_every_batch(kind, n, seed):
    head = HEADS[kind]
    raw = raw_of(head, n, seed)
    together = activate(head, raw)
    assert together.shape == (n, len(head.classes), 6 * head.reduction, 5 * head.reduction)
    assert together.dtype == np.float32
    for i in range(n):
        assert activate(head, raw[i : i + 1]).tobytes() == together[i : i + 1].tobytes()


@settings(max_examples=30, deadline=None)
@given(kind=st.sampled_from([k for k, h in HEADS.items() if h.reduction == 1]), seed=st.integers(0, 99))
def test_a_pixel_is_activated_alike_in_every_window(kind, seed):
    head = HEADS[kind]
    raw = raw_of(head, 2, seed, (16, 33))
    whole = activate(head, raw)
    rows, cols = slice(3, 11), slice(5, 32)
    cut = tuple({"H": rows, "W": cols}.get(axis, slice(None)) for axis in head.layout)
    assert activate(head, raw[cut]).tobytes() == np.ascontiguousarray(whole[:, :, rows, cols]).tobytes()


@pytest.mark.parametrize("kind", ["softmax", "binary", "labels", "channels last", "quarter", "half labels"])
def test_probabilities_of_exclusive_classes_add_up_to_one(kind):
    p = activate(HEADS[kind], raw_of(HEADS[kind], 3, 1))
    assert p.min() >= 0
    assert p.sum(axis=1) == pytest.approx(1, abs=1e-6)


def test_known_values():
    one = np.array([0.0, np.log(2), np.log(5)], np.float32).reshape(1, 3, 1, 1)
    assert activate(HEADS["softmax"], one).ravel() == pytest.approx([1 / 8, 2 / 8, 5 / 8])
    assert activate(HEADS["sigmoid"], one).ravel() == pytest.approx([1 / 2, 2 / 3, 5 / 6])
    assert activate(HEADS["binary"], one[:, 1:2]).ravel() == pytest.approx([1 / 3, 2 / 3])
    assert activate(HEADS["labels"], np.full((1, 1, 1, 1), 2)).ravel().tolist() == [0, 0, 1]


def test_huge_logits_do_not_overflow():
    raw = np.array([1e4, -1e4, 0], np.float32).reshape(1, 3, 1, 1)
    with np.errstate(over="raise", invalid="raise"):
        assert activate(HEADS["softmax"], raw).ravel().tolist() == [1, 0, 0]
        assert activate(HEADS["sigmoid"], raw).ravel().tolist() == [1, 0, 0.5]


def test_enlarging_keeps_a_ramp_straight_and_lies_between_pixel_centres():
    head = HeadSpec(name="h", output="y", classes=("p",), activation="none", reduction=2)
    coarse = np.arange(4, dtype=np.float32).reshape(1, 1, 1, 4).repeat(3, axis=2)
    fine = activate(head, coarse)[0, 0]
    assert fine[0].tolist() == [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3]
    assert (fine == fine[0]).all()


def test_enlarging_is_what_torch_does():
    torch = pytest.importorskip("torch")
    raw = raw_of(HEADS["quarter"], 2, 3)
    head = HeadSpec(name="h", output="y", classes=CLASSES, activation="sigmoid", reduction=4)
    x = torch.nn.functional.interpolate(torch.from_numpy(raw), scale_factor=4, mode="bilinear", align_corners=False)
    assert activate(head, raw) == pytest.approx(torch.sigmoid(x).numpy(), abs=1e-5)


@pytest.mark.parametrize("shape", [(1, 4, 2, 2), (3, 2, 2), (1, 2, 2, 3)])
def test_output_of_another_shape_is_refused(shape):
    with pytest.raises(BackendError, match="3 channels"):
        activate(HEADS["softmax"], np.zeros(shape, np.float32))
