from __future__ import annotations

import ast
import inspect
import json
from itertools import pairwise

import pytest
from pydantic import ValidationError

from geowatch.package import HeadSpec, InputSpec, Manifest, WindowSpec
from geowatch.package import manifest as manifest_module
from geowatch.package import steps as steps_module
from geowatch.package.colors import default_colors
from geowatch.package.manifest import FileRecord, SeriesSpec

RECORD = FileRecord(sha256="0" * 64, bytes=1)


def manifest(**changes: object) -> Manifest:
    fields = {
        "name": "m",
        "inputs": (InputSpec(name="x", tensor="x", bands=("red", "nir")),),
        "window": WindowSpec(size=(32, 32)),
        "heads": (HeadSpec(name="y", output="y", classes=("a", "b")),),
        "files": {"model.onnx": RECORD},
    }
    return Manifest(**(fields | changes))


def test_it_survives_the_disk():
    assert Manifest.model_validate_json(manifest().document()) == manifest()


def test_bands_are_the_union_in_order_and_dates_are_counted():
    two = (
        InputSpec(name="b", tensor="b", bands=("nir", "red"), date=0),
        InputSpec(name="a", tensor="a", bands=("red", "blue"), date=1),
    )
    assert manifest(inputs=two).bands == ("nir", "red", "blue")
    assert manifest(inputs=two).dates == 2


def test_every_field_of_every_document_is_described():
    for module in (manifest_module, steps_module):
        for kind in ast.parse(inspect.getsource(module)).body:
            body = kind.body if isinstance(kind, ast.ClassDef) else []
            for statement, after in pairwise([*body, None]):
                if isinstance(statement, ast.AnnAssign):
                    text = getattr(getattr(after, "value", None), "value", None)
                    assert isinstance(text, str), f"{kind.name}.{statement.target.id}"


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        ({"files": {}}, r"no model\.onnx"),
        ({"inputs": (InputSpec(name="x", tensor="x", bands=("red",), date=1),)}, "without a gap"),
        ({"heads": (HeadSpec(name="y", output="y", classes=("a",)),) * 2}, "same name"),
        ({"name": "../up"}, "name"),
        ({"files": {"model.onnx": RECORD, "../x": RECORD}}, "files"),
        ({"surprise": 1}, "surprise"),
        ({"resolution_m": float("nan")}, "finite"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(change, fact):
    with pytest.raises(ValidationError, match=fact):
        manifest(**change)


@pytest.mark.parametrize(
    "head",
    [
        {"classes": ("a", "b", "c"), "activation": "binary"},
        {"classes": ("a", "b"), "layout": "NHW"},
        {"classes": ("a", "b"), "colors": ("#ffffff",)},
        {"classes": ("a",), "colors": ("white",)},
        {"classes": ()},
        {"classes": ("a",), "reduction": 3},
    ],
)
def test_a_head_that_contradicts_itself_is_refused(head):
    with pytest.raises(ValidationError):
        HeadSpec(name="y", output="y", **head)


def test_windows_are_fixed_or_multiples():
    assert WindowSpec(size=(32, 48)).accepts((32, 48))
    assert not WindowSpec(size=(32, 48)).accepts((48, 32))
    free = WindowSpec(size=(32, 48), fixed=False, multiple_of=16)
    assert free.accepts((16, 160))
    assert not free.accepts((24, 32))
    assert not free.accepts((0, 32))
    with pytest.raises(ValidationError, match="no multiple"):
        WindowSpec(size=(30, 32), multiple_of=16)


def test_the_digest_follows_every_field_but_the_time():
    assert manifest(created="now").digest == manifest().digest
    document = json.loads(manifest().canonical())
    assert "created" not in document
    for change in ({"version": "2"}, {"license": "MIT"}, {"batch": 1}, {"gflop_per_window": 1.0}):
        assert manifest(**change).digest != manifest().digest


def test_classes_have_names_in_any_script_and_break_no_line_and_no_list():
    names = ("No Activity", "Gebäude", "建物", 'Błonia "x" = <b>', "_", "5", "a" * 128)
    assert HeadSpec(name="y", output="y", classes=names).classes == names
    for odd in ("", " a", "a ", "a,b", "a\nb", "a\x00", "a" * 129, "\u00a0a"):
        with pytest.raises(ValidationError):
            HeadSpec(name="y", output="y", classes=(odd, "b"))


def test_known_classes_get_their_colours_and_others_differ():
    colors = default_colors(("background", "Cloud", "cloud_shadow", "x", "y", "z"))
    assert colors[0] == "#00000000"
    assert len(set(colors)) == 6
    assert default_colors(tuple(f"c{i}" for i in range(30)))[29]


def test_packages_made_before_there_were_series_keep_their_digest():
    old = Manifest(
        name="m",
        inputs=(InputSpec(name="x", tensor="x", bands=("red",), mean=(0.5,), std=(0.25,)),),
        window=WindowSpec(size=(32, 32)),
        heads=(HeadSpec(name="scores", output="y", classes=("a", "b")),),
        files={"model.onnx": RECORD},
    )
    assert old.digest == "3bc556ed77920bf1c8b7255297475b68924ca2553f9bce7ced081a6fe6725d61"
    assert b"series" not in old.document()
    assert b"domain" not in old.document()


def test_a_series_is_part_of_the_package_and_survives_the_disk():
    series = SeriesSpec(sampling="soft-dilated", span_days=400, anchor=0.5, step_days=30, quota={"landsat-8-l2": 2})
    package = manifest(series=series)
    assert Manifest.model_validate_json(package.document()) == package
    assert package.digest != manifest().digest


def test_a_dilated_sampling_without_a_span_is_refused():
    with pytest.raises(ValidationError, match="needs a span of days"):
        SeriesSpec(sampling="uniform")
    assert SeriesSpec(sampling="contiguous").span_days is None
