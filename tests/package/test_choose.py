from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from geowatch.errors import BackendError
from geowatch.package import choose, open_backend, prove, tune
from geowatch.package.backends import BackendSpec, open_reference
from geowatch.package.cache import CompiledCache
from geowatch.package.choose import Asked, _ranked, autotune, candidates, choose_backend
from geowatch.package.gate import gather_evidence
from geowatch.package.prove import Proving, fixed_batch_of
from geowatch.package.tune import Cut, Timed
from tests.package.networks import random_windows

CUT = Cut((32, 32), (24, 24), 100)


@pytest.fixture
def proving(tiny_package):
    return proving_of(tiny_package)


def proving_of(package, cache=None, **options):
    manifest = package.manifest

    def evidence(size):
        windows = {i.name: random_windows((4, len(i.channels), *size)) for i in manifest.inputs}
        return gather_evidence(manifest, open_reference(package, threads=1), windows)

    return Proving(package, evidence, cache, **options)


class Stub:
    """A backend that takes as long as it is told and may answer wrongly."""

    def __init__(self, backend, clock, seconds, spoil=None):
        self.identity, self._backend = backend.identity, backend
        self._clock, self._seconds, self._spoil = clock, seconds, spoil
        self.runs = 0

    def run(self, inputs):
        n, _, height, width = next(iter(inputs.values())).shape
        self._clock.now += self._seconds * n * height * width / 32**2
        self.runs += 1
        raw = self._backend.run(inputs)
        return raw if self._spoil is None else {name: self._spoil(x) for name, x in raw.items()}

    def close(self):
        self._backend.close()


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def stage(monkeypatch):
    """Return a function that gives backends their speeds, and their faults."""
    clock = Clock()

    def arrange(seconds, spoil=None):
        opened = []

        def open_stub(package, spec, **options):
            name = (spec.name, spec.precision)
            if name not in seconds:
                raise BackendError(f"{name} was not expected")
            opened.append(spec)
            plain = replace(spec, name="onnxruntime", precision="fp32")
            backend = open_backend(package, plain)
            stub = Stub(backend, clock, seconds[name](spec), (spoil or {}).get(name))
            arrange.stubs.append(stub)
            stub.identity = replace(backend.identity, name=spec.name, precision=spec.precision)
            return stub

        monkeypatch.setattr(tune, "open_backend", open_stub)
        monkeypatch.setattr(prove, "open_backend", open_stub)
        monkeypatch.setattr(choose, "refusal_of", lambda p, s: None if (s.name, s.precision) in seconds else "not here")
        monkeypatch.setattr(tune.Race.__init__, "__defaults__", (clock,))
        return opened

    arrange.clock, arrange.stubs = clock, []
    return arrange


def at(seconds):
    return lambda spec: seconds


def wrong(raw):
    return -raw


def test_the_default_is_the_most_trusted_one_and_is_not_timed(proving):
    choice = choose_backend(proving, Asked(), CUT)
    assert (choice.identity.name, choice.identity.precision) == ("onnxruntime", "fp32")
    assert choice.gate.passed
    assert not choice.timed
    assert "agreement" in choice.reason


def test_the_default_is_passed_over_where_it_fails_the_gate_and_the_reason_is_told(proving, stage):
    stage({("onnxruntime", "fp32"): at(1), ("eager", "fp32"): at(1)}, {("onnxruntime", "fp32"): wrong})
    choice = choose_backend(proving, Asked(), CUT)
    assert choice.identity.name == "eager"
    assert "differs from the reference" in choice.refused["onnxruntime fp32"]


def test_a_backend_that_was_asked_for_is_refused_with_the_figures(proving, stage):
    stage({("onnxruntime", "fp32"): at(1), ("eager", "fp32"): at(1)}, {("onnxruntime", "fp32"): wrong})
    with pytest.raises(BackendError, match=r"agreement \d+\.\d+%") as caught:
        choose_backend(proving, Asked(name="onnxruntime"), CUT)
    assert "0.001" in caught.value.hint


def test_a_backend_that_cannot_run_the_package_says_why(tiny_package):
    with pytest.raises(BackendError, match="it computes in fp32, int8, not in bf16"):
        choose_backend(proving_of(tiny_package), Asked(name="onnxruntime", precision="bf16"), CUT)


