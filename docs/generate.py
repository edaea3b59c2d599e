"""Write docs/reference and docs/concepts/drawings from the code.

``python docs/generate.py`` writes them; the tests compare what is committed with what would be written now.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import re
import sys
import textwrap
import typing
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import click
from pydantic import BaseModel

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS))

from drawings import drawings  # noqa: E402  # lies beside this file
from time_drawings import time_drawings  # noqa: E402
from tracking_drawings import tracking_drawings  # noqa: E402  # lies beside this file

import geowatch  # noqa: E402
from geowatch import errors  # noqa: E402
from geowatch.read import names, sensors  # noqa: E402
from gw_cli import coerce  # noqa: E402
from gw_cli.lazy import GwCommand, LazyGroup  # noqa: E402
from gw_cli.main import cli  # noqa: E402

WRITTEN_BY = "<!-- Written by docs/generate.py (make docs); do not edit. -->"

MANIFEST = "geowatch.package.manifest:Manifest"
DOCUMENTS = {
    "geowatch.grid.document:PlanDocument": ("plan/plan.json", "The plan of a run, written by `gw tile`."),
    "geowatch.predict.recipe:Recipe": ("recipe.json", "The numerics of a run, pinned by its first predict."),
    "geowatch.track.document:Tracking": ("track.json", "What fragments were searched for, written by `gw track`."),
    "geowatch.store.markers:Marker": ("markers/", "One file for each finished tile."),
    "geowatch.stages.binding.aligned:AlignedDocument": ("cube.json", "Where the frames of a run are aligned."),
    "geowatch.read.cubemarkers:BlockMarker": ("markers/ of a cube", "One file for each finished block of a frame."),
    "geowatch.stages.sites.record:SiteRecord": (
        "sites.json",
        "What sites are made of, and each of their files, written last by `gw consolidate`.",
    ),
    "geowatch.stages.sites.ongoing:History": ("sites/history.json", "What a later run must know, for `--previous`."),
    "geowatch.consolidate.phase_document:PhaseDocument": (
        "phases.yaml",
        "A model of phases and how they follow each other, for `gw consolidate --transitions`.",
    ),
    "geowatch.grid.estimate:Rates": ("rates.json", "Speeds and prices of machines, for `gw tile --rates`."),
}


def pages() -> dict[Path, str]:
    """Give every generated file with its text."""
    made = {
        "reference/cli.md": cli_page(),
        "reference/configuration.md": configuration_page(),
        "reference/errors.md": errors_page(),
        "reference/python.md": python_page(),
        "reference/bands.md": bands_page(),
        "reference/manifest.md": models_page("The package manifest", {MANIFEST: ("manifest.json", "")}),
        "reference/documents.md": models_page("Documents of a run folder", DOCUMENTS),
    }
    drawn = {f"concepts/drawings/{name}.svg": text for name, text in drawings().items()}
    drawn |= {f"concepts/drawings/{name}.svg": drawing.svg() for name, drawing in tracking_drawings().items()}
    drawn |= {f"concepts/drawings/{name}.svg": drawing.svg() for name, drawing in time_drawings().items()}
    return {DOCS / name: text for name, text in (made | drawn).items()}


def commands(group: LazyGroup = cli, above: str = "gw") -> Iterator[tuple[str, click.Command]]:
    """Walk every command with the words that call it."""
    for name in group.commands_help:
        found = group.get_command(click.Context(group), name)
        if isinstance(found, LazyGroup):
            yield f"{above} {name}", found
            yield from commands(found, f"{above} {name}")
        elif found is not None:
            yield f"{above} {name}", found


def cli_page() -> str:
    """Write the help of every command."""
    parts = ["# Command line", "", WRITTEN_BY, "", "```text", _help(cli, "gw"), "```"]
    for words, command in commands():
        parts += ["", f"## {words}", "", "```text", _help(command, words), "```"]
    return "\n".join(parts) + "\n"


def _help(command: click.Command, words: str) -> str:
    context = click.Context(command, info_name=words, terminal_width=100, max_content_width=100)
    return "\n".join(line.rstrip() for line in command.get_help(context).splitlines()).strip()


def configuration_page() -> str:
    """Write the keys that ``--config`` and ``--set`` take, command by command."""
    parts = ["# Configuration", "", WRITTEN_BY, ""]
    parts += [
        "Keys of `--config file.yaml` and `--set key=value`. Later ones win: defaults, the file, `--set`,",
        "options. The unit at the end of a key may be left out, and so may what a key lies in: `memory` is",
        "`memory_bytes`, `max_cloud` is `imagery.max_cloud`, and in `gw run` the `run` of all three stages.",
    ]
    for words, command in commands():
        if isinstance(command, GwCommand) and command.config:
            parts += ["", f"## {words}", "", *_table(config_rows(command.config_class()), "key")]
    return "\n".join(parts) + "\n"


def config_rows(kind: type[Any], above: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Give key, type, default and meaning of each field of a configuration."""
    meanings, hints = field_docs(kind), coerce.field_types(kind)
    for field in dataclasses.fields(kind):
        default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        if dataclasses.is_dataclass(default) and not isinstance(default, type):
            yield from config_rows(type(default), f"{above}{field.name}.")
        else:
            shown = "required" if default is dataclasses.MISSING else _plain(default)
            yield (
                f"{above}{field.name}",
                _type(field.type, hints[field.name]),
                shown,
                meanings.get(field.name, ""),
            )


