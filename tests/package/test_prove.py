from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from geowatch.errors import BackendError
from geowatch.package import prove as module
from geowatch.package.backends import BackendSpec, open_reference
from geowatch.package.cache import CompiledCache
from geowatch.package.gate import gather_evidence
from geowatch.package.prove import Proving, known_verdict, prove, remember_seconds, verdict_key
from tests.package.networks import random_windows

SPEC = BackendSpec("onnxruntime")


def proving_of(package, cache, windows=None, **options):
    seen = {"x": random_windows((3, 2, 32, 32)) if windows is None else windows}
    return Proving(
        package,
        lambda size: gather_evidence(package.manifest, open_reference(package, threads=1), seen),
        cache,
        **options,
    )


def test_a_backend_that_passed_is_not_looked_at_again(tiny_package, tmp_path):
    cache = CompiledCache(tmp_path)
    first = prove(proving_of(tiny_package, cache), SPEC)
    never = Proving(tiny_package, lambda size: pytest.fail("looked again"), cache)
    assert prove(never, SPEC) == first
    # Neither its bytes nor its compiled form depend on these.
    assert prove(never, replace(SPEC, threads=2)) == first
    assert prove(never, replace(SPEC, batch=2)) == first


def test_another_setting_is_another_question(tiny_package, tmp_path):
    cache = CompiledCache(tmp_path)
    prove(proving_of(tiny_package, cache), SPEC)
    never = Proving(tiny_package, lambda size: (_ for _ in ()).throw(LookupError), cache)
    for other in (replace(SPEC, window_px=(64, 64)), replace(SPEC, precision="int8"), replace(SPEC, name="openvino")):
        assert known_verdict(never, other) is None


def test_on_an_accelerator_the_batch_is_part_of_the_question(tiny_package):
    there = replace(SPEC, name="tensorrt", device="cuda")
    keys = {verdict_key(tiny_package, replace(there, batch=n), None).digest for n in (1, 2)}
    assert len(keys) == 2


def test_another_version_of_the_library_is_another_question(tiny_package, tmp_path, monkeypatch):
    proving = proving_of(tiny_package, CompiledCache(tmp_path))
    prove(proving, SPEC)
    monkeypatch.setattr(module, "version", lambda name: "999")
    assert known_verdict(proving, SPEC) is None


def test_another_package_is_another_question(tiny_package, unet_package):
    assert verdict_key(tiny_package, SPEC, None).digest != verdict_key(unet_package, SPEC, None).digest


@pytest.mark.parametrize(("windows", "options"), [(np.zeros((2, 2, 32, 32), np.float32), {}), (None, {"real": False})])
def test_what_says_little_is_not_kept(tiny_package, tmp_path, windows, options):
    proving = proving_of(tiny_package, CompiledCache(tmp_path), windows, **options)
    assert prove(proving, SPEC).gate.passed
    assert known_verdict(proving, SPEC) is None


def test_a_refusal_is_not_kept(tiny_package, tmp_path, monkeypatch):
    proving = proving_of(tiny_package, CompiledCache(tmp_path))

    def refuse(*args, **_given):
        raise BackendError("differs")

    with monkeypatch.context() as patch:
        patch.setattr(module, "pass_gate", refuse)
        with pytest.raises(BackendError, match="differs"):
            prove(proving, SPEC)
    assert prove(proving, SPEC).gate.passed


def test_speed_is_noted_beside_the_verdict(tiny_package, tmp_path):
    proving = proving_of(tiny_package, CompiledCache(tmp_path))
    remember_seconds(proving, SPEC, 1.0)
    assert known_verdict(proving, SPEC) is None
    prove(proving, SPEC)
    remember_seconds(proving, SPEC, 0.25)
    remember_seconds(proving, replace(SPEC, threads=2), 0.125)
    assert known_verdict(proving, SPEC).seconds == {"1": 0.25, "2": 0.125}


def test_without_a_cache_nothing_is_known(tiny_package):
    proving = proving_of(tiny_package, None)
    assert prove(proving, SPEC).gate.passed
    assert known_verdict(proving, SPEC) is None
