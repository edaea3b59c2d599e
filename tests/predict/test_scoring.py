"""The network as prediction uses it; backends here are stand-ins."""

import numpy as np
import pytest

from geowatch.errors import BackendError
from geowatch.grid.lattice import PixelBox
from geowatch.grid.windows import WindowLattice
from geowatch.package.backends.base import BackendIdentity
from geowatch.package.manifest import FileRecord, HeadSpec, InputSpec, Manifest, WindowSpec
from geowatch.predict.scoring import Network
from geowatch.predict.strips import Strip

MANIFEST = Manifest(
    name="stand-in",
    inputs=(InputSpec(name="x", tensor="x", bands=("red",)),),
    window=WindowSpec(size=(4, 4)),
    heads=(HeadSpec(name="scores", output="y", classes=("a", "b"), activation="none"),),
    files={"model.onnx": FileRecord(sha256="0" * 64, bytes=1)},
)
WINDOWS = WindowLattice((4, 4), (3, 3))


class Echo:
    """Gives back what it sees, and its complement."""

    identity = BackendIdentity("echo", "1", "fp32", "none", 1)

    def __init__(self, poison=None):
        self.batches = []
        self.poison = poison

    def run(self, inputs):
        seen = inputs["x"]
        self.batches.append(len(seen))
        out = np.concatenate([seen, 1 - seen], axis=1)
        if self.poison is not None:
            out[out == self.poison] = np.nan
        return {"scores": out}

    def close(self):
        pass


def strip():
    values = np.arange(4 * 16, dtype=np.float32).reshape(1, 4, 16) / 64
    return Strip(PixelBox(0, 0, 4, 16), (values,), np.ones((4, 16), bool))


def test_windows_come_scored_in_order_in_batches_of_at_most_the_size():
    backend = Echo()
    scored = list(Network(MANIFEST, backend, WINDOWS, 2).score(0, [0, 1, 2, 4], strip()))
    assert backend.batches == [2, 2]
    assert [s.kx for s in scored] == [(0, 1), (2, 4)]
    window = strip().inputs[0][:, :, 12:16]
    assert np.array_equal(scored[1].heads[0][1], np.concatenate([window, 1 - window]))


def test_a_network_that_gives_nan_is_an_error_that_names_the_window():
    poison = float(strip().inputs[0][0, 0, 9])
    with pytest.raises(BackendError, match=r"'scores' gave NaN or infinity for window \(0, 2\)") as caught:
        list(Network(MANIFEST, Echo(poison), WINDOWS, 3).score(0, [0, 1, 2], strip()))
    assert "gw model show" in caught.value.hint
