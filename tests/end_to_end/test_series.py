"""The promises in time, on a small series with everything that is hard; its network is a stand-in."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
from affine import Affine
from support.small_job import speckled, write_raster
from support.small_series import (
    CLASSES,
    DATES,
    DAYS,
    SENSORS,
    plan_series,
    planes,
    run_series,
    series_config,
    series_package,
    write_bundle,
    write_series,
)

from geowatch.errors import ConfigError, ImageryError, MemoryBudgetError, PlanMismatchError, RecipeMismatchError
from geowatch.grid.estimate import memory_per_worker
from geowatch.grid.lattice import PixelBox
from geowatch.package.importing import import_onnx
from geowatch.package.spec import ImportSpec
from geowatch.predict.recipe import read_recipe
from geowatch.stages.binding.imagery import ImageryConfig, read_bound
from geowatch.stages.binding.parts import layout_of
from geowatch.stages.clean import CleanConfig, clean
from geowatch.stages.features import FeaturesConfig, features
from geowatch.stages.predict import predict
from geowatch.stages.predicting import context, needing, passes
from geowatch.stages.predicting.config import PredictConfig
from geowatch.stages.predicting.context import open_session
from geowatch.stages.predicting.looks import LooksConfig
from geowatch.stages.predicting.sweeping import Sweeper
from geowatch.stages.predicting.timing import NormConfig, TimeConfig, loaded
from geowatch.stages.status import status
from geowatch.stages.stitch import StitchConfig, stitch
from geowatch.stages.tile import TileConfig, tile
from geowatch.stages.verify import VerifyConfig, verify
from geowatch.stages.working.events import Silent
from geowatch.stitch.mosaic import Mosaic
from geowatch.store import open_store
from geowatch.store.plans import read_plan, read_tiles

FILL = 255


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("series") / "images"
    write_series(folder)
    return folder


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return series_package(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def by_date(tmp_path_factory):
    return series_package(tmp_path_factory.mktemp("by-date"), by_date=True, series_anchor=0.5)


@pytest.fixture(scope="module")
def undisturbed(images, package, tmp_path_factory):
    return run_series(tmp_path_factory.mktemp("undisturbed") / "run", images, package, time=TimeConfig(time_block=1))


def scored(found):
    """Return the planes that hold any score."""
    return {time: values for time, values in found.items() if (values != FILL).any()}


def assert_same(run, other):
    box, mine = planes(run)
    other_box, theirs = planes(other)
    assert box == other_box
    assert scored(mine).keys() == scored(theirs).keys()
    for time, values in scored(theirs).items():
        assert np.array_equal(mine[time], values), time


def test_a_plane_stands_at_each_step_and_sees_its_span(undisturbed):
    times = [time[:10] for time in scored(planes(undisturbed)[1])]
    assert times == ["2020-01-09", "2020-02-08", "2020-03-09", "2020-04-08", "2020-07-07", "2020-08-06", "2020-09-05"]
    assert all((date.fromisoformat(time) - date(1970, 1, 1)).days % 30 == 0 for time in times)


@pytest.mark.parametrize("block", [2, 3, 4, 16])
def test_how_many_planes_are_stored_as_one_changes_no_value(images, package, undisturbed, tmp_path, block):
    assert_same(run_series(tmp_path / "run", images, package, time=TimeConfig(time_block=block)), undisturbed)


def test_how_many_blocks_are_computed_at_once_changes_no_byte(images, package, tmp_path, monkeypatch):
    runs = {}
    for name, limit in (("together", passes.PASS_BYTES), ("alone", 0)):
        made = []
        monkeypatch.setattr(passes, "PASS_BYTES", limit)
        monkeypatch.setattr(
            Sweeper, "run", lambda self, tiles, real=Sweeper.run, made=made: made.append(self) or real(self, tiles)
        )
        runs[name] = run_series(tmp_path / name, images, package, time=TimeConfig(time_block=2)), made
        monkeypatch.undo()
    (together, one), (alone, each) = runs["together"], runs["alone"]
    assert {sweeper.blocks for sweeper in each} == {1}
    assert len(one) < len(each) == sum(sweeper.blocks for sweeper in one)
    for folder in ("heatmap.zarr", "markers"):
        files = [
            {p.relative_to(run): p.read_bytes() for p in sorted((run / folder).rglob("*")) if p.is_file()}
            for run in map(Path, (together, alone))
        ]
        assert files[0] == files[1]


@pytest.mark.parametrize(
    ("tile_size", "options"),
    [(32, {}), (48, {"batch": 1}), (128, {"batch": 7}), (64, {"in_memory": True}), (64, {"workers": 2})],
    ids=["32px", "48px-batch-1", "128px-batch-7", "in-memory", "two-workers"],
)
def test_where_tiles_are_cut_and_who_works_changes_no_value(images, package, undisturbed, tmp_path, tile_size, options):
    run = run_series(tmp_path / "run", images, package, tile_size, **options)
    assert read_recipe(open_store(run)).time_block == 4
    assert_same(run, undisturbed)


def test_shares_and_resumes_change_no_value_and_do_nothing_twice(images, package, undisturbed, tmp_path):
    run = tmp_path / "run"
    plan_series(run, images)
    for share in (3, 1):
        predict(series_config(run, images, package, shard=(share, 3)))
    shard = max((run / "heatmap.zarr/scores/c").rglob("*"), key=lambda p: p.stat().st_size if p.is_file() else 0)
    shard.unlink()
    left = predict(PredictConfig(run=str(run)))
    assert 0 < left.done_before < left.tiles
    assert_same(run, undisturbed)
    again = predict(PredictConfig(run=str(run)))
    assert again.done_before == again.tiles


@pytest.mark.parametrize(("anchor", "reached"), [(1.0, []), (0.5, ["2020-07-07"])])
def test_new_dates_change_only_planes_whose_span_reaches_them(images, package, tmp_path, anchor, reached):
    fewer = tmp_path / "fewer"
    write_series(fewer, DAYS[:9])
    short, long, asked = tmp_path / "short", tmp_path / "long", TimeConfig(time_anchor=anchor)
    # Planned on the longer series in both, so that the bounds are the same.
    plan_series(short, images)
    predict(series_config(short, fewer, package, asked))
    run_series(long, images, package, time=asked)
    before, after = scored(planes(short)[1]), scored(planes(long)[1])
    assert len(before) >= 5
    assert len(after) > len(before)
    changed = [time[:10] for time, values in before.items() if not np.array_equal(values, after[time])]
    assert changed == reached


def test_a_run_is_not_resized_by_new_dates(undisturbed, package, tmp_path):
    fewer = tmp_path / "fewer"
    write_series(fewer, DAYS[:9])
    with pytest.raises(PlanMismatchError, match="other imagery") as caught:
        predict(series_config(undisturbed, fewer, package))
    assert "new dates make a new run" in caught.value.hint


@pytest.mark.parametrize("keep", ["any", "all"])
def test_pixels_that_some_date_or_every_date_saw_are_scored(images, package, tmp_path, keep):
    asked = TimeConfig(time_sampling="contiguous", time_keep=keep, time_span_days=120)
    box, found = planes(run_series(tmp_path / "run", images, package, time=asked))
    # The last four of 120 days; one of them is smaller than the others and lies elsewhere.
    seen = [
        valid_on(images / f"image_{day}.tif", box) for day in ("2020-01-28", "2020-02-12", "2020-02-25", "2020-03-09")
    ]
    expected = np.logical_or.reduce(seen) if keep == "any" else np.logical_and.reduce(seen)
    assert 0 < expected.sum() < expected.size
    assert np.array_equal((found["2020-05-08T00:00:00"] != FILL).all(axis=0), expected)


def valid_on(file, box):
    """Return where an image is valid, on the pixels of a box."""
    with rasterio.open(file) as source:
        valid = source.read_masks().all(axis=0)
        column, row = round(source.transform.c / 10), round(source.transform.f / -10)
    whole = np.zeros(box.shape, bool)
    where = PixelBox(row, column, row + valid.shape[0], column + valid.shape[1])
    part = where & box
    whole[part.within(box)] = valid[part.within(where)]
    return whole


def test_consecutive_dates_as_a_series_give_what_a_network_of_several_dates_gave_before(images, tmp_path):
    package = series_package(tmp_path, series_sampling=None, series_span_days=None, series_step_days=None)
    assert package.manifest.series is None
    plain = run_series(tmp_path / "plain", images, package)
    assert read_recipe(open_store(plain)).series is None
    asked = TimeConfig(time_sampling="contiguous", time_keep="all", time_block=3)
    series = run_series(tmp_path / "series", images, package, time=asked)
    before, after = planes(plain)[1], planes(series)[1]
    assert len(before) == len(DAYS) - DATES + 1
    for time, values in before.items():
        assert np.array_equal(values, after[time]), time


def test_a_network_that_scores_each_date_gives_each_its_plane(images, by_date, tmp_path):
    assert by_date.manifest.heads[0].layout == "NTCHW"
    run = run_series(tmp_path / "run", images, by_date)
    assert read_recipe(open_store(run)).time_block == DATES
    other = run_series(tmp_path / "other", images, by_date, 32, time=TimeConfig(time_block=2 * DATES), batch=3)
    memory = run_series(tmp_path / "memory", images, by_date, in_memory=True)
    assert_same(other, run)
    assert_same(memory, run)
    found = scored(planes(run)[1])
    assert len(found) == 6
    for one, other in zip(list(found.values())[:2], list(found.values())[1:3], strict=True):
        common = (one != FILL) & (other != FILL)
        assert (one != other)[common].mean() > 0.3
    with pytest.raises(ConfigError, match=f"windows of {DATES} dates"):
        run_series(tmp_path / "odd", images, by_date, time=TimeConfig(time_block=DATES + 1))


def test_windows_of_time_lie_on_an_absolute_lattice(images, by_date, tmp_path):
    late = tmp_path / "late"
    write_series(late, DAYS[4:])
    plan_series(tmp_path / "run", images)
    predict(series_config(tmp_path / "run", late, by_date))
    whole = run_series(tmp_path / "whole", images, by_date)
    before, after = scored(planes(tmp_path / "run")[1]), scored(planes(whole)[1])
    # A window of time is 120 days; the last ones hold no date that the shorter series lacks.
    unreached = [time for time in before if time > "2020-05-01"]
    assert len(unreached) == 3
    for time in unreached:
        assert np.array_equal(before[time], after[time]), time


def test_a_block_is_verified_joined_cleaned_and_mapped_like_a_plane(images, package, undisturbed, tmp_path):
    parts = []
    for share in (1, 2):
        plan_series(tmp_path / f"part{share}", images)
        predict(series_config(tmp_path / f"part{share}", images, package, shard=(share, 2)))
        parts.append(str(tmp_path / f"part{share}"))
    whole = tmp_path / "whole"
    plan_series(whole, images)
    made = stitch(StitchConfig(run=str(whole), parts=tuple(parts)))
    assert made.missing == 0
    maps = [name for name in made.files if name.startswith("map")]
    assert "map-2020-07-07.tif" in maps
    assert len(maps) == 7
    assert verify(VerifyConfig(str(whole))).damaged == ()
    told = status(str(whole))
    assert told.finished
    assert [part.frame for part in told.parts] == [
        "2020-01-09 to 2020-03-09", "2020-04-08 to 2020-07-07", "2020-08-06 to 2020-09-05",
    ]  # fmt: skip
    assert clean(CleanConfig(run=str(whole))).paths == ()
    stitch(StitchConfig(run=str(undisturbed)))
    for name in maps:
        with rasterio.open(whole / name) as mine, rasterio.open(undisturbed / name) as theirs:
            assert np.array_equal(mine.read(), theirs.read()), name


def test_one_plane_of_a_block_is_read_by_itself(images, package, undisturbed, tmp_path):
    run = run_series(tmp_path / "run", images, package, time=TimeConfig(time_block=4))
    store = open_store(run)
    plan, recipe = read_plan(store), read_recipe(store)
    layout = layout_of(plan, read_bound(store), recipe, plan.grids[0])
    mosaic = Mosaic(store, layout, recipe.digest)
    box, found = planes(run)
    for place in read_tiles(store, plan, plan.grids[0].id):
        core = plan.grids[0].core(place)
        part = core & box
        for time, values in enumerate(found.values()):
            stored = mosaic.core(place, time, layout.heads[0])
            assert np.array_equal(stored[(slice(None), *part.within(core))], values[(slice(None), *part.within(box))])
            assert mosaic.is_there(place, time) == any((time // 4) == (k // 4) for k in _with_parts(found))


def _with_parts(found):
    return [place for place, values in enumerate(found.values()) if (values != FILL).any()]


def test_little_memory_makes_smaller_blocks_and_less_is_refused(images, package, tmp_path, monkeypatch):
    monkeypatch.setattr(needing, "SAMPLE_CACHE_BYTES", 0)  # or comparing backends takes more than so small a region
    plan_series(tmp_path / "big", images, 2048)
    config = series_config(tmp_path / "big", images, package, batch=1, memory_bytes=4 << 30, dry_run=True)
    most = open_session(config, Silent())
    assert most.recipe.time_block == 4
    load, plan = loaded(most.load, most.blocks), most.plan
    enough = memory_per_worker(load, plan.tile_px, 1, plan.reach).total_bytes
    assert open_session(replace(config, memory_bytes=enough), Silent()).recipe.time_block == 4
    assert open_session(replace(config, memory_bytes=enough - 1), Silent()).recipe.time_block < 4
    with pytest.raises(MemoryBudgetError) as caught:
        predict(replace(config, memory_bytes=200 << 20))
    assert caught.value.hint


def test_other_options_of_time_are_refused_and_none_are_needed_again(undisturbed, images, package):
    with pytest.raises(RecipeMismatchError, match="series"):
        predict(series_config(undisturbed, images, package, time=TimeConfig(time_step_days=10)))
    with pytest.raises(RecipeMismatchError, match="norm"):
        predict(series_config(undisturbed, images, package, norm=NormConfig(mean=(0.1,) * 3)))
    again = predict(PredictConfig(run=str(undisturbed)))
    assert again.done_before == again.tiles


def test_images_without_a_date_have_no_place_in_a_series(images, package, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for number, file in enumerate(sorted(images.iterdir())[:3]):
        (folder / f"image_{'abc'[number]}.tif").write_bytes(file.read_bytes())
    with pytest.raises(ImageryError) as caught:
        run_series(tmp_path / "run", folder / "image_a.tif", package)
    assert "dates in the names" in caught.value.hint


def statistics(path, **domains):
    content = {
        name: {"channels": ["red", "green", "blue"], "mean": [mean] * 3, "std": [std] * 3, "count": 9}
        for name, (mean, std) in domains.items()
    }
    path.write_text(json.dumps({"schema_version": "1", "domains": content}))
    return path


def test_each_frame_is_normalised_as_its_sensor_is(images, tmp_path):
    bundle = write_bundle(tmp_path, sorted(images.iterdir()))
    stats = statistics(tmp_path / "stats.json", **{SENSORS[0]: (0.2, 0.1), SENSORS[1]: (0.5, 0.3)})
    (tmp_path / "a").mkdir()
    package = series_package(tmp_path / "a", stats=stats)
    both = run_series(tmp_path / "both", bundle, package)
    for sensor, numbers in zip(SENSORS, ((0.2, 0.1), (0.5, 0.3)), strict=True):
        only = TimeConfig(time_sensors=(sensor,))
        own = run_series(tmp_path / sensor, bundle, package, time=only)
        (tmp_path / f"plain-{sensor}").mkdir()
        by_hand = NormConfig(mean=(numbers[0],) * 3, std=(numbers[1],) * 3)
        plain = series_package(tmp_path / f"plain-{sensor}")
        assert_same(own, run_series(tmp_path / f"hand-{sensor}", bundle, plain, time=only, norm=by_hand))
    for sensor in SENSORS:
        forced = run_series(tmp_path / f"forced-{sensor}", bundle, package, norm=NormConfig(domain=(sensor,)))
        # A plane that sees both sensors.
        seen, other = (planes(run)[1]["2020-03-09T00:00:00"] for run in (both, forced))
        assert (seen != other)[seen != FILL].mean() > 0.3


def test_a_domain_may_be_named_for_a_sensor(images, tmp_path):
    bundle = write_bundle(tmp_path, sorted(images.iterdir()))
    stats = statistics(tmp_path / "stats.json", **{SENSORS[0]: (0.2, 0.1), SENSORS[1]: (0.5, 0.3)})
    renamed = statistics(tmp_path / "renamed.json", optical=(0.2, 0.1), landsat=(0.5, 0.3))
    for name in ("own", "named"):
        (tmp_path / name).mkdir()
    own = run_series(tmp_path / "run", bundle, series_package(tmp_path / "own", stats=stats))
    norm = NormConfig(domain=("optical", f"{SENSORS[1]}=landsat"))
    named = run_series(tmp_path / "as-named", bundle, series_package(tmp_path / "named", stats=renamed), norm=norm)
    assert_same(named, own)


def test_a_field_of_the_bundle_may_name_the_domains(images, tmp_path):
    bundle = write_bundle(tmp_path, sorted(images.iterdir()))
    stats = statistics(tmp_path / "stats.json", **{SENSORS[0]: (0.2, 0.1), SENSORS[1]: (0.5, 0.3)})
    fields = statistics(tmp_path / "fields.json", optical=(0.2, 0.1), landsat=(0.5, 0.3))
    for name in ("own", "field"):
        (tmp_path / name).mkdir()
    own = run_series(tmp_path / "run", bundle, series_package(tmp_path / "own", stats=stats))
    document = json.loads(bundle.read_text())
    names = dict(zip(SENSORS, ("optical", "landsat"), strict=True))
    for image in document["images"]:
        image["look"] = names[image["sensor_coarse"]]
    bundle.write_text(json.dumps(document))
    package = series_package(tmp_path / "field", stats=fields)
    plan_series(tmp_path / "by-field", bundle)
    config = series_config(tmp_path / "by-field", bundle, package)
    predict(replace(config, imagery=replace(config.imagery, domain_field="look")))
    assert_same(tmp_path / "by-field", own)
    with pytest.raises(ConfigError, match="has no region"):
        predict(replace(config, imagery=replace(config.imagery, domain_field="region")))


def test_frames_of_a_sensor_that_lacks_a_band_are_left_out_with_a_note(images, package, tmp_path):
    bundle = write_bundle(tmp_path, sorted(images.iterdir()), channels="red|green|nir")
    notes = []

    class Told(Silent):
        def note(self, text):
            notes.append(text)

    plan_series(tmp_path / "run", images)
    predict(series_config(tmp_path / "run", bundle, package), Told())
    assert any(f"6 frames of {SENSORS[1]} are left out" in note for note in notes)
    same = write_bundle(tmp_path, sorted(images.iterdir()))
    only = run_series(tmp_path / "only", same, package, time=TimeConfig(time_sensors=(SENSORS[0],)))
    assert_same(tmp_path / "run", only)


def test_a_sensor_without_statistics_is_refused_unless_the_package_says_otherwise(images, tmp_path):
    bundle = write_bundle(tmp_path, sorted(images.iterdir()))
    stats = statistics(tmp_path / "stats.json", **{SENSORS[0]: (0.2, 0.1)})
    for rule in ("refuse", "default"):
        (tmp_path / rule).mkdir()
        package = series_package(tmp_path / rule, stats=stats, unknown_domain=rule)
        if rule == "refuse":
            with pytest.raises(ImageryError, match=f"imagery of '{SENSORS[1]}'") as caught:
                run_series(tmp_path / "run", bundle, package)
            assert "--domain" in caught.value.hint
            assert not (tmp_path / "run/recipe.json").exists()
        else:
            assert scored(planes(run_series(tmp_path / "other", bundle, package))[1])


def test_a_quota_and_sensors_decide_whose_frames_are_seen(images, tmp_path):
    bundle = write_bundle(tmp_path, sorted(images.iterdir()))
    package = series_package(tmp_path, series_sensors=(SENSORS[0],))
    run = run_series(tmp_path / "run", bundle, package)
    only = sorted(file for number, file in enumerate(sorted(images.iterdir())) if number % 2 == 0)
    (tmp_path / "only").mkdir()
    for file in only:
        (tmp_path / "only" / file.name).write_bytes(file.read_bytes())
    plan_series(tmp_path / "alone", images)
    (tmp_path / "all").mkdir()
    predict(series_config(tmp_path / "alone", tmp_path / "only", series_package(tmp_path / "all")))
    assert_same(run, tmp_path / "alone")


def test_classes_and_times_stand_in_the_heatmap(undisturbed):
    import xarray

    with xarray.open_zarr(undisturbed / "heatmap.zarr", consolidated=False) as opened:
        assert opened["class"].values.tolist() == list(CLASSES)
        assert str(opened["time"].values[-1])[:10] == "2020-09-05"


def test_killed_processes_leave_blocks_that_others_finish(images, package, undisturbed, tmp_path):
    plan_series(tmp_path / "planned", images)
    moments = [["read", 30, False], ["network", 6, True], ["publish", 7, False], ["marker", 2, True]]
    job = {
        "planned": str(tmp_path / "planned"), "folder": str(tmp_path), "scene": str(images),
        "package": str(package.path), "moments": moments, "random": 0, "seed": 4,
    }  # fmt: skip
    (tmp_path / "job.json").write_text(json.dumps(job))
    script = Path(__file__).with_name("killing.py")
    command = [sys.executable, "-W", "ignore", str(script), str(tmp_path / "job.json")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    tried = [json.loads(line) for line in ran.stdout.splitlines()]
    assert sum(each["killed"] == -9 for each in tried) >= len(moments)
    for each in tried:
        assert each["resumed"] == 0, each
        assert_same(Path(each["run"]), undisturbed)
        assert verify(VerifyConfig(each["run"])).damaged == ()


@pytest.mark.parametrize("kind", ["package", "by_date"])
def test_scores_that_stay_on_a_device_lie_in_the_same_planes(images, kind, tmp_path, monkeypatch, request):
    package = request.getfixturevalue(kind)
    host = scored(planes(run_series(tmp_path / "host", images, package))[1])
    honest = context.open_backend
    monkeypatch.setattr(context, "open_backend", lambda *args, **kwargs: OnDevice(honest(*args, **kwargs)))
    context._opened.cache_clear()
    device = scored(planes(run_series(tmp_path / "device", images, package))[1])
    assert device.keys() == host.keys()
    for time, values in host.items():
        assert np.array_equal(device[time] == FILL, values == FILL)
        assert np.abs(device[time].astype(int) - values).max() <= 1


class OnDevice:
    """Stands in for a backend on an accelerator: torch's CPU plays the device."""

    torch_device = "cpu"

    def __init__(self, backend):
        self._backend = backend
        self.identity = backend.identity

    def run(self, inputs):
        raise AssertionError("the output came to the host")

    def run_on_device(self, inputs):
        import torch

        return {name: torch.from_numpy(values.copy()) for name, values in self._backend.run(inputs).items()}

    def close(self):
        self._backend.close()


