"""Options of time and of normalisation on their way into the recipe."""

import pytest

from geowatch.errors import ConfigError, PackageError
from geowatch.package.manifest import FileRecord, HeadSpec, InputSpec, Manifest, Normalisation, SeriesSpec, WindowSpec
from geowatch.predict.recipe import BackendPin, HeadPin, NormPin, Recipe
from geowatch.stages.predicting.timing import NormConfig, TimeConfig, check_heads, dressed, settle_norm, settle_series

SERIES = SeriesSpec(sampling="soft-dilated", span_days=365, anchor=0.5, step_days=20, sensors=("s2", "l8"))


def manifest(*, series=SERIES, layout="NCHW", sensors=((), ()), **spec):
    inputs = tuple(
        InputSpec(name=f"x{d}", tensor="x", bands=("red",), date=d, layout="NTCHW", sensors=own, **spec)
        for d, own in enumerate(sensors)
    )
    return Manifest(
        name="m", inputs=inputs, window=WindowSpec(size=(32, 32)), series=series,
        heads=(HeadSpec(name="scores", output="y", classes=("a", "b"), layout=layout),),
        files={"model.onnx": FileRecord(sha256="0" * 64, bytes=1)},
    )  # fmt: skip


def test_a_network_without_a_series_keeps_its_runs_of_consecutive_frames():
    assert settle_series(TimeConfig(), None, manifest(series=None)) is None


def test_the_package_says_what_the_options_leave_open():
    pin = settle_series(TimeConfig(time_step_days=7, time_keep="all"), None, manifest())
    assert (pin.sampling, pin.span_days, pin.anchor) == ("soft-dilated", 365, 0.5)
    assert (pin.step_days, pin.keep) == (7, "all")
    assert pin.sensors == (("l8", "s2"), ("l8", "s2"))


def test_a_step_of_0_is_a_plane_at_each_frame():
    assert settle_series(TimeConfig(time_step_days=0), None, manifest()).step_days is None


def test_a_span_alone_makes_a_series_of_any_network():
    pin = settle_series(TimeConfig(time_span_days=90), None, manifest(series=None))
    assert (pin.sampling, pin.span_days, pin.keep) == ("uniform", 90, "any")
    assert settle_series(TimeConfig(time_block=2), None, manifest(series=None)).sampling == "contiguous"


def test_a_date_takes_the_sensors_that_it_is_made_for():
    pin = settle_series(TimeConfig(), None, manifest(sensors=(("l8",), ())))
    assert pin.sensors == (("l8",), ("l8", "s2"))
    only = settle_series(TimeConfig(time_sensors=("s2",)), None, manifest())
    assert only.sensors == (("s2",), ("s2",))
    with pytest.raises(ConfigError, match="takes no imagery of s2"):
        settle_series(TimeConfig(time_sensors=("s2",)), None, manifest(sensors=(("l8",), ())))


@pytest.mark.parametrize(
    "wrong",
    [
        {"time_keep": "some"},
        {"time_sampling": "often"},
        {"time_anchor": 2.0},
        {"time_step_days": -3},
        {"time_block": -1},
    ],
)
def test_what_is_no_series_is_refused_with_a_hint(wrong):
    with pytest.raises(ConfigError) as caught:
        settle_series(TimeConfig(**wrong), None, manifest())
    assert caught.value.hint


def test_heads_that_score_each_date_make_windows_of_time_in_whole_blocks():
    pin = settle_series(TimeConfig(), None, manifest(series=None, layout="NTCHW"))
    assert pin.by_date
    assert pin.block == 2
    with pytest.raises(ConfigError, match="do not hold windows of 2 dates"):
        settle_series(TimeConfig(time_block=3), None, manifest(layout="NTCHW"))


def test_heads_of_both_kinds_do_not_go_together():
    both = (
        HeadSpec(name="a", output="a", classes=("a",)),
        HeadSpec(name="b", output="b", classes=("b",), layout="NTCHW"),
    )
    check_heads(manifest(layout="NTCHW"))
    with pytest.raises(PackageError, match="head b of m scores each date"):
        check_heads(manifest().model_copy(update={"heads": both}))


def test_numbers_by_hand_win_over_the_packages():
    made = manifest(mean=(0.5,), domains={"s2": Normalisation(mean=(0.1,), std=(0.2,))})
    assert settle_norm(NormConfig(), None) is None
    assert dressed(made, None) is made
    by_hand = dressed(made, settle_norm(NormConfig(mean=(0.9,)), None)).inputs[0]
    assert (by_hand.mean, by_hand.std, by_hand.domains) == ((0.9,), (), {})
    assert dressed(made, NormPin(domain=("s2",))).inputs == made.inputs


@pytest.mark.parametrize("wrong", [{"mean": (1.0, 2.0)}, {"std": (0.0,)}])
def test_numbers_that_do_not_fit_are_refused(wrong):
    with pytest.raises(ConfigError) as caught:
        dressed(manifest(), settle_norm(NormConfig(**wrong), None))
    assert caught.value.hint


def test_recipes_of_runs_without_a_series_keep_their_digest():
    head = HeadPin(name="scores", classes=("a", "b"), activation="softmax", stored="uint8")
    backend = BackendPin(name="onnxruntime", version="1", precision="fp32", device="cpu-avx512", threads=None)
    recipe = Recipe(
        package="ab", imagery="cd", window_px=(32, 32), stride_px=(24, 24), blend="hann", dates=2, heads=(head,),
        backend=backend,
    )  # fmt: skip
    assert recipe.digest == "b5fa84f7b6f2c7fcf9bcbf56d174fbb0a55d184596d3382b55b9bd4facc0896e"
    assert recipe.time_block == 1
