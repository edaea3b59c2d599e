"""Statistics by domain: from a document into a package, from a package to a frame."""

import json

import numpy as np
import pytest

from geowatch.errors import ImageryError, PackageError
from geowatch.package.domains import normalised_for, read_statistics
from geowatch.package.graph import TensorInfo
from geowatch.package.manifest import InputSpec, Normalisation
from geowatch.package.spec import ImportSpec, describe_inputs
from geowatch.package.steps import Clip, Log1p, Offset, Scale

SPEC = InputSpec(
    name="x", tensor="x", bands=("red", "nir"), mean=(0.1, 0.1), std=(1.0, 1.0),
    domains={"s2": Normalisation(mean=(0.2, 0.3), std=(0.4, 0.5)), "plain": Normalisation()},
)  # fmt: skip


def written(tmp_path, **domains):
    path = tmp_path / "stats.json"
    path.write_text(json.dumps({"schema_version": "1", "domains": domains}))
    return path


def test_channels_are_taken_in_the_networks_order(tmp_path):
    path = written(
        tmp_path, s2={"channels": ["nir", "red", "blue"], "mean": [3, 1, 9], "std": [4, 2, 9], "count": 7},
        l8={"channels": ["red"], "mean": [1], "std": [1], "count": 7},
    )  # fmt: skip
    assert read_statistics(path, ("red", "nir")) == {"s2": Normalisation(mean=(1, 3), std=(2, 4))}


@pytest.mark.parametrize(
    ("domain", "reason"),
    [
        ({"channels": ["red"], "mean": [1], "std": [1]}, "no domain with the channels red, nir"),
        ({"channels": ["red", "nir"], "mean": [1], "std": [1, 2]}, "2 channels, 1 means"),
        ({"channels": ["red", "nir"], "mean": [1, 1], "std": [1, 0]}, "none may be 0"),
        ({"channels": ["red", "nir"]}, "holds no statistics"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(tmp_path, domain, reason):
    with pytest.raises(PackageError, match=reason):
        read_statistics(written(tmp_path, s2=domain), ("red", "nir"))


def test_a_domain_that_clouds_hid_altogether_is_left_out(tmp_path):
    hidden = {"channels": ["red"], "mean": [0.0], "std": [None], "count": 0}
    path = written(tmp_path, l8=hidden, s2={"channels": ["red"], "mean": [1], "std": [2], "count": 7})
    assert set(read_statistics(path, ("red",))) == {"s2"}
    with pytest.raises(PackageError, match="no valid pixel of l8") as caught:
        read_statistics(written(tmp_path, l8=hidden), ("red",))
    assert "--mask" in caught.value.hint


def test_a_file_that_is_no_document_is_refused(tmp_path):
    (tmp_path / "x.json").write_text("[]")
    for name in ("x.json", "absent.json"):
        with pytest.raises(PackageError) as caught:
            read_statistics(tmp_path / name, ("red",))
        assert "gw dataset stats" in caught.value.hint


def test_a_frame_is_normalised_as_its_domain_is():
    assert normalised_for(SPEC, "s2").mean == (0.2, 0.3)
    assert normalised_for(SPEC, "s2").std == (0.4, 0.5)
    assert normalised_for(SPEC, "plain").mean == ()
    alone = SPEC.model_copy(update={"domains": {}})
    assert normalised_for(alone, "anything") is alone


def test_an_unknown_domain_is_refused_or_gets_the_packages_own_numbers():
    with pytest.raises(ImageryError, match="imagery of 'l8', but for s2, plain"):
        normalised_for(SPEC, "l8")
    lenient = SPEC.model_copy(update={"unknown_domain": "default"})
    assert normalised_for(lenient, "l8").mean == (0.1, 0.1)


def test_as_many_numbers_as_channels():
    with pytest.raises(ValueError, match="mean of s2 has 1 values for the channels red, nir"):
        InputSpec(name="x", tensor="x", bands=("red", "nir"), domains={"s2": Normalisation(mean=(1.0,))})


def test_a_network_that_is_described_in_full_gets_statistics_too(tmp_path):
    path = written(tmp_path, s2={"channels": ["red", "nir"], "mean": [1, 2], "std": [3, 4]})
    full = tuple(InputSpec(name=f"x{d}", tensor="x", bands=("red", "nir"), date=d) for d in range(2))
    spec = ImportSpec(inputs=full, stats=path, unknown_domain="default")
    found = describe_inputs((TensorInfo("x", "float32", (None, 4, 32, 32)),), spec)
    assert all(each.domains == {"s2": Normalisation(mean=(1, 2), std=(3, 4))} for each in found)
    assert all(each.unknown_domain == "default" for each in found)


def test_statistics_follow_the_steps_that_come_before_normalising(tmp_path):
    values = np.array([[200.0, 400.0, 900.0], [1000.0, 3000.0, 2000.0]])
    path = written(
        tmp_path,
        s2={"channels": ["red", "nir"], "mean": values.mean(axis=1).tolist(), "std": values.std(axis=1).tolist()},
    )
    steps = (Scale(factor=-1e-4), Offset(value=0.1, channels=("red",)), Clip(low=0, high=1), Scale(factor=2))
    after = np.stack([(values[0] * -1e-4 + 0.1) * 2, values[1] * -2e-4])
    full = InputSpec(name="x", tensor="x", bands=("red", "nir"), steps=steps)
    (found,) = describe_inputs((TensorInfo("x", "float32", (None, 2, 32, 32)),), ImportSpec(inputs=(full,), stats=path))
    assert found.domains["s2"].mean == pytest.approx(after.mean(axis=1))
    assert found.domains["s2"].std == pytest.approx(after.std(axis=1))


def test_statistics_say_nothing_behind_a_logarithm(tmp_path):
    path = written(tmp_path, s2={"channels": ["red", "nir"], "mean": [1, 2], "std": [3, 4]})
    assert read_statistics(path, ("red",), (Log1p(channels=("nir",)),))["s2"].mean == (1,)
    with pytest.raises(PackageError, match="'nir' is normalised after a logarithm"):
        read_statistics(path, ("red", "nir"), (Log1p(channels=("nir",)),))


def test_a_package_that_is_described_by_options_scales_its_statistics_too(tmp_path):
    path = written(tmp_path, s2={"channels": ["red"], "mean": [2000], "std": [500]})
    spec = ImportSpec(bands=("red",), scale=1e-4, offset=-0.1, stats=path)
    (found,) = describe_inputs((TensorInfo("x", "float32", (None, 1, 32, 32)),), spec)
    assert found.domains["s2"].mean == pytest.approx((0.1,))
    assert found.domains["s2"].std == pytest.approx((0.05,))
