"""Windows of a series: threads gain where there is something to gain, and never cost; the bytes are the same."""

from __future__ import annotations

import threading
from datetime import date, timedelta

import numpy as np
import pytest

from geowatch.errors import DamagedError
from geowatch.grid.lattice import PixelBox
from geowatch.read.catalog import find_scenes
from geowatch.read.cube import CubeReader
from geowatch.read.cubeformat import CubeLayout
from geowatch.read.cubekeys import Contents, frame_key
from geowatch.read.cubesampler import Place, WindowSampler
from geowatch.read.cubewrite import publish_block, publish_frame, read_block
from geowatch.read.frames import make_frames
from geowatch.read.options import SceneOptions
from geowatch.read.plan import FramePlan, lattice_of, plan_frame
from geowatch.read.reader import FrameReader
from geowatch.store import LocalStore

BANDS = ("red", "nir")
DATES = 4
SIZE = (64, 64)


@pytest.fixture(scope="module")
def plans(tmp_path_factory, write_image, noise) -> tuple[FramePlan, ...]:
    """A series of four dates, with a hole in each."""
    folder = tmp_path_factory.mktemp("images")
    for number in range(DATES):
        for band in BANDS:
            pixels = noise((200, 220), seed=number)
            pixels[20 * number : 20 * number + 30, 50:90] = 0
            day = date(2020, 6, 1) + timedelta(days=5 * number)
            write_image(folder / f"{day}_{band}.tif", pixels, nodata=0)
    scenes = find_scenes([folder], SceneOptions(scale=1e-4)).scenes
    return tuple(plan_frame(frame, BANDS, lattice_of(scenes, BANDS)) for frame in make_frames(scenes))


@pytest.fixture
def store(tmp_path) -> LocalStore:
    return LocalStore(tmp_path / "cube")


@pytest.fixture
def layouts(plans, store) -> list[CubeLayout]:
    """The series as a cube."""
    made = [CubeLayout(plan, frame_key(plan, Contents(store).of(plan))) for plan in plans]
    for layout in made:
        publish_frame(store, layout)
        with FrameReader(layout.stored_plan, cache_bytes=0) as reader:
            for block in layout.blocks(layout.plan.extent):
                publish_block(store, layout, block, read_block(layout, reader, block))
    return made


WORKS_S = 0.01


class Noting:
    """Notes which threads read; each read takes 10 ms of the processor and some waiting, on a clock of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, of: type, waits_s: float = 0.0) -> None:
        self.threads: list[str] = []
        self.waits_s = waits_s
        self.passed_s = self.worked_s = 0.0
        self.together = threading.Barrier(1)
        plain = of.read

        def read(reader, box, out=None):
            self.threads.append(threading.current_thread().name)
            self.worked_s += WORKS_S
            self.passed_s += WORKS_S + self.waits_s
            if threading.current_thread() is not threading.main_thread():
                self.together.wait()
            return plain(reader, box, out)

        monkeypatch.setattr(of, "read", read)
        monkeypatch.setattr("geowatch.read.cubesampler.time", self)

    def perf_counter(self) -> float:
        return self.passed_s

    def thread_time(self) -> float:
        return self.worked_s

    def in_threads(self) -> list[bool]:
        """Return of each read since the last call whether a thread did it."""
        noted, self.threads[:] = list(self.threads), []
        return [name.startswith("gw-window") for name in noted]


def whole(plans) -> Place:
    return Place(tuple(range(DATES)), plans[0].extent)


def test_a_cube_in_files_is_read_by_the_caller_however_many_threads_there_are(plans, store, layouts, monkeypatch):
    noted = Noting(monkeypatch, CubeReader, waits_s=2.9 * WORKS_S)
    with WindowSampler([CubeReader(store, each) for each in layouts], SIZE, threads=2) as sampler:
        sampler.read(whole(plans))
    assert noted.threads == [threading.main_thread().name] * DATES


def test_images_are_read_by_threads(plans, monkeypatch):
    noted = Noting(monkeypatch, FrameReader)
    with WindowSampler([FrameReader(plan, cache_bytes=0) for plan in plans], SIZE, threads=2) as sampler:
        sampler.read(whole(plans))
    assert len(noted.threads) == DATES
    assert all(name.startswith("gw-window") for name in noted.threads)


def test_frames_that_the_cube_lacks_are_left_to_threads(plans, store, layouts, monkeypatch):
    for block in layouts[1].blocks(plans[1].extent):
        store.delete(layouts[1].marker_key(block))
    noted = Noting(monkeypatch, FrameReader)

    def reader(layout: CubeLayout) -> CubeReader:
        return CubeReader(store, layout, lambda: FrameReader(layout.plan, cache_bytes=0))

    with WindowSampler([reader(each) for each in layouts], SIZE, threads=2) as sampler:
        sampler.read(whole(plans))
    assert len(noted.threads) == 1
    assert noted.threads[0].startswith("gw-window")


def test_where_the_disk_keeps_a_cube_waiting_threads_wait_together(plans, store, layouts, monkeypatch):
    noted = Noting(monkeypatch, CubeReader, waits_s=3.1 * WORKS_S)
    with WindowSampler([CubeReader(store, each) for each in layouts], SIZE, threads=DATES) as sampler:
        sampler.read(whole(plans))
        assert noted.in_threads() == [False] * 3 + [True]
        noted.together = threading.Barrier(3, timeout=60)  # passes only if three are being read
        sampler.read(whole(plans))
        assert noted.in_threads() == [False, True, True, True]
        noted.waits_s = 0.0
        sampler.read(whole(plans))
        assert noted.in_threads() == [False] * DATES


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_a_window_has_the_bytes_of_the_images_whatever_reads_it(plans, store, layouts, threads):
    images = WindowSampler([FrameReader(plan, cache_bytes=0) for plan in plans], SIZE)
    with images, WindowSampler([CubeReader(store, each) for each in layouts], SIZE, threads=threads) as cube:
        rng = np.random.default_rng(threads)
        extent = plans[0].extent
        beyond = Place((0, 3), PixelBox(extent.y0 - 9, extent.x0 + 5, extent.y0 + 40, extent.x1 + 7))
        for place in (beyond, *(cube.draw(rng, 3) for _ in range(8))):
            found, expected = cube.read(place), images.read(place)
            assert found.values.tobytes() == expected.values.tobytes()
            assert found.valid.tobytes() == expected.valid.tobytes()


@pytest.mark.parametrize("threads", [1, 2])
def test_damage_is_told_whatever_thread_meets_it(plans, store, layouts, threads):
    path = store.path(layouts[2].shard_key(layouts[2].planes[0], layouts[2].blocks(plans[2].extent)[0]))
    content = bytearray(path.read_bytes())
    content[40] ^= 4
    path.write_bytes(content)
    with (
        WindowSampler([CubeReader(store, each) for each in layouts], SIZE, threads=threads) as sampler,
        pytest.raises(DamagedError, match="red"),
    ):
        sampler.read(whole(plans))