@pytest.mark.parametrize("jit", ["eager", "openvino"])
def test_every_backend_runs_a_network_of_dates(images, by_date, package, tmp_path, jit):
    from geowatch.package.backends import BACKENDS, refusal_of
    from geowatch.package.backends.base import BackendSpec

    assert jit in BACKENDS
    for name, each in (("by-date", by_date), ("all", package)):
        if (why := refusal_of(each, BackendSpec(jit))) is not None:
            pytest.skip(why)
        mine = scored(planes(run_series(tmp_path / f"{jit}-{name}", images, each, jit=jit))[1])
        reference = scored(planes(run_series(tmp_path / f"ort-{name}", images, each))[1])
        assert mine.keys() == reference.keys()
        assert all(np.abs(mine[time].astype(int) - values).max() <= 1 for time, values in reference.items())


def test_looks_of_several_kinds_go_with_series(images, package, by_date, tmp_path):
    looks = LooksConfig(tta=("hflip", "time"), uncertainty=("tta", "entropy"))
    runs = [
        run_series(tmp_path / str(block), images, package, time=TimeConfig(time_block=block), looks=looks)
        for block in (1, 4)
    ]
    assert_same(*runs)
    flips = LooksConfig(tta=("hflip",), uncertainty=("entropy",))
    dated = [run_series(tmp_path / f"d{t}", images, by_date, t, looks=flips) for t in (32, 64)]
    assert_same(*dated)
    with pytest.raises(ConfigError, match="scores each date"):
        run_series(tmp_path / "no", images, by_date, looks=LooksConfig(tta=("time",)))


