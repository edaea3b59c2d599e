"""The network as prediction uses it; backends here are stand-ins."""

import numpy as np
import pytest

from geowatch.errors import BackendError
from geowatch.grid.windows import WindowLattice
from geowatch.package.backends.base import BackendIdentity
from geowatch.package.manifest import FileRecord, HeadSpec, InputSpec, Manifest, WindowSpec
from geowatch.predict.augment import transforms_of
from geowatch.predict.combine import Joining
from geowatch.predict.scoring import Looks, Network

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


def windows(count=3):
    return np.random.default_rng(0).random((count, 1, 4, 4), np.float32)


def test_scores_come_in_the_order_of_the_windows():
    seen = windows()
    (scores,) = Network(MANIFEST, Echo(), WINDOWS, 2).scores({"x": seen}, [(0, 0), (0, 1), (2, 5)])
    assert np.array_equal(scores, np.concatenate([seen, 1 - seen], axis=1))


def test_a_network_that_gives_nan_is_an_error_that_names_the_window():
    seen = windows()
    with pytest.raises(BackendError, match=r"'scores' gave NaN or infinity for window \(-1, 2\)") as caught:
        Network(MANIFEST, Echo(float(seen[1, 0, 2, 2])), WINDOWS, 3).scores({"x": seen}, [(0, 0), (-1, 2), (0, 3)])
    assert "gw model show" in caught.value.hint


def looks(*names, uncertainty=(), vote="soft"):
    joining = Joining(vote, over_transforms="tta" in uncertainty, over_members="ensemble" in uncertainty)
    return Looks(transforms_of(names), joining, uncertainty)


class Lopsided(Echo):
    """Sees the upper left corner brighter than it is: turning the window changes its answer."""

    def run(self, inputs):
        seen = np.clip(inputs["x"].copy(), 0, 1)
        seen[:, :, 0, 0] = 1
        seen[:, :, :, 1] *= 0.5
        return {"scores": np.concatenate([seen, 1 - seen], axis=1)}


def test_a_network_that_treats_all_sides_alike_says_the_same_however_often_it_is_asked():
    seen = windows()
    where = [(0, k) for k in range(3)]
    (plain,) = Network(MANIFEST, Echo(), WINDOWS, 3).scores({"x": seen}, where)
    scores, unsure = Network(MANIFEST, Echo(), WINDOWS, 3, looks("d4", uncertainty=("tta",))).scores({"x": seen}, where)
    assert np.array_equal(scores, plain)
    assert not unsure.any()


def test_a_network_that_does_not_gives_the_mean_of_all_it_says():
    seen = windows()
    (scores,) = Network(MANIFEST, Lopsided(), WINDOWS, 3, looks("d4")).scores({"x": seen}, [(0, k) for k in range(3)])
    said = []
    for flipped in (False, True):
        for turns in range(4):
            shown = np.rot90(seen[..., ::-1] if flipped else seen, turns, axes=(2, 3))
            back = np.rot90(Lopsided().run({"x": np.ascontiguousarray(shown)})["scores"], -turns, axes=(2, 3))
            said.append(back[..., ::-1] if flipped else back)
    assert np.allclose(scores, np.mean(said, axis=0), rtol=0, atol=3e-7)


@pytest.mark.parametrize("vote", ["soft", "hard"])
def test_what_a_window_gets_does_not_depend_on_its_batch(vote):
    seen = windows(5)
    where = [(k, -k) for k in range(5)]
    asked = looks("d4", "scale:1.5", uncertainty=("entropy", "tta", "ensemble"), vote=vote)
    manifest = MANIFEST.model_copy(update={"window": WindowSpec(size=(4, 4), fixed=False, multiple_of=2)})
    network = Network(manifest, Lopsided(), WINDOWS, 5, asked, members=(Echo(),))
    whole = network.scores({"x": seen}, where)
    for k in range(5):
        alone = network.scores({"x": seen[k : k + 1]}, where[k : k + 1])
        for together, single in zip(whole, alone, strict=True):
            assert np.array_equal(together[k], single[0])


def test_members_that_agree_leave_no_doubt_and_change_nothing():
    seen, where = windows(), [(0, k) for k in range(3)]
    (plain,) = Network(MANIFEST, Echo(), WINDOWS, 3).scores({"x": seen}, where)
    asked = looks(uncertainty=("ensemble", "entropy"))
    scores, unsure = Network(MANIFEST, Echo(), WINDOWS, 3, asked, members=(Echo(), Echo())).scores({"x": seen}, where)
    assert np.array_equal(scores, plain)
    assert not unsure[:, 0].any()
    assert unsure[:, 1].any()