def python_page() -> str:
    """Write the stages as functions: what they take, give and raise."""
    parts = ["# Python", "", WRITTEN_BY, ""]
    parts += ["`import geowatch` gives these. All but `open_sampler` take the frozen configuration of a command"]
    parts += ["([keys](configuration.md)) and do what the command does; progress goes to `events`."]
    stages = sorted(name for name in geowatch.__all__ if inspect.isfunction(getattr(geowatch, name)))
    for name in stages:
        stage = getattr(geowatch, name)
        parts += ["", f"## geowatch.{name}", "", "```text", _signature(stage), "```", ""]
        parts += [_bullets(inspect.cleandoc(stage.__doc__ or "")).replace("``", "`")]
        kind = vars(sys.modules[stage.__module__]).get(stage.__annotations__["return"])
        if dataclasses.is_dataclass(kind) and kind.__module__ == stage.__module__:
            parts += ["", f"Gives a `{kind.__name__}`:", "", *_result_rows(kind)]
    return "\n".join(parts) + "\n"


def _signature(function: Callable[..., object]) -> str:
    """Write a signature without the quotes that postponed annotations have."""
    return function.__name__ + re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(function)))


def _bullets(text: str) -> str:
    """Write the list of what is raised as a list."""
    before, raises, after = text.partition("Raises:\n")
    return f"{before}{raises}\n" + re.sub(r"^ {4}(?=\S)", "- ", after, flags=re.MULTILINE) if raises else text


def _result_rows(kind: type[Any]) -> Iterator[str]:
    meanings = field_docs(kind)
    yield from ("| field | type | meaning |", "| --- | --- | --- |")
    for name, written in field_types(kind).items():
        yield f"| `{name}` | {_code(written.replace('|', chr(92) + '|'))} | {meanings.get(name, '')} |"


def errors_page() -> str:
    """Write the tree of errors, and what each means."""
    tree = (errors.__doc__ or "").split("::\n", 1)[1]
    parts = ["# Errors and exit codes", "", WRITTEN_BY, ""]
    parts += ["| exit code | what it means |", "| --- | --- |"]
    parts += [f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()]
    parts += ["", "```text", textwrap.dedent(tree).strip("\n"), "```"]
    for name in errors.__all__:
        kind = getattr(errors, name)
        parts += ["", f"## {name}", "", f"Exit code {kind.exit_code}. {inspect.cleandoc(kind.__doc__ or '')}"]
    return "\n".join(parts) + "\n"


def bands_page() -> str:
    """Write the names of bands, and the sensors whose numbers are known."""
    parts = ["# Bands and sensors", "", WRITTEN_BY, "", "## Common names", ""]
    parts += ["| common name | Sentinel-2 | Landsat 8, 9 | Landsat 4 to 7 |", "| --- | --- | --- | --- |"]
    tables = (names.SENTINEL_2, names.LANDSAT_OLI, names.LANDSAT_TM)
    order = dict.fromkeys(name for table in tables for name in table.values())
    for name in [*order, *sorted(names.COMMON_NAMES - set(order))]:
        bands = (", ".join(band for band, common in table.items() if common == name) for table in tables)
        parts.append(f"| `{name}` | {' | '.join(bands)} |")
    parts += ["", "## Sensors", "", "What `--sensor` takes, and what it says of the stored numbers.", ""]
    parts += ["| sensor | scale | offset | nodata | needs the sun's elevation |", "| --- | --- | --- | --- | --- |"]
    for preset in sensors.PRESETS.values():
        row = (f"{preset.scale:g}", f"{preset.offset:g}", f"{preset.nodata:g}", "yes" if preset.needs_sun else "no")
        parts.append(f"| `{preset.name}` | {' | '.join(row)} |")
    return "\n".join(parts) + "\n"


