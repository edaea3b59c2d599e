"""What a user writes in a file, after ``--set`` and as options becomes one configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal

import pytest

from geowatch.errors import ConfigError
from gw_cli.configuration import Layer, build, from_file, from_settings


@dataclass(frozen=True)
class Scenes:
    scale: float | None = None
    dates: tuple[date, ...] = ()
    sun_elevation_deg: float | None = None


@dataclass(frozen=True)
class Work:
    run: Path
    images: tuple[Path, ...] = ()
    scenes: Scenes = field(default_factory=lambda: Scenes(scale=0.5))
    blend: Literal["hann", "linear"] = "hann"
    window: tuple[int, int] = (256, 256)
    overlap: float = 0.25
    memory_bytes: int | None = None
    jit: str | None = None
    force: bool = False
    colors: dict[str, str] = field(default_factory=dict)


def options(**values: object) -> Layer:
    return Layer("options", {"run": Path("r"), **values})


def test_options_win_over_settings_which_win_over_the_file(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("run: here\nblend: linear\noverlap: 0.5\nwindow: [64, 32]\n")
    layers = [
        from_file(file),
        from_settings(["overlap=0.125", "window=128"]),
        Layer("options", {"window": (8, 8)}),
    ]
    assert build(Work, layers) == Work(run=Path("here"), blend="linear", overlap=0.125, window=(8, 8))


def test_an_empty_file_changes_nothing(tmp_path):
    (tmp_path / "c.yaml").write_text("# nothing yet\n")
    assert build(Work, [from_file(tmp_path / "c.yaml"), options()]) == Work(run=Path("r"))


def test_a_key_may_drop_its_unit_and_the_name_of_what_it_lies_in():
    made = build(Work, [from_settings(["memory=2GB", "sun-elevation=31.5", "scenes.dates=2020-06-01"]), options()])
    assert made.memory_bytes == 2 * 10**9
    assert made.scenes == Scenes(scale=0.5, dates=(date(2020, 6, 1),), sun_elevation_deg=31.5)


def test_nested_keys_of_a_file_keep_the_other_defaults(tmp_path):
    (tmp_path / "c.yaml").write_text("scenes:\n  dates: [2020-06-01, 2020-06-11]\ncolors: {cloud: '#fff'}\n")
    made = build(Work, [from_file(tmp_path / "c.yaml"), options()])
    assert made.scenes == Scenes(scale=0.5, dates=(date(2020, 6, 1), date(2020, 6, 11)))
    assert made.colors == {"cloud": "#fff"}


@pytest.mark.parametrize(
    ("settings", "field_name", "value"),
    [
        (["force=true"], "force", True),
        (["force=no"], "force", False),
        (["jit=none"], "jit", None),
        (["jit=eager"], "jit", "eager"),
        (["images=a.tif,b.tif"], "images", (Path("a.tif"), Path("b.tif"))),
        (["window=[64, 32]"], "window", (64, 32)),
        (["overlap=64"], "overlap", 64.0),
        (["memory=null"], "memory_bytes", None),
        (["colors={a: b}"], "colors", {"a": "b"}),
    ],
)
def test_settings_are_read_as_the_type_of_their_field(settings, field_name, value):
    assert getattr(build(Work, [from_settings(settings), options()]), field_name) == value


@dataclass(frozen=True)
class Line:
    first: Work
    second: Work


def test_a_key_of_several_parts_reaches_all_of_them_and_the_nearer_name_wins(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("second: {run: other}\nrun: here\nscenes: {scale: 2}\nblend: linear\n")
    made = build(Line, [from_file(file), Layer("options", {"overlap": 0.5})])
    assert (made.first.run, made.second.run) == (Path("here"), Path("other"))
    assert made.first.scenes.scale == made.second.scenes.scale == 2
    assert made.first.blend == made.second.blend == "linear"
    assert made.first.overlap == made.second.overlap == 0.5


def test_a_misspelt_key_names_the_nearest(tmp_path):
    (tmp_path / "c.yaml").write_text("blnd: hann\n")
    with pytest.raises(ConfigError, match=r"c\.yaml: unknown key 'blnd'") as caught:
        build(Work, [from_file(tmp_path / "c.yaml"), options()])
    assert caught.value.hint == "did you mean 'blend'?"


def test_a_key_like_no_other_lists_the_known_ones():
    with pytest.raises(ConfigError) as caught:
        build(Work, [from_settings(["zzz=1"]), options()])
    assert caught.value.hint.startswith("known keys: blend, colors,")


@pytest.mark.parametrize(
    ("text", "fact", "hint"),
    [
        ("blend: hann2", "blend is 'hann2'", "give one of hann, linear"),
        ("overlap: much", "overlap is 'much'", "give a number"),
        ("overlap: true", "overlap is True", "give a number"),
        ("window: [1, 2, 3]", r"window is \[1, 2, 3\]", "give 2 values"),
        ("force: 1", "force is 1", "give true or false"),
        ("memory_bytes: lots", "memory_bytes is 'lots'", "give a size such as 2GB or nothing"),
        ("scenes: {dates: [soon]}", "scenes.dates is", "give a date such as 2020-06-01"),
        ("jit: 3", "jit is 3", "give text or nothing"),
        ("scenes: 3", "scenes is 3", "give a Scenes"),
    ],
)
def test_a_value_of_the_wrong_type_says_what_is_expected(tmp_path, text, fact, hint):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigError, match=fact) as caught:
        build(Work, [from_file(tmp_path / "c.yaml"), options()])
    assert caught.value.hint == hint


def test_a_missing_value_names_its_option():
    with pytest.raises(ConfigError, match="run is not given") as caught:
        build(Work, [])
    assert "--run" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "fact"), [("a: [", "is not YAML"), ("- a\n- b", "holds list, not keys"), (None, "cannot read")]
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path, text, fact):
    path = tmp_path / "c.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=fact):
        from_file(path)


def test_a_file_that_would_run_code_is_refused(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("run: !!python/object/apply:os.system ['true']\n")
    with pytest.raises(ConfigError, match="is not YAML"):
        from_file(path)


@pytest.mark.parametrize("setting", ["blend", "=3", ""])
def test_a_setting_without_key_or_value_is_refused(setting):
    with pytest.raises(ConfigError, match="--set got"):
        from_settings([setting])


def test_an_option_gives_keys_with_values_as_yaml():
    assert build(Work, [options(colors="{sea: blue, land: green}")]).colors == {"sea": "blue", "land": "green"}
    for text in ("red", "{sea: ["):
        with pytest.raises(ConfigError, match="colors"):
            build(Work, [options(colors=text)])