def test_no_candidate_is_an_error_with_every_reason(proving, stage):
    stage(
        {("onnxruntime", "fp32"): at(1), ("eager", "fp32"): at(2)},
        {(n, "fp32"): wrong for n in ("onnxruntime", "eager")},
    )
    for find in (lambda: choose_backend(proving, Asked(), CUT), lambda: autotune(proving, Asked(), [CUT])):
        with pytest.raises(BackendError, match=r"onnxruntime fp32: .*differs.*eager fp32: .*differs"):
            find()


def test_measuring_takes_the_fastest_that_passes_and_the_table_names_all(proving, stage):
    stage({("onnxruntime", "fp32"): at(3e-3), ("openvino", "fp32"): at(2e-3), ("openvino", "bf16"): at(1e-3)})
    choice = autotune(proving, Asked(), [CUT])
    assert (choice.identity.name, choice.identity.precision) == ("openvino", "bf16")
    assert choice.reason.startswith("openvino bf16: 1.0 ms a window of 32 px (")
    table = "\n".join(choice.table)
    assert all(name in table for name in ("onnxruntime fp32", "openvino fp32", "openvino bf16"))
    assert "0.1 s in all" in table


def test_the_fastest_is_passed_over_where_it_fails_the_gate(proving, stage):
    speeds = {("onnxruntime", "fp32"): at(3e-3), ("openvino", "fp32"): at(2e-3), ("openvino", "bf16"): at(1e-3)}
    stage(speeds, {("openvino", "bf16"): wrong})
    choice = autotune(proving, Asked(), [CUT])
    assert (choice.identity.name, choice.identity.precision) == ("openvino", "fp32")
    assert "agreement" in choice.refused["openvino bf16"]
    assert any(line.startswith("openvino bf16") and "refused" in line for line in choice.table)


def test_a_precision_that_is_asked_for_is_the_only_one(proving, stage):
    stage({("onnxruntime", "fp32"): at(3e-3), ("openvino", "fp32"): at(2e-3), ("openvino", "bf16"): at(1e-3)})
    assert autotune(proving, Asked(precision="fp32"), [CUT]).identity.precision == "fp32"


def test_the_batch_that_does_best_is_advised_and_one_that_is_asked_for_is_kept(proving, stage):
    stage({("onnxruntime", "fp32"): lambda spec: 1e-3 + 1e-4 * abs(spec.batch - 8)})
    assert autotune(proving, Asked(), [CUT]).spec.batch == 8
    assert autotune(proving, Asked(batch=1), [CUT]).spec.batch == 1


def test_larger_windows_win_where_the_whole_of_the_imagery_takes_less_time(proving, stage):
    stage({("onnxruntime", "fp32"): at(1e-3)})
    larger = [Cut((64, 64), (56, 56), 20), Cut((128, 128), (120, 120), 9)]  # 20 x 4 ms, 9 x 16 ms against 100 x 1 ms
    choice = autotune(proving, Asked(), [CUT, *larger])
    assert (choice.cut.size, choice.identity.name) == ((64, 64), "onnxruntime")
    assert "window    64 px" in choice.table[0]


def test_of_what_is_about_as_fast_the_smallest_windows_at_once_are_taken():
    def timed(side, batch, seconds):
        return Timed(BackendSpec("openvino", batch=batch), Cut((side, side), (side, side), 1), seconds)

    small, quick, large, slow = timed(512, 1, 1.03), timed(256, 4, 1.02), timed(1024, 4, 1.0), timed(256, 1, 1.2)
    assert _ranked([slow, large, small, quick]) == [quick, small, large, slow]
    assert _ranked([timed(256, 4, 1.1), large]) == [large, timed(256, 4, 1.1)]


def test_larger_windows_that_answer_otherwise_are_not_taken(proving, stage, monkeypatch):
    stage({("onnxruntime", "fp32"): at(1e-3)})
    monkeypatch.setattr(prove, "MIDDLE_AGREEMENT", 1.01)
    choice = autotune(proving, Asked(), [CUT, Cut((64, 64), (56, 56), 20)])
    assert choice.cut == CUT
    assert any("answer otherwise than of 32 px" in why for why in choice.refused.values())