EXIT_CODES = {
    0: "done",
    1: "failed; what was finished stays finished",
    2: "what was asked for cannot be done as asked",
    75: "stopped on request; the same command goes on",
}


def models_page(title: str, names: dict[str, tuple[str, str]]) -> str:
    """Write the keys of documents, and of the documents within them."""
    parts = [f"# {title}", "", WRITTEN_BY]
    for name, (file, about) in names.items():
        module, _, attribute = name.partition(":")
        model = getattr(importlib.import_module(module), attribute)
        parts += ["", f"## {file}", "", about or _paragraph(importlib.import_module(module).__doc__)]
        for part in _models(model):
            parts += ["", f"### {part.__name__}", "", _paragraph(part.__doc__), ""]
            parts += _table(_model_rows(part), "key")
    return "\n".join(parts) + "\n"


def _models(model: type[Any], seen: list[type[Any]] | None = None) -> list[type[Any]]:
    """List a document and those that it holds, in the order of reading."""
    found = [] if seen is None else seen
    if model not in found:
        found.append(model)
        for hint in typing.get_type_hints(model).values():
            for inner in _inside(hint):
                _models(inner, found)
    return found


def _inside(hint: Any) -> Iterator[type[Any]]:  # noqa: ANN401
    if isinstance(hint, type) and (issubclass(hint, BaseModel) or dataclasses.is_dataclass(hint)):
        yield hint
    for part in getattr(hint, "__args__", ()):
        yield from _inside(part)


def _model_rows(model: type[Any]) -> Iterator[tuple[str, str, str, str]]:
    """Give key, type, default and meaning of each key of a document."""
    if not issubclass(model, BaseModel):
        yield from config_rows(model)
        return
    meanings = {"schema_version": "Version of this form."} | field_docs(model)
    hints = field_types(model)
    for name, field in model.model_fields.items():
        shown = "required" if field.is_required() else _plain(field.get_default(call_default_factory=True))
        yield field.alias or name, hints.get(name, ""), shown, meanings.get(name, field.description or "")


def _table(rows: Iterator[tuple[str, str, str, str]], first: str) -> list[str]:
    lines = [f"| {first} | type | default | meaning |", "| --- | --- | --- | --- |"]
    for row in rows:
        key, kind, default, meaning = (cell.replace("|", "\\|") for cell in row)
        lines.append(f"| `{key}` | {_code(kind)} | {_code(default)} | {meaning.replace('``', '`')} |")
    return lines


def _code(text: str) -> str:
    return text if text == "required" or not text else f"`{text}`"


def _plain(value: object) -> str:
    """Write a default as YAML would."""
    words = {None: "null", True: "true", False: "false", (): "[]"}
    if isinstance(value, bool | None) or value == ():
        return words[value]  # type: ignore[index]
    if isinstance(value, BaseModel):
        return "as below"
    return str(list(value) if isinstance(value, tuple) else value)


def _type(written: object, hint: object) -> str:
    """Write a type as the code does, but a choice as its values."""
    if typing.get_origin(hint) is Literal:
        return " | ".join(str(choice) for choice in typing.get_args(hint))
    return str(written) if isinstance(written, str) else getattr(written, "__name__", str(written))


def _paragraph(text: str | None) -> str:
    """Give the first paragraph of a docstring, on one line."""
    return " ".join(inspect.cleandoc(text or "").split("\n\n")[0].split()).replace("``", "`")


def field_docs(kind: type[Any]) -> dict[str, str]:
    """Read the docstring under each field of a class and of those it comes from."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        body = _class_body(base)
        for field, text in pairwise(body):
            said = text.value if isinstance(text, ast.Expr) else None
            if isinstance(field, ast.AnnAssign) and isinstance(said, ast.Constant):
                found[ast.unparse(field.target)] = " ".join(str(said.value).split())
    return found


def field_types(kind: type[Any]) -> dict[str, str]:
    """Read the types of the fields of a class, as they are written."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        for field in _class_body(base):
            if isinstance(field, ast.AnnAssign):
                found[ast.unparse(field.target)] = re.sub(r"\s+", " ", ast.unparse(field.annotation))
    return found


def _class_body(kind: type[Any]) -> list[ast.stmt]:
    if not kind.__module__.startswith(("geowatch", "gw_cli")):
        return []
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    return tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []


def main() -> None:
    """Write every page that has changed."""
    for path, text in pages().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(path.relative_to(DOCS.parent))


if __name__ == "__main__":
    main()
