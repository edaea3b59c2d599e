"""Memory is planned: fresh processes take no more than what was said before they began."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from geowatch.errors import MemoryBudgetError
from geowatch.package.packaging import NetSource, package_net
from geowatch.package.spec import ImportSpec
from geowatch.stages.binding.imagery import ImageryConfig
from geowatch.stages.predict import PredictConfig, predict
from geowatch.stages.predicting.context import open_session
from geowatch.stages.tile import TileConfig, tile
from geowatch.stages.working.events import Silent

BANDS = ("red", "green", "blue", "nir")

#: Peak memory of a process is its own: `getrusage` would know its parent's.
PROGRAM = """
import json, sys
from pathlib import Path
from geowatch.stages.binding.imagery import ImageryConfig
from geowatch.stages.predict import PredictConfig, predict
from geowatch.stages.tile import TileConfig, tile
asked = json.loads(sys.argv[1])
tile(TileConfig(run=asked["run"], imagery=ImageryConfig(images=(asked["images"],))))
done = predict(PredictConfig(
    run=asked["run"], model=asked["model"], window=512, jit="onnxruntime", threads=2, workers=1,
))
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(int(status["VmHWM"].split()[0]) << 10, done.memory_bytes)
"""


@pytest.fixture(scope="module")
def wide_network(tmp_path_factory) -> Path:
    """A U-Net that was never trained: its features take most of the memory."""
    spec = ImportSpec(
        bands=BANDS, classes=("a", "b"), window=(256, 256), activation="softmax", mean=(0.2,) * 4, std=(0.1,) * 4
    )
    path = tmp_path_factory.mktemp("wide") / "package"
    return package_net(NetSource(net="unet", options={"width": 16, "depth": 2}, seed=1), spec, path).path


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc")
def test_a_worker_stays_within_the_memory_that_is_planned(shared_data, wide_network, tmp_path):
    images = str(shared_data("sentinel2_l1c"))
    asked = {"run": str(tmp_path), "images": images, "model": str(wide_network)}
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, json.dumps(asked)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    peak, planned = map(int, ran.stdout.split()[-2:])
    assert 0.5 * planned < peak <= planned


def test_little_memory_makes_batches_smaller_and_less_is_refused_with_what_would_do(
    shared_data, wide_network, tmp_path
):
    imagery = ImageryConfig(images=(str(shared_data("sentinel2_l1c")),))

    def planned(memory_bytes: int | None) -> int:
        config = TileConfig(
            run=str(tmp_path / "run"), imagery=imagery, model=str(wide_network), memory_bytes=memory_bytes
        )
        return tile(config).estimate.memory_bytes or 0

    usual = planned(None)
    assert planned(usual - 1) < usual
    config = PredictConfig(run=str(tmp_path / "run"), jit="onnxruntime", threads=1, workers=1, dry_run=True)
    free = predict(config).memory_bytes
    session = open_session(PredictConfig(**{**vars(config), "memory_bytes": free - 1}), Silent())
    assert session.batch == 2
    assert session.recipe == open_session(config, Silent()).recipe
    with pytest.raises(MemoryBudgetError) as caught:
        planned(300 * 10**6)
    enough = int(caught.value.hint.split("--memory ")[1].removesuffix("MB")) * 10**6
    assert planned(enough) <= enough
