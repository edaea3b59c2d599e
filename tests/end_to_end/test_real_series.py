"""The real Sentinel-2 series of 68 dates with its cloud mask: what planes see, compared with NumPy on the arrays."""

from datetime import date

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.eolearn_series import MASKED, write_eolearn
from support.small_series import planes

from geowatch.package.importing import import_onnx
from geowatch.package.manifest import InputSpec
from geowatch.package.spec import ImportSpec
from geowatch.stages.binding.imagery import ImageryConfig
from geowatch.stages.predict import predict
from geowatch.stages.predicting.config import PredictConfig
from geowatch.stages.predicting.timing import TimeConfig
from geowatch.stages.tile import TileConfig, tile

DATES, SPAN, STEP = 5, 60, 40
DAY_0 = date(1970, 1, 1)


@pytest.fixture(scope="module")
def series(shared_data, tmp_path_factory):
    return write_eolearn(shared_data("eolearn"), tmp_path_factory.mktemp("eolearn"))


@pytest.fixture(scope="module")
def mean_package(tmp_path_factory):
    """Package a network that says the mean NDVI of the dates that saw a pixel; 0 to 1, as a score is."""
    made = numpy_helper.from_array
    tables = [made(np.array(v, np.float32), n) for n, v in (("limit", -5), ("zero", 0), ("one", 1), ("top", 1))]
    axes = made(np.array([1], np.int64), "axes")
    nodes = [
        helper.make_node("Greater", ["x", "limit"], ["seen"]),
        helper.make_node("Where", ["seen", "x", "zero"], ["kept"]),
        helper.make_node("Cast", ["seen"], ["ones"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["kept", "axes"], ["total"], keepdims=0),
        helper.make_node("ReduceSum", ["ones", "axes"], ["count"], keepdims=0),
        helper.make_node("Max", ["count", "one"], ["least"]),
        helper.make_node("Div", ["total", "least"], ["mean"]),
        helper.make_node("Clip", ["mean", "zero", "top"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes, "mean", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", DATES, 1, "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1, "h", "w"])], [*tables, axes],
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("mean")
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "m.onnx")
    inputs = tuple(
        InputSpec(name=f"x.{d}", tensor="x", bands=("ndvi",), date=d, layout="NTCHW", fill=-9.0) for d in range(DATES)
    )
    spec = ImportSpec(
        inputs=inputs, classes=("green",), window=(32, 32), overlap=8, dates=DATES, activation="none",
        series_sampling="uniform", series_span_days=SPAN, series_step_days=STEP, series_anchor=0.5,
    )  # fmt: skip
    return import_onnx(folder / "m.onnx", spec, folder / "package")


def picked(days, plane):
    """Return the observations of a plane: five bins of twelve days, the one nearest each middle."""
    first = plane - int(0.5 * (SPAN - 1) + 0.5)
    found = []
    for bin_ in range(DATES):
        low = first + bin_ * SPAN // DATES
        inside = [k for k, day in enumerate(days) if low <= day < low + SPAN // DATES]
        found += sorted(inside, key=lambda k: (abs(days[k] + 0.5 - (low + SPAN / DATES / 2)), days[k]))[:1]
    return found


@pytest.mark.parametrize("block", [1, 5])
def test_planes_of_the_real_series_hold_the_mean_of_what_their_dates_saw(series, mean_package, tmp_path, block):
    imagery = ImageryConfig(images=(str(series.folder),), **MASKED)
    tile(TileConfig(run=str(tmp_path), tile_size=64, imagery=imagery))
    asked = TimeConfig(time_block=block)
    predict(
        PredictConfig(
            run=str(tmp_path), model=str(mean_package.path), imagery=imagery, time=asked, workers=1, stored="float32"
        )
    )
    _, found = planes(tmp_path)
    days = [(time.date() - DAY_0).days for time in series.times]
    compared = 0
    for time, values in found.items():
        plane = (date.fromisoformat(time[:10]) - DAY_0).days
        places = picked(days, plane)
        seen = ~series.cloud[places] if places else np.zeros((1, *series.ndvi.shape[1:]), bool)
        assert np.array_equal(np.isfinite(values[0]), seen.any(axis=0)), time
        if places:
            total = np.where(seen, series.ndvi[places], 0).sum(axis=0)
            expected = (total / np.maximum(seen.sum(axis=0), 1)).clip(0, 1)
            assert np.abs(values[0] - expected)[seen.any(axis=0)].max(initial=0) < 1e-5, time
            compared += 1
    assert compared > 20
