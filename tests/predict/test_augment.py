"""Ways of showing a window, and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geowatch.errors import ConfigError
from geowatch.package.manifest import FileRecord, HeadSpec, InputSpec, Manifest, WindowSpec
from geowatch.predict.augment import TURNS, Transform, check_transforms, transforms_of

NAMES = ("hflip", "vflip", "rot90", "d4")


def manifest(size=(8, 12), *, multiple_of=4, dates=1, fixed=False):
    inputs = tuple(
        InputSpec(name=f"{band}{date}", tensor=f"{band}{date}", bands=(band,), date=date)
        for date in range(dates)
        for band in ("red", "nir")
    )
    return Manifest(
        name="net",
        inputs=inputs,
        window=WindowSpec(size=size, fixed=fixed, multiple_of=1 if fixed else multiple_of),
        heads=(HeadSpec(name="scores", output="y", classes=("a", "b")),),
        files={"model.onnx": FileRecord(sha256="0" * 64, bytes=1)},
    )


def windows(seed, shape):
    return np.random.default_rng(seed).random(shape, np.float32)


@given(turn=st.sampled_from(TURNS), height=st.integers(1, 7), width=st.integers(1, 7), seed=st.integers(0, 9))
def test_a_turn_is_undone_exactly(turn, height, width, seed):
    x = windows(seed, (2, 3, height, width))
    assert np.array_equal(turn.undo(turn.apply(x)), x)


def test_the_turns_are_the_eight_symmetries_of_the_square():
    x = windows(0, (1, 1, 3, 3))
    expected = {np.rot90(y, k, axes=(2, 3)).tobytes() for y in (x, x[..., ::-1]) for k in range(4)}
    assert {np.ascontiguousarray(turn.apply(x)).tobytes() for turn in TURNS} == expected
    assert len(expected) == 8


@given(st.sets(st.sampled_from(NAMES)))
def test_a_set_holds_every_product_of_what_it_holds(names):
    turns = [transform.turn for transform in transforms_of(sorted(names))]
    x = windows(1, (1, 1, 4, 4))
    shown = {np.ascontiguousarray(turn.apply(x)).tobytes() for turn in turns}
    assert len(shown) == len(turns)
    again = {np.ascontiguousarray(a.apply(b.apply(x))).tobytes() for a in turns for b in turns}
    assert again == shown


def test_names_stand_for_what_the_help_says():
    x = windows(2, (1, 1, 4, 4))

    def ways(*names):
        return [np.ascontiguousarray(t.turn.apply(x)) for t in transforms_of(names)]

    assert np.array_equal(ways("hflip")[1], x[..., ::-1])
    assert np.array_equal(ways("vflip")[1], x[..., ::-1, :])
    for k, turned in enumerate(ways("rot90")):
        assert np.array_equal(turned, np.rot90(x, k, axes=(2, 3)))
    assert [len(ways(*names)) for names in ((), ("hflip", "vflip"), ("rot90", "vflip"), ("d4",))] == [1, 4, 8, 8]


def test_scales_and_reversal_multiply_and_the_window_as_it_is_comes_first():
    transforms = transforms_of(("hflip", "scale:0.75", "scale:1.25", "time", "scale:0.75"))
    assert transforms[0] == Transform()
    assert len(transforms) == len(set(transforms)) == 2 * 3 * 2


@given(
    names=st.sets(st.sampled_from((*NAMES, "scale:0.75", "scale:1.25", "time")), min_size=1),
    seed=st.integers(0, 5),
)
def test_what_a_pointwise_network_says_comes_back_to_its_place(names, seed):
    net = manifest(dates=2)
    rows, columns = np.mgrid[:8, :12].astype(np.float32)
    # A plane is the same after linear interpolation, away from the edges.
    feed = {spec.name: np.broadcast_to(rows + 3 * columns + seed, (2, 1, 8, 12)) for spec in net.inputs}
    for transform in transforms_of(sorted(names)):
        shown = transform.show(feed, net)
        assert {x.shape[2:] for x in shown.values()} == {transform.size((8, 12), 4)}
        back = transform.undo(shown["red0"], (8, 12))
        inner = (slice(None), slice(None), slice(1, -1), slice(1, -1))
        room = 0 if transform.scale == 1 else 1e-4
        assert np.allclose(back[inner], feed["red0"][inner], rtol=0, atol=room)


def test_a_shown_window_has_a_size_that_the_network_takes():
    assert Transform(TURNS[4], 0.75).size((64, 128), 32) == (96, 64)
    check_transforms(transforms_of(("d4", "scale:0.75")), manifest((64, 128), multiple_of=32), (64, 128))


def test_reversed_dates_change_places_and_nothing_else_does():
    net = manifest(dates=3)
    feed = {spec.name: np.full((1, 1, 8, 12), number, np.float32) for number, spec in enumerate(net.inputs)}
    shown = Transform(reverse=True).show(feed, net)
    assert [int(shown[f"red{date}"][0, 0, 0, 0]) for date in range(3)] == [4, 2, 0]
    assert [int(shown[f"nir{date}"][0, 0, 0, 0]) for date in range(3)] == [5, 3, 1]


@pytest.mark.parametrize(
    ("names", "net", "said"),
    [
        (("scale:0.75",), manifest(fixed=True), "scale:0.75 shows windows of 6 x 9 px; net takes 8 x 12"),
        (("rot90",), manifest(fixed=True), "a quarter turn shows windows of 12 x 8 px"),
        (("scale:0.9",), manifest(), "scale:0.9 leaves windows of 8 x 12 px at their size"),
        (("time",), manifest(), "one date"),
    ],
)
def test_what_the_network_does_not_take_is_refused_by_name(names, net, said):
    with pytest.raises(ConfigError, match=said):
        check_transforms(transforms_of(names), net, (8, 12))


@pytest.mark.parametrize("name", ["flip", "scale:big", "scale:3", "scale:0.4"])
def test_what_is_no_augmentation_is_refused(name):
    with pytest.raises(ConfigError) as caught:
        transforms_of((name,))
    assert name in str(caught.value)
    assert "scale:FACTOR" in str(caught.value.hint)