def test_features_of_a_plane_are_those_of_its_block(images, package, tmp_path):
    found = []
    for block in (1, 4):
        run = run_series(
            tmp_path / str(block), images, package, time=TimeConfig(time_block=block), looks=LooksConfig(features="r1")
        )
        features(FeaturesConfig(run=str(run), cells=24, pool="mean"))
        table = pq.read_table(run / "features/places.parquet").select(["id", "time"]).to_pylist()
        found.append((np.load(run / "features/vectors.npy"), table))
    assert np.array_equal(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]
    assert len({row["time"] for row in found[0][1]}) == 7


def test_the_plan_counts_planes_and_blocks(images, package, tmp_path):
    imagery = ImageryConfig(images=(str(images),))
    plan = tile(TileConfig(run=str(tmp_path), tile_size=64, imagery=imagery, model=str(package.path), dry_run=True))
    one = series_package(tmp_path, series_sampling=None, series_span_days=None, series_step_days=None)
    plain = tile(TileConfig(run=str(tmp_path), tile_size=64, imagery=imagery, model=str(one.path), dry_run=True))
    assert plan.estimate.windows * 9 == plain.estimate.windows * 7  # planes: 7 steps that see anything, 9 runs of 4
    assert plan.estimate.read_bytes < plain.estimate.read_bytes


