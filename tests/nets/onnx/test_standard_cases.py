"""The standard's own cases: each operator of the table, with the outputs that its authors expect."""

from __future__ import annotations

import warnings
from collections import defaultdict
from functools import cache

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from geowatch.errors import BackendError
from geowatch.nets.onnx import convert_graph
from geowatch.nets.onnx.node import OPSETS
from geowatch.nets.onnx.ops import OPERATORS

#: Cases that a network on images never meets, or where runtimes agree against the standard's reference.
ELSEWHERE = {
    "test_reduce_max_empty_set": "the largest of no numbers",
    "test_reduce_max_empty_set_bool": "the largest of no numbers",
    "test_reduce_min_empty_set": "the largest of no numbers",
    "test_resize_downsample_scales_linear_align_corners": "onnxruntime takes the whole size, the reference a fraction",
    "test_resize_downsample_scales_cubic_align_corners": "onnxruntime takes the whole size, the reference a fraction",
}
#: Operators that no standard case shows by itself, for which `test_convert.py` has one.
UNSEEN = {"GlobalLpPool"}


@cache
def cases():
    """The standard's cases of the operators that are in the table, by operator."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        found = load_model_tests(kind="node")
    by_operator = defaultdict(list)
    for case in found:
        nodes = () if case.model is None else case.model.graph.node
        if len(nodes) == 1 and nodes[0].op_type in OPERATORS and case.name not in ELSEWHERE:
            by_operator[nodes[0].op_type].append(case)
    return by_operator


def array(value):
    if isinstance(value, list) or value is None:
        return value  # a sequence, or nothing: no network of images has either
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)


def plain(x):
    """Whether a value is of a number type that NumPy and torch both have."""
    return isinstance(x, np.ndarray) and x.dtype.type.__module__ == "numpy" and x.dtype.kind in "fiub"


def ready(case):
    """Return (model, tensors): inputs that a network must know beforehand are stored in the graph."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    # A case is written in the version that its operator last changed in; later ones mean the same.
    model.opset_import[0].version = min(max(model.opset_import[0].version, OPSETS.start), OPSETS.stop - 1)
    node = model.graph.node[0]
    if not all(plain(array(x)) for x in case.data_sets[0][1]):
        return None
    known = {name for i, name in enumerate(node.input) if OPERATORS[node.op_type].takes_host(i)}
    tensors = []
    for value, x in zip(case.model.graph.input, map(array, case.data_sets[0][0]), strict=True):
        if not plain(x):
            return None
        if value.name in known:
            model.graph.initializer.append(numpy_helper.from_array(x, value.name))
        else:
            tensors.append(torch.from_numpy(x.copy()))
    return (model, tensors) if tensors else None


def answer(case):
    """Return what torch says, or None where the case is refused by name or takes what is no tensor."""
    found = ready(case)
    if found is None:
        return None
    try:
        net = convert_graph(found[0])
    except BackendError:
        return None
    with torch.inference_mode():
        return [x.numpy() for x in net(*found[1]).values()]


@pytest.mark.parametrize("operator", sorted(set(OPERATORS) - UNSEEN))
def test_an_operator_answers_as_the_standard_says(operator):
    seen = 0
    for case in cases()[operator]:
        outputs = answer(case)
        if outputs is None:
            continue
        seen += 1
        for x, wanted in zip(outputs, map(array, case.data_sets[0][1]), strict=False):
            assert (x.shape, x.dtype) == (wanted.shape, wanted.dtype), case.name
            np.testing.assert_allclose(x, wanted, rtol=case.rtol, atol=max(case.atol, 1e-6), err_msg=case.name)
    assert seen or operator in {"Range", "NonZero", "ConstantOfShape"}, f"no case of {operator} runs"
