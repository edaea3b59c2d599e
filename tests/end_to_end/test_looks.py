"""Augmentation, uncertainty, members and features keep the promises that scores keep, on the small job."""

import json

import numpy as np
import pytest
import rasterio
import zarr
from PIL import Image
from support.coarse import write_package
from support.small_job import config_of, plan_job

from geowatch.errors import ConfigError, PackageError, PlanMismatchError, RecipeMismatchError
from geowatch.stages.predict import predict
from geowatch.stages.predicting.looks import LooksConfig
from geowatch.stages.stitch import StitchConfig, stitch

LOOKS = LooksConfig(
    tta=("d4", "scale:0.75"), uncertainty=("entropy", "tta", "ensemble", "mc-dropout"), passes=3, features="coarse"
)


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    base = tmp_path_factory.mktemp("packages")
    return [write_package(base / str(seed), seed) for seed in (1, 2)]


@pytest.fixture(scope="module")
def looked(packages, region, scene, tmp_path_factory):
    def run(folder, *, tile_size=64, looks=LOOKS, package=packages[0], members=(packages[1],), **options):
        plan_job(folder, region, scene, tile_size)
        looks = LooksConfig(**{**looks.__dict__, "member": tuple(map(str, members))})
        predict(config_of(folder, scene, package, looks=looks, **options))
        return folder

    return run


@pytest.fixture(scope="module")
def first(looked, tmp_path_factory):
    return looked(tmp_path_factory.mktemp("first") / "run")


def at_places(folder, name):
    """Return an array of a heatmap, and where its pixels are."""
    group = zarr.open_group(folder / "heatmap.zarr", mode="r")
    array = group[name]
    y, x = (group[axis][:] for axis in array.metadata.dimension_names[2:])
    return np.asarray(array[:]), y, x


def assert_same(a, b, name):
    (first, y, x), (second, y2, x2) = at_places(a, name), at_places(b, name)
    rows = np.intersect1d(y, y2, return_indices=True)
    columns = np.intersect1d(x, x2, return_indices=True)
    assert len(rows[0]) > 10
    assert len(columns[0]) > 10
    mine = first[:, :, rows[1]][..., columns[1]]
    theirs = second[:, :, rows[2]][..., columns[2]]
    assert np.array_equal(mine, theirs, equal_nan=mine.dtype.kind == "f"), name
    return mine


@pytest.mark.parametrize("options", [{"tile_size": 128, "batch": 7}, {"tile_size": 32, "workers": 2}], ids=str)
def test_neither_tiles_nor_batches_nor_workers_change_a_value(looked, first, tmp_path, options):
    other = looked(tmp_path / "run", **options)
    for name in ("scores", "uncertainty", "features"):
        assert_same(first, other, name)