@pytest.mark.parametrize(("seconds", "runs"), [(1.0, 1), (2e-3, 2)])
def test_who_is_far_behind_is_not_run_again(proving, stage, seconds, runs):
    stage({("onnxruntime", "fp32"): at(1e-3), ("eager", "fp32"): at(seconds)})
    choice = autotune(proving, Asked(batch=4), [CUT])
    assert [stub.runs for stub in stage.stubs if stub.identity.name == "eager"] == [runs]
    assert [t.spec.name for t in choice.timed] == ["onnxruntime", "eager"]


def test_measuring_ends_when_its_time_is_up(proving, stage):
    opened = stage({("onnxruntime", "fp32"): at(1.0), ("openvino", "fp32"): at(1.0), ("eager", "fp32"): at(1.0)})
    choice = autotune(proving, Asked(), [CUT], budget_s=5)
    assert choice.identity.name == "onnxruntime"
    assert len({spec.name for spec in opened}) == 2  # the second one's warm-up was over the budget


def test_what_compiles_for_minutes_is_left_out_unless_it_is_cached_or_asked_for(proving, stage, monkeypatch, tmp_path):
    stage({("onnxruntime", "fp32"): at(2e-3), ("inductor", "fp32"): at(1e-3)})
    monkeypatch.setattr(choose, "is_slow", lambda name: name == "inductor")
    choice = autotune(proving, Asked(), [CUT])
    assert choice.identity.name == "onnxruntime"
    assert choice.left_out == ("inductor fp32",)
    assert "--jit all" in choice.table[-1]
    assert autotune(proving, Asked(slow=True), [CUT]).identity.name == "inductor"
    cache = CompiledCache(tmp_path)
    key = replace(prove.verdict_key(proving.package, candidates(proving.package, Asked())[0], None), backend="inductor")
    cache.artifact(key, lambda folder: (folder / "network").write_bytes(b"compiled"))
    assert autotune(replace(proving, cache=cache), Asked(), [CUT]).identity.name == "inductor"


def test_the_same_question_is_answered_from_the_cache(tiny_package, stage, tmp_path):
    opened = stage({("onnxruntime", "fp32"): at(2e-3), ("openvino", "bf16"): at(1e-3)})
    proving = proving_of(tiny_package, CompiledCache(tmp_path))
    first = autotune(proving, Asked(), [CUT])
    del opened[:]
    again = autotune(replace(proving, evidence=lambda size: pytest.fail("looked again")), Asked(), [CUT])
    assert (again.identity, again.spec, again.cut) == (first.identity, first.spec, first.cut)
    assert not opened
    assert again.reason == "openvino bf16: passed the gate before"
    autotune(proving, Asked(threads=2), [CUT])
    assert opened  # another question


def test_a_choice_on_made_up_windows_is_not_kept(tiny_package, stage, tmp_path):
    stage({("onnxruntime", "fp32"): at(2e-3)})
    cache = CompiledCache(tmp_path)
    autotune(proving_of(tiny_package, cache, real=False), Asked(), [CUT])
    assert not list(tmp_path.rglob("verdicts/*/*"))


class Leaky:
    """A backend whose output depends on the batch."""

    def __init__(self, backend, leak):
        self.identity, self._backend, self._leak = backend.identity, backend, leak

    def run(self, inputs):
        return {name: self._leak(raw) for name, raw in self._backend.run(inputs).items()}


def on_size(raw):
    return raw if len(raw) == 1 else np.nextafter(raw, np.float32(9))


def on_place(raw):
    raw = raw.copy()
    raw[1:2] = np.nextafter(raw[1:2], np.float32(9))
    return raw


def test_a_free_backend_stays_free(tiny_package):
    backend = open_backend(tiny_package, "onnxruntime", threads=1)
    assert fixed_batch_of(backend, {"x": random_windows((3, 2, 32, 32))}) is None


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("leak", [on_size, on_place])
def test_a_backend_whose_last_bit_depends_on_the_batch_runs_one_by_one(tiny_package, leak, count):
    backend = Leaky(open_backend(tiny_package, "onnxruntime", threads=1), leak)
    assert fixed_batch_of(backend, {"x": random_windows((count, 2, 32, 32))}) == 1
