import os
import shutil
import subprocess
import sys
import threading

import pytest

from geowatch.errors import ConfigError, StoreError
from geowatch.store import LocalStore, open_store
from geowatch.store.local import TEMPORARY_PREFIX
from geowatch.store.overlay import Overlay


class StoreContract:
    """What every store keeps; a store proves itself by subclassing this with a ``store`` fixture."""

    def test_an_object_comes_back_whole_and_in_part(self, store):
        store.put("a/b/c", b"0123456789")
        assert store.get("a/b/c") == b"0123456789"
        assert store.get("a/b/c", 2, 3) == b"234"
        assert store.size("a/b/c") == 10

    def test_put_replaces(self, store):
        store.put("k", b"old")
        store.put("k", b"newer")
        assert store.get("k") == b"newer"

    def test_put_if_absent_keeps_the_first(self, store):
        assert store.put_if_absent("k", b"first")
        assert not store.put_if_absent("k", b"second")
        assert store.get("k") == b"first"

    def test_of_racing_writers_exactly_one_wins(self, store):
        won = []
        barrier = threading.Barrier(8)

        def write(number):
            barrier.wait()
            if store.put_if_absent("race", bytes([number]) * 100_000):
                won.append(number)

        threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        assert store.get("race") == bytes(won) * 100_000

    def test_what_is_absent_is_said(self, store):
        assert store.size("nothing") is None
        store.delete("nothing")
        with pytest.raises(StoreError, match="holds no 'nothing'"):
            store.get("nothing")

    def test_list_gives_keys_below_a_prefix(self, store):
        for key in ("p/1", "p/2/x", "pq", "r"):
            store.put(key, b"")
        assert set(store.list("p/")) == {"p/1", "p/2/x"}
        assert set(store.list()) == {"p/1", "p/2/x", "pq", "r"}
        assert set(store.list("p")) == {"p/1", "p/2/x", "pq"}

    def test_a_staged_file_appears_only_on_success(self, store):
        def break_half_way():
            with store.stage("out.tif") as path:
                path.write_bytes(b"half")
                raise ValueError("broken")

        with pytest.raises(ValueError, match="broken"):
            break_half_way()
        assert store.size("out.tif") is None
        with store.stage("out.tif") as path:
            path.write_bytes(b"whole")
            assert store.size("out.tif") is None
        assert store.get("out.tif") == b"whole"
        assert list(store.list()) == ["out.tif"]

    @pytest.mark.parametrize("key", ["../x", "/etc/x", "a/../../x", ""])
    def test_keys_do_not_lead_out(self, store, key):
        with pytest.raises(StoreError):
            store.put(key, b"")


class TestLocalStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        return LocalStore(tmp_path / "run")


class TestLocalStoreWithFsync(StoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        return LocalStore(tmp_path / "run", fsync=True)


class TestOverlay(StoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        overlay = Overlay(LocalStore(tmp_path / "run"))
        yield overlay
        held = dict(overlay.held)
        overlay.publish()
        assert all(overlay.below.get(key) == content for key, content in held.items())

    def test_what_waits_is_not_below(self, store):
        store.put_if_absent("waits", b"x")
        assert store.get("waits") == b"x"
        assert store.below.size("waits") is None

    # Only what is put by one thread waits; races are the store's below.
    test_of_racing_writers_exactly_one_wins = None


def test_a_writer_killed_half_way_leaves_the_old_and_a_mark_to_clean(tmp_path):
    store = LocalStore(tmp_path)
    store.put("k", b"old")
    script = (
        "import os, sys, pathlib\n"
        "from geowatch.store import LocalStore\n"
        "pathlib.Path.replace = lambda *a: os.kill(os.getpid(), 9)\n"
        "LocalStore(pathlib.Path(sys.argv[1])).put('k', b'new')\n"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert ended.returncode == -9
    assert store.get("k") == b"old"
    assert list(store.list()) == ["k"]
    left = list(store.unfinished())
    assert [size for _, size in left] == [3]
    assert left[0][0].name.startswith(TEMPORARY_PREFIX)


def test_published_files_have_ordinary_rights(tmp_path):
    store = LocalStore(tmp_path)
    with store.stage("a.tif") as path:
        path.write_bytes(b"x")
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "a.tif").stat().st_mode & 0o777 == 0o666 & ~umask


def test_a_folder_that_cannot_be_made_is_an_error_with_a_remedy(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError) as caught:
        LocalStore(tmp_path / "file").put("a/b", b"x")
    assert "choose another place" in caught.value.hint


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("database or disk is full")])
def test_a_full_disk_is_said_whichever_library_writes(tmp_path, monkeypatch, error):
    store = LocalStore(tmp_path)
    store.put("a.gpkg", b"old")
    if isinstance(error, RuntimeError):  # GDAL has no error number to tell it by
        monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1 << 30, 1 << 30, 4096))
    with pytest.raises(StoreError, match=r"'a.gpkg' cannot be written .* no space left"), store.stage("a.gpkg"):
        raise error
    assert store.get("a.gpkg") == b"old"
    assert not list(store.unfinished())


def test_what_has_nothing_to_do_with_the_disk_stays_what_it_is(tmp_path):
    with pytest.raises(RuntimeError, match="a defect"), LocalStore(tmp_path).stage("a.gpkg"):
        raise RuntimeError("a defect")


def test_an_unknown_kind_of_address_is_refused():
    with pytest.raises(ConfigError, match="no store for 'ftp://'"):
        open_store("ftp://host/run")


def test_folders_in_which_nothing_is_left_go_and_others_stay(tmp_path):
    store = LocalStore(tmp_path)
    for key in ("a/b/c/1", "a/d/2", "other/3"):
        store.put(key, b"x")
    store.delete("a/b/c/1")
    store.delete("other/3")
    store.prune("a")
    store.prune("nowhere")
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == [
        "a",
        "a/d",
        "a/d/2",
        "other",
    ]