def test_members_that_differ_show_by_how_much():
    half = np.full((1, 1, 4, 4), 0.5, np.float32)

    class Sure(Echo):
        def run(self, inputs):
            return {"scores": np.concatenate([np.ones_like(inputs["x"]), np.zeros_like(inputs["x"])], axis=1)}

    scores, unsure = Network(MANIFEST, Echo(), WINDOWS, 1, looks(uncertainty=("ensemble",)), (Sure(),)).scores(
        {"x": half}, [(0, 0)]
    )
    assert np.allclose(scores[0, :, 0, 0], [0.75, 0.25])
    # Both classes vary by 0.25 about their mean: the root of twice its square.
    assert np.allclose(unsure, np.sqrt(2 * 0.25**2))


def test_a_hard_vote_counts_who_names_a_class():
    (scores,) = Network(MANIFEST, Lopsided(), WINDOWS, 1, looks("d4", vote="hard")).scores(
        {"x": np.full((1, 1, 4, 4), 0.6, np.float32)}, [(0, 0)]
    )
    # 0.6 wins; halved to 0.3 it loses. A corner's pixel is brightened in two turns of eight.
    assert set(np.unique(scores * 8)) <= set(range(9))
    assert np.allclose(scores.sum(axis=1), 1)


def test_doubt_is_told_from_probabilities_however_votes_are_counted():
    seen = np.full((1, 1, 4, 4), 0.6, np.float32)
    network = Network(MANIFEST, Echo(), WINDOWS, 1, looks("hflip", uncertainty=("entropy",), vote="hard"))
    scores, unsure = network.scores({"x": seen}, [(0, 0)])
    assert set(np.unique(scores)) == {0, 1}
    assert unsure.min() > 0.9


def test_logits_are_averaged_before_they_become_probabilities():
    class Shifting(Echo):
        """Logits that differ between the window as it is and its mirror image."""

        def run(self, inputs):
            first = float(inputs["x"][0, 0, 0, 0])
            logits = np.zeros((len(inputs["x"]), 2, 4, 4), np.float32)
            logits[:, 0] = 4 if first == 0 else -1
            return {"scores": logits}

    manifest = MANIFEST.model_copy(
        update={"heads": (HeadSpec(name="scores", output="y", classes=("a", "b"), activation="softmax"),)}
    )
    seen = np.zeros((1, 1, 4, 4), np.float32)
    seen[..., -1] = 1

    def asked(space):
        named = Looks(transforms_of(("hflip",)), Joining("soft", space))
        (scores,) = Network(manifest, Shifting(), WINDOWS, 1, named).scores({"x": seen}, [(0, 0)])
        return float(scores[0, 0, 0, 0])

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    assert asked("logit") == pytest.approx(sigmoid(1.5), abs=1e-6)
    assert asked("probability") == pytest.approx((sigmoid(4) + sigmoid(-1)) / 2, abs=1e-6)


def test_doubt_over_augmentations_is_how_far_each_ways_answer_is_from_the_mean():
    class Moody(Echo):
        """Answers by the corner that it sees first."""

        def run(self, inputs):
            share = inputs["x"][:, :, :1, :1] * np.ones_like(inputs["x"])
            return {"scores": np.concatenate([share, 1 - share], axis=1)}

    seen = np.zeros((1, 1, 4, 4), np.float32)
    seen[0, 0, 0, 3], seen[0, 0, 3, 0], seen[0, 0, 3, 3] = 0.2, 0.4, 0.6
    network = Network(MANIFEST, Moody(), WINDOWS, 1, looks("hflip", "vflip", uncertainty=("tta",)))
    scores, unsure = network.scores({"x": seen}, [(0, 0)])
    assert np.allclose(scores[0, 0], 0.3)
    # Both classes have the variance of 0, 0.2, 0.4 and 0.6.
    assert np.allclose(unsure, np.sqrt(2 * 0.05), atol=1e-6)


def test_features_are_those_of_the_window_as_it_is():
    class Deep(Echo):
        def run(self, inputs):
            return {**super().run(inputs), "features": inputs["x"][:, :, ::2, ::2] * 3}

    seen = windows()
    asked = Looks(transforms_of(("d4",)), features=True)
    _, features = Network(MANIFEST, Deep(), WINDOWS, 3, asked, members=(Echo(),)).scores(
        {"x": seen}, [(0, k) for k in range(3)]
    )
    assert np.array_equal(features, seen[:, :, ::2, ::2] * 3)
