from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from geowatch.errors import BackendError
from geowatch.package import Package, open_backend
from geowatch.package.backends import BackendSpec, torch_compile
from geowatch.package.backends.aotinductor import LIBRARY
from geowatch.package.cache import CompiledCache
from tests.package.backend_conformance import BackendConformance

pytestmark = pytest.mark.skipif(torch_compile.compiler_refusal("cpu") is not None, reason="no C++ compiler")

SPEC = BackendSpec("aotinductor")


class TestOnImportedGraph(BackendConformance):
    name = "aotinductor"

    @pytest.fixture(scope="class")
    @classmethod
    def cache(cls, filled: CompiledCache) -> CompiledCache:
        return filled

    @pytest.fixture
    def package(self, tiny_package: Package) -> Package:
        return tiny_package

    @pytest.mark.skip("one compilation more; `test_inductor` runs without a cache")
    def test_without_a_cache_the_bytes_are_the_same(self):
        """A private folder holds the same library."""


class TestOnRegistryNetInBf16(BackendConformance):
    name = "aotinductor"
    precision = "bf16"

    @pytest.fixture
    def package(self, unet_package: Package) -> Package:
        return unet_package

    @pytest.mark.skip("one compilation more; `test_inductor` runs without a cache")
    def test_without_a_cache_the_bytes_are_the_same(self):
        """A private folder holds the same library."""

    @pytest.mark.skip("one compilation more; shown on the imported graph")
    def test_threads_are_named_where_the_bytes_depend_on_them(self):
        """Threads are part of the key."""

    @pytest.mark.skip("one compilation more; shown on the imported graph")
    def test_a_fixed_batch_changes_no_shape_and_no_caller(self):
        """The batch is part of the key."""


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory, tiny_package: Package) -> CompiledCache:
    """A cache with the library of the small network."""
    cache = CompiledCache(tmp_path_factory.mktemp("filled"))
    open_backend(tiny_package, SPEC, cache=cache).close()
    return cache


def test_a_second_process_starts_from_the_cache_without_a_compiler(tiny_package, filled):
    script = (
        "import sys; from pathlib import Path\n"
        "from geowatch.package import load_package, open_backend\n"
        "from geowatch.package.backends import BackendSpec\n"
        "from geowatch.package.cache import CompiledCache\n"
        f"cache = CompiledCache(Path({str(filled.folder)!r}))\n"
        f"open_backend(load_package({str(tiny_package.path)!r}), BackendSpec('aotinductor'), cache=cache)\n"
        "assert not {'torch._inductor', 'torch._dynamo'} & set(sys.modules), 'the compiler was imported'"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120, env={"PATH": "/nowhere"})


def test_a_damaged_library_is_never_loaded(tiny_package, filled, tmp_path, monkeypatch):
    shutil.copytree(filled.folder, tmp_path / "cache")
    cache = CompiledCache(tmp_path / "cache")
    for library in cache.folder.rglob(LIBRARY):
        library.write_bytes(library.read_bytes()[:-1] + b"!")
    built = []
    monkeypatch.setattr(
        "geowatch.package.backends.aotinductor.AotInductorBackend._compile",
        lambda self, tensors, folder: built.append(shutil.copy(next(filled.folder.rglob(LIBRARY)), folder)),
    )
    open_backend(tiny_package, SPEC, cache=cache).close()
    assert len(built) == 1


def test_without_a_compiler_it_says_what_is_missing(tiny_package, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackendError, match=r"needs the C\+\+ compiler g\+\+"):
        open_backend(tiny_package, SPEC, cache=CompiledCache(tmp_path / "cache"))
    with pytest.raises(BackendError, match=r"needs the C\+\+ compiler g\+\+"):
        open_backend(tiny_package, replace(SPEC, name="inductor"))


def test_the_compiler_leaves_nothing_behind(tiny_package, filled, tmp_path, monkeypatch):
    """Its own caches lie in a folder that goes: an entry is the library and its record."""
    entry = next(filled.folder.rglob(LIBRARY)).parent
    assert {p.name for p in entry.iterdir()} == {LIBRARY, "artifact.json"}


def test_another_package_finds_nothing_of_the_first(tiny_package, filled, unet_package):
    from geowatch.package.backends.torch_common import identity_of, torch_key

    identity = identity_of("aotinductor", tiny_package, SPEC, batch=1)
    key = torch_key(tiny_package, identity, ((1, 2, 32, 32),))
    assert filled.holds(key)
    assert not filled.holds(replace(key, package=unet_package.digest))
    assert not filled.holds(torch_key(tiny_package, replace(identity, precision="bf16"), ((1, 2, 32, 32),)))
    assert not filled.holds(torch_key(tiny_package, replace(identity, threads=3), ((1, 2, 32, 32),)))
    assert not filled.holds(torch_key(tiny_package, identity, ((1, 2, 64, 32),)))
    assert not filled.holds(torch_key(tiny_package, replace(identity, version="0"), ((1, 2, 32, 32),)))
