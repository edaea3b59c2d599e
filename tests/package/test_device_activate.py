"""Probabilities made on a device are those made on the host. Here torch's CPU stands in for a device."""

import numpy as np
import pytest
import torch

from geowatch.errors import BackendError
from geowatch.package import activate
from geowatch.package.device_activate import activate_on_device
from tests.package.test_activate import HEADS, raw_of


@pytest.mark.parametrize("kind", HEADS)
def test_probabilities_are_the_same_to_the_last_digits(kind):
    head = HEADS[kind]
    raw = raw_of(head, 3, 7, (9, 11))
    found = activate_on_device(head, torch.from_numpy(raw.copy())).numpy()
    assert found.dtype == np.float32
    assert np.abs(found - activate(head, raw)).max() < 1e-6 * max(1, np.abs(raw).max() if kind == "none" else 1)


def test_another_shape_than_the_manifest_says_is_refused():
    with pytest.raises(BackendError, match="gave shape"):
        activate_on_device(HEADS["softmax"], torch.zeros(1, 5, 4, 4))
