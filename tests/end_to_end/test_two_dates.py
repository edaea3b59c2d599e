"""Two dates of a real Sentinel-2 image through a network with two inputs."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import rasterio
from onnx import TensorProto, helper, numpy_helper

from geowatch.package.importing import import_onnx
from geowatch.package.manifest import InputSpec
from geowatch.package.spec import ImportSpec
from geowatch.package.steps import Scale
from geowatch.stages.binding.imagery import ImageryConfig
from geowatch.stages.predict import PredictConfig
from geowatch.stages.run import RunConfig, run
from geowatch.stages.stitch import StitchConfig
from geowatch.stages.tile import TileConfig

BANDS = ("red", "green", "blue", "nir")
LATER = tuple(f"{band}_2" for band in BANDS)
CLASSES = ("other", "field", "edge")


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A network of two inputs, one a date, with weights drawn here: a stand-in for a trained one."""
    rng = np.random.default_rng(3)

    def weights(name, *shape):
        return numpy_helper.from_array(rng.normal(0, 0.3, shape).astype(np.float32), name)

    def value(name, channels):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", channels, "h", "w"])

    nodes = [
        helper.make_node("Concat", ["early", "late"], ["both"], axis=1),
        helper.make_node("Conv", ["both", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2"], ["logits"], pads=[1, 1, 1, 1]),
    ]
    constants = [weights("w1", 8, 8, 3, 3), weights("b1", 8), weights("w2", 3, 8, 3, 3)]
    graph = helper.make_graph(nodes, "two", [value("early", 4), value("late", 4)], [value("logits", 3)], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path_factory.mktemp("two") / "two.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def mapped(folder, package, imagery):
    config = RunConfig(
        tile=TileConfig(run=str(folder), tile_size=256, imagery=imagery),
        predict=PredictConfig(model=str(package), imagery=imagery, jit="onnxruntime", stored="float32"),
        stitch=StitchConfig(quicklook=False),
    )
    run(config)
    with rasterio.open(folder / "map.tif") as classes, rasterio.open(folder / "probability.tif") as scores:
        return classes.read(1), scores.read()


def test_days_in_one_file_are_two_dates_or_eight_bands_as_the_package_says(network, shared_data, tmp_path):
    image = str(shared_data("ftw_s2") / "inference-img.tif")
    plain = ImportSpec(classes=CLASSES, window=(128, 128), scale=1e-4, bands=BANDS, dates=2)
    steps = (Scale(factor=1e-4),)
    inputs = tuple(
        InputSpec(name=name, tensor=name, bands=bands, steps=steps)
        for name, bands in (("early", BANDS), ("late", LATER))
    )
    full = ImportSpec(classes=CLASSES, window=(128, 128), inputs=inputs)
    import_onnx(network, plain, tmp_path / "dates")
    import_onnx(network, full, tmp_path / "bands")
    stacked = ImageryConfig(images=(image,), bands=BANDS, stack=("2021-04-01", "2021-08-01"))
    side_by_side = ImageryConfig(images=(image,), bands=(*BANDS, *LATER))
    by_dates = mapped(tmp_path / "run-dates", tmp_path / "dates", stacked)
    by_bands = mapped(tmp_path / "run-bands", tmp_path / "bands", side_by_side)
    for mine, theirs in zip(by_dates, by_bands, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_allclose(by_dates[1][:, 8:-8, 8:-8], _whole(network, image)[:, 8:-8, 8:-8], atol=5e-3)


def _whole(network, image):
    """Probabilities of the whole image at once: the network sees two pixels far, so windows change nothing."""
    with rasterio.open(image) as source:
        values = source.read().astype(np.float32) * np.float32(1e-4)
    session = onnxruntime.InferenceSession(network)
    logits = session.run(None, {"early": values[None, :4], "late": values[None, 4:]})[0][0]
    shares = np.exp(logits - logits.max(0))
    return shares / shares.sum(0)