def test_all_arrays_are_there_and_say_what_they_are(first):
    scores, _, x = at_places(first, "scores")
    uncertainty, _, _ = at_places(first, "uncertainty")
    features, _, coarse_x = at_places(first, "features")
    assert uncertainty.shape[1] == 4
    assert features.shape[1] == 8
    assert features.shape[2:] == tuple(side // 4 for side in scores.shape[2:])
    assert coarse_x[0] == pytest.approx(x[:4].mean())
    seen = scores[0, 0] != 255
    assert ((uncertainty[0, 0] != 255) == seen).all()
    for plane in uncertainty[0]:
        assert plane[seen].max() > 5
        assert plane[seen].max() <= 254
    recipe = json.loads((first / "recipe.json").read_text())
    assert recipe["augment"] == ["d4", "scale:0.75"]
    assert [head["kind"] for head in recipe["heads"][1:]] == ["uncertainty", "features"]


def test_maps_are_made_of_scores_and_uncertainty_has_a_file_and_a_picture_of_its_own(first):
    stitched = stitch(StitchConfig(run=str(first)))
    assert set(stitched.files) == {
        "map.tif", "probability.tif", "quicklook.png", "item.json", "uncertainty.tif", "uncertainty.png",
        "coverage.json",
    }  # fmt: skip
    with rasterio.open(first / "uncertainty.tif") as made, rasterio.open(first / "map.tif") as classes:
        assert made.descriptions == LOOKS.uncertainty
        assert made.scales == (1 / 254,) * 4
        assert made.transform == classes.transform
        assert np.array_equal(made.read(1) == 255, classes.read(1) == 255)
    with Image.open(first / "uncertainty.png") as picture:
        assert picture.width > 4 * classes.width


def test_members_that_are_one_network_leave_no_doubt(looked, packages, tmp_path):
    looks = LooksConfig(uncertainty=("ensemble",))
    folder = looked(tmp_path / "run", looks=looks, members=(packages[0],))
    values, _, _ = at_places(folder, "uncertainty")
    assert set(np.unique(values)) == {0, 255}


def test_a_later_call_needs_no_options_and_obeys_the_recipe(looked, packages, region, scene, tmp_path):
    folder = tmp_path / "run"
    plan_job(folder, region, scene, 64)
    looks = LooksConfig(**{**LOOKS.__dict__, "member": (str(packages[1]),)})
    predict(config_of(folder, scene, packages[0], looks=looks, shard=(1, 3)))
    done = predict(config_of(folder, scene, packages[0]))
    assert 0 < done.done_before < done.tiles
    with pytest.raises(RecipeMismatchError, match="augment"):
        predict(config_of(folder, scene, packages[0], looks=LooksConfig(tta=("hflip",))))
    with pytest.raises(PlanMismatchError, match="members"):
        predict(config_of(folder, scene, packages[0], looks=LooksConfig(member=(str(packages[0]),))))


def test_a_run_without_looks_has_the_recipe_that_it_always_had(job, tmp_path):
    recipe = json.loads((job(tmp_path / "run") / "recipe.json").read_text())
    assert not {"augment", "vote", "uncertainty", "members", "features", "passes", "seed"} & set(recipe)
    assert not {"kind", "reduction"} & set(recipe["heads"][0])


@pytest.mark.parametrize(
    ("looks", "error", "said"),
    [
        ({"tta": ("mirror",)}, ConfigError, "no augmentation 'mirror'"),
        ({"uncertainty": ("doubt",)}, ConfigError, "'doubt'"),
        ({"uncertainty": ("tta",)}, ConfigError, "needs some"),
        ({"uncertainty": ("ensemble",)}, ConfigError, "needs members"),
        ({"passes": 4}, ConfigError, "passes of what"),
        ({"uncertainty": ("entropy", "entropy")}, ConfigError, "twice"),
        ({"tta": ("d4",), "tta_vote": "hard", "tta_space": "logit"}, ConfigError, "no logits"),
        ({"features": "coarser"}, PackageError, "no layer 'coarser'"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_what_cannot_be_is_refused_before_anything_runs(looked, tmp_path, looks, error, said):
    with pytest.raises(error, match=said) as caught:
        looked(tmp_path / "run", looks=LooksConfig(**looks), members=())
    assert caught.value.hint
    assert not (tmp_path / "run/recipe.json").exists()


def test_a_layer_that_windows_do_not_fit_is_refused_with_what_would_fit(packages, region, scene, tmp_path):
    plan_job(tmp_path / "run", region, scene, 64)
    config = config_of(tmp_path / "run", scene, packages[0], looks=LooksConfig(features="coarse"), overlap=6)
    with pytest.raises(ConfigError, match="one place every 4 px") as caught:
        predict(config)
    assert "multiples of 4 px" in caught.value.hint


def test_a_member_with_other_bands_is_refused(looked, tmp_path):
    other = write_package(tmp_path / "other", 3, bands=("nir", "green", "blue"))
    with pytest.raises(PackageError, match="inputs differ"):
        looked(tmp_path / "run", looks=LooksConfig(), members=(other,))


def test_a_network_without_dropout_cannot_tell_from_it(looked, tiny_package, tmp_path):
    with pytest.raises(PackageError, match="has no dropout"):
        looked(tmp_path / "run", looks=LooksConfig(uncertainty=("mc-dropout",)), package=tiny_package, members=())
