from __future__ import annotations

import json
import os
import pickle
import shutil
import threading
from pathlib import Path

import pytest

from geowatch.errors import DamagedError, GwError, PackageError
from geowatch.package import Manifest, Package, load_package, save_package
from geowatch.package import bundle as module
from geowatch.package.bundle import record_of


@pytest.fixture
def folder(tiny_package: Package, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(tiny_package.path, tmp_path / "package"))


def rewrite(folder: Path, **changes: object) -> None:
    document = json.loads((folder / "manifest.json").read_text()) | changes
    (folder / "manifest.json").write_text(json.dumps(document))


def add_file(folder: Path, name: str, content: bytes) -> None:
    """Add a file and name it in the manifest, as a forger would."""
    (folder / name).write_bytes(content)
    files = json.loads((folder / "manifest.json").read_text())["files"]
    rewrite(folder, files=files | {name: record_of(content).model_dump()})


def test_a_copy_opens_and_has_the_same_digest(tiny_package, folder):
    assert load_package(folder).digest == tiny_package.digest


def test_the_digest_does_not_depend_on_the_layout_of_the_manifest_or_on_the_time(tiny_package, folder):
    rewrite(folder, created="1999-01-01T00:00:00+00:00")
    assert load_package(folder).digest == tiny_package.digest
    rewrite(folder, description="another")
    assert load_package(folder).digest != tiny_package.digest