def test_options_of_time_come_from_the_command_line_and_from_a_file(images, package, tmp_path):
    from support.shell import gw

    plan_series(tmp_path / "run", images)
    (tmp_path / "c.yaml").write_text("time: {time_span: 90}\ntime_keep: all\n")
    given = ["--run", str(tmp_path / "run"), "--images", str(images), "--model", str(package.path), "--workers", "1"]
    asked = ["--time-step", "45", "--time-sampling", "contiguous", "--time-block", "2", "--mean", "0.2,0.2,0.2"]
    gw("predict", *given, *asked, "--config", str(tmp_path / "c.yaml"))
    recipe = read_recipe(open_store(tmp_path / "run"))
    pin = recipe.series
    assert (pin.step_days, pin.sampling, pin.block, pin.span_days, pin.keep) == (45, "contiguous", 2, 90, "all")
    assert recipe.norm.mean == (0.2, 0.2, 0.2)


def test_dates_of_two_sensors_have_bands_of_their_own(images, tmp_path):
    bundle = write_bundle(tmp_path, sorted(images.iterdir()), channels="vv|vh|green")
    made = series_package(tmp_path)
    of_sensor = {SENSORS[0]: ("red", "green", "blue"), SENSORS[1]: ("vh", "green", "vv")}
    inputs = tuple(
        spec.model_copy(update={"bands": of_sensor[sensor], "sensors": (sensor,)})
        for spec, sensor in zip(made.manifest.inputs, (SENSORS[1], SENSORS[1], *SENSORS[:1] * 2), strict=True)
    )
    spec = ImportSpec(
        inputs=inputs, classes=CLASSES, window=(32, 32), dates=DATES, overlap=8, activation="softmax",
        series_sampling="contiguous", series_span_days=90, series_step_days=30,
    )  # fmt: skip
    package = import_onnx(tmp_path / "series.onnx", spec, tmp_path / "both")
    imagery = ImageryConfig(images=(str(bundle),))
    tile(TileConfig(run=str(tmp_path / "run"), tile_size=64, imagery=imagery, model=str(package.path)))
    predict(PredictConfig(run=str(tmp_path / "run"), workers=1, time=TimeConfig(time_block=2)))
    # The same numbers called otherwise: all images have one sensor's names, each date picks what it picked there.
    bound = read_bound(open_store(tmp_path / "run"))
    own = {frame.sensor: frame.bands for frame in next(iter(bound.frames.values()))}
    assert own == {SENSORS[0]: ("red", "green", "blue"), SENSORS[1]: ("vh", "green", "vv")}
    renamed = tuple(
        each.model_copy(
            update={"bands": ("red", "green", "blue") if each.sensors == SENSORS[:1] else ("green", "blue", "red")}
        )
        for each in inputs
    )
    alike = import_onnx(tmp_path / "series.onnx", replace(spec, inputs=renamed), tmp_path / "alike")
    same = write_bundle(tmp_path, sorted(images.iterdir()))
    assert_same(tmp_path / "run", run_series(tmp_path / "same", same, alike, 32))


def test_images_that_do_not_meet_share_a_block(package, tmp_path):
    places = ((date(2020, 1, 3), 0, 0), (date(2020, 1, 20), 200, 0), (date(2020, 2, 5), 0, 150))
    for number, (day, x, y) in enumerate(places):
        affine = Affine(10, 0, 500_000 + 10 * x, 0, -10, 4_000_000 - 10 * y)
        write_raster(tmp_path / f"images/image_{day}.tif", speckled(60, 70, number), affine)
    runs = [
        run_series(
            tmp_path / f"{block}-{side}", tmp_path / "images", package, side,
            TimeConfig(time_block=block, time_span_days=25),
        )
        for block, side in ((1, 64), (4, 48))
    ]  # fmt: skip
    assert_same(*runs)
    assert len(scored(planes(runs[0])[1])) == 2
