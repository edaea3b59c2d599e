"""Series through a cube: the real one of 68 dates, and one with two sensors that a network of four dates looks at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.eolearn_series import MASKED
from support.small_series import SENSORS, planes, run_series, series_config, series_package, write_bundle, write_series

from geowatch.grid.lattice import Lattice
from geowatch.read.reader import FrameReader
from geowatch.stages.align import AlignConfig, align
from geowatch.stages.binding import aligned
from geowatch.stages.binding.aligned import open_sampler
from geowatch.stages.binding.imagery import ImageryConfig, read_bound
from geowatch.stages.predict import predict
from geowatch.stages.tile import TileConfig, tile
from geowatch.store import open_store
from geowatch.store.plans import read_plan


@pytest.fixture(scope="module")
def cube(eolearn_series, tmp_path_factory):
    run = str(tmp_path_factory.mktemp("eolearn-cube") / "run")
    imagery = ImageryConfig(images=(str(eolearn_series.kwcoco),), **MASKED)
    tile(TileConfig(region=str(eolearn_series.region), run=run, imagery=imagery))
    align(AlignConfig(run, channels=("ndvi",), workers=1))
    return run


def by_day(series):
    """Return values and validity (T, H, W) of each day: where two images are of one day the earlier one is on top."""
    shown = ~series.cloud & np.isfinite(series.ndvi)
    found = {}
    for time, values, valid in zip(series.times, series.ndvi, shown, strict=True):
        below = np.where(valid, values, 0), valid
        above = found.get(time.date(), below)
        found[time.date()] = np.where(above[1], above[0], below[0]), above[1] | below[1]
    return (np.stack(each) for each in zip(*found.values(), strict=True))


def test_windows_of_68_dates_are_the_numbers_of_the_real_series(cube, eolearn_series):
    values, valid = by_day(eolearn_series)
    with open_sampler(cube, (40, 50), threads=2) as sampler:
        lattice = sampler.readers[0].plan.lattice
        extent = sampler.readers[0].plan.extent
        assert lattice == Lattice.of_affine(lattice.crs, eolearn_series.affine)
        assert len(sampler.readers) == len(values) == 67
        rng = np.random.default_rng(5)
        for _ in range(5):
            window = sampler.read(sampler.draw(rng, 67))
            part = (slice(None), *window.place.box.within(extent))
            assert np.array_equal(window.valid, valid[part])
            assert np.array_equal(window.values[:, 0], values[part])


def test_many_frames_leave_no_file_open(cube):
    files = Path("/proc/self/fd")
    before = len(list(files.iterdir()))
    with open_sampler(cube, (64, 64)) as sampler:
        sampler.read(sampler.draw(np.random.default_rng(0), 67))
        assert len(list(files.iterdir())) == before


def test_a_network_of_several_dates_gives_the_same_planes_from_a_cube(tmp_path, monkeypatch):
    files = write_series(tmp_path / "images")
    bundle = write_bundle(tmp_path, files)
    package = series_package(tmp_path)
    plain = run_series(tmp_path / "plain", bundle, package)
    cubed = tmp_path / "cubed"
    tile(TileConfig(run=str(cubed), tile_size=64, imagery=ImageryConfig(images=(str(bundle),))))
    done = align(AlignConfig(str(cubed), channels=("red", "green", "blue"), workers=1))
    assert {
        plan.sensor for plan in read_bound(open_store(cubed)).frames[read_plan(open_store(cubed)).grids[0].id]
    } == set(SENSORS)
    assert done.frames == len(files)
    opened = []
    monkeypatch.setattr(
        aligned, "FrameReader", lambda *args, **kwargs: opened.append(1) or FrameReader(*args, **kwargs)
    )
    predict(series_config(cubed, bundle, package))
    assert not opened
    box, expected = planes(plain)
    where, found = planes(cubed)
    assert where == box
    assert set(found) == set(expected)
    assert all(np.array_equal(found[time], expected[time]) for time in expected)
