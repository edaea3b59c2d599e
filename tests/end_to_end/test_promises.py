"""The promises of the design, on a small job with everything that is hard."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from support.small_job import config_of, placed, plan_job, speckled, write_raster

from geowatch.errors import (
    ConfigError,
    CoverageError,
    DamagedError,
    ImageryError,
    MemoryBudgetError,
    PlanMismatchError,
    RecipeMismatchError,
)
from geowatch.stages.predict import PredictConfig, predict
from geowatch.stages.predicting.context import _opened
from geowatch.stages.status import status
from geowatch.stages.stitch import StitchConfig, stitch
from geowatch.stages.verify import VerifyConfig, verify


@pytest.fixture(scope="module")
def undisturbed(job, tmp_path_factory):
    return job(tmp_path_factory.mktemp("undisturbed") / "run", tile_size=64)


@pytest.mark.parametrize("tile_size", [32, 48, 128, 512])
def test_where_tiles_are_cut_changes_no_value(job, undisturbed, tmp_path, tile_size):
    box, values = placed(job(tmp_path / "run", tile_size=tile_size))
    expected_box, expected = placed(undisturbed)
    assert box == expected_box
    assert np.array_equal(values, expected)
    assert 0.2 < (expected[0, 0] != 255).mean() < 0.9


@pytest.mark.parametrize("cut", [(128, 4), (64, 5), (48, 3)], ids=["128px-4", "64px-5", "48px-3"])
def test_where_sweeps_are_cut_changes_no_value(job, undisturbed, scene, tiny_package, tmp_path, cut):
    tile_size, shares = cut
    folder = job(tmp_path / "run", tile_size=tile_size, planned_only=True)
    for share in range(shares, 0, -1):
        predict(config_of(folder, scene, tiny_package, shard=(share, shares)))
    assert np.array_equal(placed(folder)[1], placed(undisturbed)[1])


@pytest.mark.parametrize(
    "options", [{"batch": 1}, {"batch": 64}, {"in_memory": True}], ids=["batch-1", "batch-64", "in-memory"]
)
def test_batches_and_stitchers_change_no_value(job, undisturbed, tmp_path, options):
    assert np.array_equal(placed(job(tmp_path / "run", **options))[1], placed(undisturbed)[1])


def test_two_processes_give_what_one_gives(job, undisturbed, tmp_path):
    assert np.array_equal(placed(job(tmp_path / "run", workers=2))[1], placed(undisturbed)[1])


def test_another_region_has_the_same_values_where_both_are(undisturbed, scene, tiny_package, tmp_path):
    plan_job(tmp_path / "all", None, scene, 64)
    predict(config_of(tmp_path / "all", scene, tiny_package))
    whole, everything = placed(tmp_path / "all")
    box, values = placed(undisturbed)
    both = box & whole
    rows, cols = both.within(box)
    theirs = everything[(slice(None), slice(None), *both.within(whole))]
    mine = values[:, :, rows, cols]
    seen = mine != 255
    assert seen.any()
    assert np.array_equal(mine[seen], theirs[seen])


def test_the_map_is_the_same_file_however_the_region_was_cut(job, undisturbed, tmp_path):
    stitch(StitchConfig(run=str(undisturbed)))
    other = job(tmp_path / "run", tile_size=128)
    stitch(StitchConfig(run=str(other)))
    for name in ("map.tif", "probability.tif", "quicklook.png", "item.json"):
        assert (other / name).read_bytes() == (undisturbed / name).read_bytes(), name


def test_shares_made_apart_join_into_the_whole(job, undisturbed, tmp_path, scene, tiny_package):
    parts = []
    for share in (1, 2, 3):
        folder = job(tmp_path / f"part{share}", planned_only=True)
        predict(config_of(folder, scene, tiny_package, shard=(share, 3)))
        parts.append(str(folder))
    whole = job(tmp_path / "whole", planned_only=True)
    with pytest.raises(CoverageError, match="tiles are missing"):
        stitch(StitchConfig(run=str(whole), parts=tuple(parts[:2])))
    done = stitch(StitchConfig(run=str(whole), parts=tuple(parts)))
    assert done.missing == 0
    assert np.array_equal(placed(whole)[1], placed(undisturbed)[1])


def test_parts_of_another_recipe_or_plan_do_not_join(job, undisturbed, scene, tiny_package, tmp_path):
    other = job(tmp_path / "other", blend="mean")
    with pytest.raises(PlanMismatchError, match="was made with recipe"):
        stitch(StitchConfig(run=str(undisturbed), parts=(str(other),)))
    cut = job(tmp_path / "cut", tile_size=128)
    with pytest.raises(PlanMismatchError, match="was planned otherwise"):
        stitch(StitchConfig(run=str(undisturbed), parts=(str(cut),)))


def test_a_machine_that_computes_otherwise_is_refused(job, scene, tiny_package, tmp_path, monkeypatch):
    folder = job(tmp_path / "run", planned_only=True)
    predict(config_of(folder, scene, tiny_package, shard=(1, 2)))
    _opened.cache_clear()  # as in a fresh process
    monkeypatch.setattr("geowatch.package.backends.onnxruntime.cpu_class", lambda: "cpu-other")
    with pytest.raises(PlanMismatchError, match=r"device: cpu-other here, cpu-.* in the run"):
        predict(config_of(folder, scene, tiny_package))
    assert status(str(folder)).parts[0].done < status(str(folder)).parts[0].tiles


def test_values_under_nodata_change_nothing(undisturbed, scene, region, tiny_package, tmp_path):
    with rasterio.open(scene) as source:
        values, mask = source.read(), source.read_masks().all(axis=0)
        affine = source.transform
    # The nodata value of one band hides a pixel; what the others hold there must not matter.
    noisy = values.copy()
    noise = np.random.default_rng(5).integers(1, 60_000, values.shape)
    noisy[1:, ~mask] = noise[1:, ~mask]
    noisy[0, ~mask] = 0
    changed = write_raster(tmp_path / "noisy.tif", noisy, affine)
    plan_job(tmp_path / "run", region, changed, 64)
    predict(config_of(tmp_path / "run", changed, tiny_package))
    assert np.array_equal(placed(tmp_path / "run")[1], placed(undisturbed)[1])


def test_masked_pixels_are_masked_in_the_output_and_no_others(undisturbed, scene):
    box, values = placed(undisturbed)
    with rasterio.open(scene) as source:
        valid = source.read_masks().all(axis=0)
    # The scene's first pixel on the lattice.
    column, row = 50_000, -400_001
    hidden = np.ones(box.shape, bool)
    for y in range(max(box.y0, row), min(box.y1, row + valid.shape[0])):
        for x in range(max(box.x0, column), min(box.x1, column + valid.shape[1])):
            hidden[y - box.y0, x - box.x0] = not valid[y - row, x - column]
    assert (values[0][:, hidden] == 255).all()
    assert hidden.any()


def test_a_whole_raster_of_any_size_is_covered(tiny_package, tmp_path):
    for height, width in [(1, 1), (33, 7), (64, 64), (31, 95)]:
        values = np.full((3, height, width), 3000, np.uint16)
        image = write_raster(tmp_path / f"{height}x{width}.tif", values, Affine(10, 0, 500_000, 0, -10, 4_000_000))
        folder = tmp_path / f"run-{height}x{width}"
        plan_job(folder, None, image, 64)
        predict(config_of(folder, image, tiny_package))
        _, scores = placed(folder)
        assert scores.shape[2:] == (height, width)
        assert (scores != 255).all()


def test_finished_tiles_are_not_done_again(undisturbed, scene, tiny_package):
    before = {p: p.stat().st_mtime_ns for p in (undisturbed / "heatmap.zarr").rglob("*") if p.is_file()}
    again = predict(config_of(undisturbed, scene, tiny_package))
    assert again.done_before == again.tiles > 9
    assert {p: p.stat().st_mtime_ns for p in before} == before


@pytest.mark.parametrize("damage", ["marker", "shard", "shortened"])
def test_what_was_damaged_is_made_again(job, undisturbed, scene, tiny_package, tmp_path, damage):
    folder = tmp_path / "run"
    shutil.copytree(undisturbed, folder)
    shard = max((folder / "heatmap.zarr/scores/c").rglob("*"), key=lambda p: p.stat().st_size if p.is_file() else 0)
    marker = next(m for m in (folder / "markers").rglob("*.json") if str(shard.relative_to(folder)) in m.read_text())
    if damage == "marker":
        marker.write_bytes(marker.read_bytes()[:40])
    elif damage == "shard":
        shard.unlink()
    else:
        shard.write_bytes(shard.read_bytes()[:-1])
    done = predict(config_of(folder, scene, tiny_package))
    assert done.tiles - done.done_before == 1
    assert np.array_equal(placed(folder)[1], placed(undisturbed)[1])
    assert verify(VerifyConfig(str(folder))).damaged == ()


def test_a_flipped_bit_is_found_and_repaired(undisturbed, scene, tiny_package, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(undisturbed, folder)
    shard = max((folder / "heatmap.zarr/scores/c").rglob("*"), key=lambda p: p.stat().st_size if p.is_file() else 0)
    content = bytearray(shard.read_bytes())
    content[10] ^= 1
    shard.write_bytes(content)
    with pytest.raises(DamagedError):
        stitch(StitchConfig(run=str(folder)))
    found = verify(VerifyConfig(str(folder), repair=True))
    assert len(found.damaged) == 1
    predict(config_of(folder, scene, tiny_package))
    assert np.array_equal(placed(folder)[1], placed(undisturbed)[1])


def test_other_numerics_are_refused_with_the_difference(undisturbed, scene, tiny_package):
    with pytest.raises(RecipeMismatchError, match="blend: mean here, hann in the run"):
        predict(config_of(undisturbed, scene, tiny_package, blend="mean"))


def test_other_imagery_is_refused(undisturbed, tiny_package, tmp_path):
    other = write_raster(tmp_path / "o.tif", speckled(197, 231, 9), Affine(10, 0, 500_005, 0, -10, 4_000_015))
    with pytest.raises(PlanMismatchError, match="other imagery"):
        predict(config_of(undisturbed, other, tiny_package))


def test_a_dry_run_changes_nothing(job, scene, tiny_package, tmp_path):
    folder = job(tmp_path / "run", planned_only=True)
    before = sorted(folder.rglob("*"))
    left = predict(replace(config_of(folder, scene, tiny_package), dry_run=True))
    assert left.tiles > 9
    assert sorted(folder.rglob("*")) == before


def test_a_first_try_that_fails_does_not_bind_the_run(job, undisturbed, scene, tiny_package, tmp_path):
    folder = job(tmp_path / "run", planned_only=True)
    with pytest.raises(ConfigError, match="no blend"):
        predict(config_of(folder, scene, tiny_package, blend="none"))
    assert not (folder / "package.json").exists()
    assert not (folder / "imagery.json").exists()
    predict(config_of(folder, scene, tiny_package))
    assert np.array_equal(placed(folder)[1], placed(undisturbed)[1])


def test_missing_tiles_are_named_and_may_be_allowed(job, scene, tiny_package, tmp_path):
    folder = job(tmp_path / "run", planned_only=True)
    predict(config_of(folder, scene, tiny_package, shard=(1, 2)))
    with pytest.raises(CoverageError, match="tiles are missing, such as utm18n/") as caught:
        stitch(StitchConfig(run=str(folder)))
    assert "--allow-gaps" in caught.value.hint
    assert not (folder / "map.tif").exists()
    stitch(StitchConfig(run=str(folder), allow_gaps=True))
    account = json.loads((folder / "coverage.json").read_text())
    assert account["planes"][0]["missing_tiles"]
    assert account["planes"][0]["gap_px"] > 0


def test_too_little_coverage_fails_but_leaves_the_account(undisturbed, tmp_path):
    folder = Path(shutil.copytree(undisturbed, tmp_path / "run"))
    with pytest.raises(CoverageError, match="of the region has scores, 99"):
        stitch(StitchConfig(run=str(folder), require_coverage=0.99))
    assert 0 < json.loads((folder / "coverage.json").read_text())["coverage"] < 0.99


def test_what_was_given_at_planning_need_not_be_repeated(undisturbed, scene, region, tiny_package, tmp_path):
    plan_job(tmp_path / "run", region, scene, 64)
    predict(PredictConfig(run=str(tmp_path / "run"), model=str(tiny_package), workers=1))
    assert np.array_equal(placed(tmp_path / "run")[1], placed(undisturbed)[1])
    again = predict(PredictConfig(run=str(tmp_path / "run")))
    assert again.done_before == again.tiles


def test_memory_narrows_sweeps_and_changes_no_value(job, undisturbed, scene, tiny_package, tmp_path):
    with pytest.raises(MemoryBudgetError) as caught:
        job(tmp_path / "little", memory_bytes=1 << 20)
    assert caught.value.hint
    given = 600 << 20
    assert np.array_equal(placed(job(tmp_path / "run", memory_bytes=given))[1], placed(undisturbed)[1])


def test_imagery_that_changed_since_it_was_pinned_is_refused(job, tiny_package, region, tmp_path):
    scene = write_raster(tmp_path / "scene.tif", speckled(100, 100), Affine(10, 0, 500_005, 0, -10, 4_000_015))
    plan_job(tmp_path / "run", None, scene, 64)
    predict(config_of(tmp_path / "run", scene, tiny_package, shard=(1, 2)))
    write_raster(scene, speckled(100, 100, 3), Affine(10, 0, 500_005, 0, -10, 4_000_015))
    with pytest.raises(ImageryError, match="changed since it was planned"):
        predict(PredictConfig(run=str(tmp_path / "run")))
