from __future__ import annotations

import json
import multiprocessing
import os
import signal
import stat
import time
from dataclasses import fields, replace

import pytest

from geowatch.errors import BackendError, StoreError
from geowatch.package.cache import ArtifactKey, CompiledCache, private_folder

KEY = ArtifactKey(
    package="p" * 64, backend="openvino", versions=(("openvino", "1"),), precision="fp32", device="cpu-avx2",
    window_px=(256, 256), batch=4, threads=2,
)  # fmt: skip
OTHER = {
    "package": "q" * 64, "backend": "inductor", "versions": (("openvino", "2"),), "precision": "bf16",
    "device": "cpu-avx512", "window_px": (256, 512), "batch": None, "threads": 1, "form": "2",
}  # fmt: skip


def build(folder):
    (folder / "network").write_bytes(b"compiled")
    (folder / "sub").mkdir()
    (folder / "sub" / "kernels").write_bytes(b"more")


def never(folder):
    raise AssertionError("built again")


@pytest.mark.parametrize("changed", [f.name for f in fields(ArtifactKey)])
def test_whatever_made_it_is_in_its_key(tmp_path, changed):
    cache = CompiledCache(tmp_path)
    cache.artifact(KEY, build)
    cache.put_verdict(KEY, {"passed": True})
    other = replace(KEY, **{changed: OTHER[changed]})
    assert other.digest != KEY.digest
    assert not cache.holds(other)
    assert cache.verdict(other) is None


def test_what_is_there_is_not_built_again(tmp_path):
    cache = CompiledCache(tmp_path)
    made = cache.artifact(KEY, build)
    assert (made / "sub" / "kernels").read_bytes() == b"more"
    assert CompiledCache(tmp_path).artifact(KEY, never) == made
    (entry,) = cache.entries()
    assert (entry.key["backend"], entry.bytes) == ("openvino", 12)


def spoil_content(folder):
    (folder / "network").write_bytes(b"otherwis")


def cut_short(folder):
    (folder / "network").write_bytes(b"comp")


def remove(folder):
    (folder / "sub" / "kernels").unlink()


def add(folder):
    (folder / "sub" / "surprise.so").write_bytes(b"runs")


def spoil_record(folder):
    (folder / "artifact.json").write_text("{")


def rename_record(folder):
    record = json.loads((folder / "artifact.json").read_text())
    record["key"]["precision"] = "bf16"
    (folder / "artifact.json").write_text(json.dumps(record))


@pytest.mark.parametrize("damage", [spoil_content, cut_short, remove, add, spoil_record, rename_record])
def test_a_damaged_entry_is_built_anew(tmp_path, damage):
    cache = CompiledCache(tmp_path)
    damage(cache.artifact(KEY, build))
    assert not cache.holds(KEY)
    made = cache.artifact(KEY, build)
    assert cache.holds(KEY)
    assert sorted(p.name for p in made.rglob("*") if p.is_file()) == ["artifact.json", "kernels", "network"]


def test_a_failed_build_leaves_nothing_and_says_why(tmp_path):
    cache = CompiledCache(tmp_path)

    def fail(folder):
        build(folder)
        raise BackendError("cannot compile")

    with pytest.raises(BackendError, match="cannot compile"):
        cache.artifact(KEY, fail)
    assert not list(cache.entries())
    assert not [p for p in tmp_path.rglob("*") if "network" in p.name or "unfinished" in p.name]


def build_and_count(folder, ledger, seconds):
    with ledger.open("a") as file:
        file.write("built\n")
    (folder / "network").write_bytes(b"com")
    time.sleep(seconds)
    (folder / "network").write_bytes(b"compiled")


def take(root, ledger, seconds):
    made = CompiledCache(root).artifact(KEY, lambda folder: build_and_count(folder, ledger, seconds))
    assert (made / "network").read_bytes() == b"compiled"


def test_many_processes_at_once_build_it_once_and_see_it_whole(tmp_path):
    context = multiprocessing.get_context("fork")
    crowd = [context.Process(target=take, args=(tmp_path, tmp_path / "ledger", 0.2)) for _ in range(8)]
    for each in crowd:
        each.start()
    for each in crowd:
        each.join(30)
    assert [each.exitcode for each in crowd] == [0] * 8
    assert (tmp_path / "ledger").read_text() == "built\n"


def test_a_kill_in_the_middle_leaves_no_entry_and_no_lock(tmp_path):
    context = multiprocessing.get_context("fork")
    victim = context.Process(target=take, args=(tmp_path, tmp_path / "ledger", 60))
    victim.start()
    while not (tmp_path / "ledger").exists():
        time.sleep(0.01)
    os.kill(victim.pid, signal.SIGKILL)
    victim.join(10)
    cache = CompiledCache(tmp_path)
    assert not cache.holds(KEY)
    take(tmp_path, tmp_path / "ledger", 0)
    assert cache.holds(KEY)
    assert len(list(cache.entries())) == 1
    assert not list(tmp_path.rglob(".unfinished*"))


def test_a_cache_that_cannot_be_written_is_read_and_else_compiles_in_private(tmp_path, monkeypatch):
    cache = CompiledCache(tmp_path / "cache")
    made = cache.artifact(KEY, build)

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("geowatch.package.cache.Path.mkdir", refuse)
    assert cache.artifact(KEY, never) == made
    other = cache.artifact(replace(KEY, precision="bf16"), lambda folder: (folder / "network").write_bytes(b"x"))
    assert (other / "network").read_bytes() == b"x"
    assert tmp_path not in other.parents
    cache.put_verdict(KEY, {"passed": True})
    assert cache.verdict(KEY) is None


def test_a_cache_that_anybody_can_write_to_is_refused(tmp_path):
    cache = CompiledCache(tmp_path / "cache")
    cache.artifact(KEY, build)
    cache.folder.chmod(0o777)
    for use in (lambda: cache.artifact(KEY, never), lambda: cache.put_verdict(KEY, {})):
        with pytest.raises(StoreError, match="everybody may write"):
            use()


def test_a_new_cache_is_its_owners(tmp_path):
    CompiledCache(tmp_path / "cache").artifact(KEY, build)
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) & 0o022 == 0


def test_a_full_disk_is_an_error_with_a_remedy(tmp_path):
    def fill(folder):
        raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match="No space left") as caught:
        CompiledCache(tmp_path).artifact(KEY, fill)
    assert "--cache" in caught.value.hint


def test_verdicts_are_kept_and_a_damaged_one_counts_as_none(tmp_path):
    cache = CompiledCache(tmp_path)
    assert cache.verdict(KEY) is None
    cache.put_verdict(KEY, {"gate": {"agreement": 0.99}})
    assert cache.verdict(KEY) == {"gate": {"agreement": 0.99}}
    cache.put_verdict(KEY, {"gate": {"agreement": 1.0}})
    assert cache.verdict(KEY) == {"gate": {"agreement": 1.0}}
    (note,) = tmp_path.rglob("verdicts/*/*.json")
    for text in ("{", "[]", '{"key": {}, "verdict": {}}', note.read_text().replace("openvino", "eager")):
        note.write_text(text)
        assert cache.verdict(KEY) is None


def test_a_private_folder_is_filled_and_outside_any_cache():
    folder = private_folder(build)
    assert (folder / "network").read_bytes() == b"compiled"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