def test_one_flipped_bit_is_damage(folder):
    content = bytearray((folder / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "model.onnx").write_bytes(content)
    with pytest.raises(DamagedError, match=r"model\.onnx"):
        load_package(folder)


def test_a_file_that_changes_after_opening_is_damage(folder):
    package = load_package(folder)
    (folder / "model.onnx").write_bytes(b"x")
    with pytest.raises(DamagedError):
        package.read("model.onnx")


def test_a_missing_file_is_damage(folder):
    (folder / "model.onnx").unlink()
    with pytest.raises(DamagedError, match="missing"):
        load_package(folder)


def test_a_truncated_manifest_is_damage_at_any_length(folder):
    whole = (folder / "manifest.json").read_bytes()
    for length in range(0, len(whole) - 2, 61):
        (folder / "manifest.json").write_bytes(whole[:length])
        with pytest.raises(DamagedError, match="cut short"):
            load_package(folder)


def test_a_newer_schema_asks_for_a_newer_gw(folder):
    rewrite(folder, schema_version="2")
    with pytest.raises(PackageError, match="schema version '2'") as caught:
        load_package(folder)
    assert caught.value.hint == "install a newer gw"


@pytest.mark.parametrize("version", [None, 1, "old", ["1"]])
def test_an_odd_schema_version_is_refused(folder, version):
    rewrite(folder, schema_version=version)
    with pytest.raises(PackageError, match="schema version"):
        load_package(folder)


def test_an_unknown_key_is_refused_by_name(folder):
    rewrite(folder, run_on_load="rm -rf /")
    with pytest.raises(PackageError, match="run_on_load"):
        load_package(folder)


@pytest.mark.parametrize("name", ["extra.bin", "notes.txt", ".hidden", "__init__.py"])
def test_a_file_that_the_manifest_does_not_name_is_refused(folder, name):
    (folder / name).write_bytes(b"x")
    with pytest.raises(PackageError, match=name.replace(".", r"\.")):
        load_package(folder)


def test_a_folder_inside_is_refused(folder):
    (folder / "more").mkdir()
    with pytest.raises(PackageError, match="more"):
        load_package(folder)


@pytest.mark.parametrize("name", ["model.pt", "model.pth", "model.pt2", "model.pkl", "model.ckpt", "model.engine"])
def test_a_pickle_is_never_loaded_even_where_the_manifest_names_it(folder, name, tmp_path):
    trap = tmp_path / "sprung"
    add_file(folder, name, pickle.dumps(Trap(str(trap))))
    with pytest.raises(PackageError, match="run code"):
        load_package(folder)
    assert not trap.exists()


class Trap:
    """Leaves a mark when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return open, (self.path, "w")


@pytest.mark.parametrize("name", ["../outside.txt", "/etc/passwd", "a/b.txt", "..", "manifest.json", ""])
def test_a_manifest_that_names_a_path_is_refused(folder, name):
    files = json.loads((folder / "manifest.json").read_text())["files"]
    rewrite(folder, files=files | {name: {"sha256": "0" * 64, "bytes": 1}})
    with pytest.raises(PackageError):
        load_package(folder)


def test_links_are_refused_even_to_the_right_bytes(folder, tmp_path):
    moved = (folder / "model.onnx").rename(tmp_path / "elsewhere.onnx")
    (folder / "model.onnx").symlink_to(moved)
    with pytest.raises(PackageError, match="plain file"):
        load_package(folder)
    (folder / "model.onnx").unlink()
    (folder / "model.onnx").write_bytes(moved.read_bytes())
    manifest = (folder / "manifest.json").rename(tmp_path / "manifest.json")
    (folder / "manifest.json").symlink_to(manifest)
    with pytest.raises(PackageError, match="plain file"):
        load_package(folder)


def test_a_pipe_does_not_hang(folder):
    (folder / "model.onnx").unlink()
    os.mkfifo(folder / "model.onnx")
    with pytest.raises(PackageError, match="plain file"):
        load_package(folder)


def test_an_unsafe_graph_with_the_right_digest_is_refused(folder):
    from tests.package.test_graph import conv_net, external

    net = conv_net()
    net.graph.initializer[0].CopyFrom(external())
    add_file(folder, "model.onnx", net.SerializeToString())
    with pytest.raises(PackageError, match="another file"):
        load_package(folder)


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"schema_version": "1"}', b"[]", b"null", b"\xff\xfe"])
def test_a_manifest_of_something_else_is_refused(folder, content):
    (folder / "manifest.json").write_bytes(content)
    with pytest.raises(GwError):
        load_package(folder)


def test_no_package_says_how_to_make_one(tmp_path):
    with pytest.raises(PackageError, match="no package at") as caught:
        load_package(tmp_path / "nothing")
    assert "gw model import" in str(caught.value.hint)
    with pytest.raises(PackageError, match=r"has no manifest\.json"):
        load_package(tmp_path)


def files_of(package: Package) -> dict[str, bytes]:
    return {name: package.read(name) for name in package.manifest.files}


def test_saving_again_is_nothing_and_saving_another_is_refused(tiny_package, folder):
    before = (folder / "model.onnx").stat().st_mtime_ns
    save_package(folder, tiny_package.manifest, files_of(tiny_package))
    assert (folder / "model.onnx").stat().st_mtime_ns == before
    other = tiny_package.manifest.model_copy(update={"description": "other"})
    with pytest.raises(PackageError, match="exists"):
        save_package(folder, other, files_of(tiny_package))
    assert load_package(folder).digest == tiny_package.digest


def test_an_empty_folder_may_become_a_package(tiny_package, tmp_path):
    (tmp_path / "p").mkdir()
    assert save_package(tmp_path / "p", tiny_package.manifest, files_of(tiny_package)).digest == tiny_package.digest


def test_a_crash_before_the_end_leaves_nothing(tiny_package, tmp_path, monkeypatch):
    def crash(draft: Path, target: Path, manifest: Manifest) -> None:
        assert {p.name for p in draft.iterdir()} == {"manifest.json", "model.onnx"}
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_publish", crash)
    with pytest.raises(KeyboardInterrupt):
        save_package(tmp_path / "p", tiny_package.manifest, files_of(tiny_package))
    assert list(tmp_path.iterdir()) == []


def test_a_manifest_that_does_not_describe_its_files_is_not_published(tiny_package, tmp_path):
    with pytest.raises(PackageError, match="does not describe"):
        save_package(tmp_path / "p", tiny_package.manifest, {"model.onnx": b"other"})
    assert list(tmp_path.iterdir()) == []


def test_twins_that_save_at_once_leave_one_whole_package(tiny_package, tmp_path):
    files, failures = files_of(tiny_package), []

    def save() -> None:
        try:
            save_package(tmp_path / "p", tiny_package.manifest, files)
        except PackageError as error:
            failures.append(error)

    twins = [threading.Thread(target=save) for _ in range(8)]
    for twin in twins:
        twin.start()
    for twin in twins:
        twin.join()
    assert not failures
    assert load_package(tmp_path / "p").digest == tiny_package.digest
    assert [p.name for p in tmp_path.iterdir()] == ["p"]
