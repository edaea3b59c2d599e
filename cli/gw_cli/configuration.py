"""From layers of values to a frozen configuration: defaults < file < ``--set`` < options.

A configuration is a frozen dataclass, whose fields may be dataclasses again. A key is a field's name; the
unit at its end may be left out (``memory`` for ``memory_bytes``), and so may what the field lies in:
``scale`` names every ``scale`` there is.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin

import yaml

from geowatch.errors import ConfigError
from gw_cli.coerce import MismatchError, Text, coerce, field_types

__all__ = ["Layer", "build", "field_paths", "fields_of", "from_file", "from_settings"]

C = TypeVar("C")
FieldPath = tuple[str, ...]

_MISSING = dataclasses.MISSING
UNITS = ("_px", "_m", "_deg", "_days", "_bytes", "_s")


@dataclass(frozen=True)
class Layer:
    """Values from one place."""

    origin: str
    """Where they stand, for errors."""
    values: Mapping[str, object]
    """By key; nested as the configuration is, or with dots."""


def from_file(path: Path) -> Layer:
    """Read a YAML file of keys and values."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise ConfigError(f"cannot read {path}: {problem.strerror}", hint="give a YAML file to --config") from problem
    except (yaml.YAMLError, ValueError, RecursionError) as problem:
        fact = f"{path} is not YAML: {' '.join(str(problem).split())[:200]}"
        raise ConfigError(fact, hint="write `key: value` in UTF-8") from problem
    if not isinstance(content, dict | None):
        raise ConfigError(f"{path} holds {type(content).__name__}, not keys and values", hint="write `key: value`")
    return Layer(str(path), content or {})


def from_settings(settings: Sequence[str]) -> Layer:
    """Read ``a.b=value`` settings."""
    values: dict[str, object] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set got '{setting}'", hint="write --set key=value, such as --set blend=hann")
        values[key] = Text(text)
    return Layer("--set", values)


def build(kind: type[C], layers: Sequence[Layer], arguments: Mapping[str, str] | None = None) -> C:
    """Merge the layers, later ones winning, and build the configuration with its types checked.

    ``arguments`` are the fields that a command takes without an option's name, with what its help calls them.
    """
    known = fields_of(kind)
    chosen: dict[FieldPath, object] = {}
    for layer in layers:
        for paths, value in sorted(_flat(layer, known, layer.values), key=_breadth):
            for path in paths:
                chosen[path] = _checked(value, known[path], f"{layer.origin}: {_dotted(path)}")
    lacking = next((name for name in arguments or {} if _is_lacking(kind, name, chosen)), None)
    if arguments and lacking is not None:
        raise ConfigError(f"no {arguments[lacking]} is given", hint=f"name it, or set {lacking} in --config")
    return _construct(kind, chosen)


def _is_lacking(kind: type[Any], name: str, chosen: Mapping[FieldPath, object]) -> bool:
    known = {field.name: field for field in dataclasses.fields(kind)}
    return name in known and _default(known[name]) is _MISSING and (name,) not in chosen


def fields_of(kind: type[Any], above: FieldPath = ()) -> dict[FieldPath, Any]:
    """List the fields of a dataclass and of those within it, with their types."""
    found: dict[FieldPath, Any] = {}
    for name, hint in field_types(kind).items():
        found[*above, name] = hint
        inner = _dataclass_in(hint)
        if inner is not None:
            found |= fields_of(inner, (*above, name))
    return found


def field_paths(known: Mapping[FieldPath, Any], key: str, origin: str) -> tuple[FieldPath, ...]:
    """Find the fields that a key names: the one of exactly that path, else all whose path ends with it."""
    wanted = tuple(part.replace("-", "_") for part in key.split("."))
    if wanted in known:
        return (wanted,)
    found = tuple(path for path in known if _ends_with(path, wanted))
    if found:
        return found
    names = sorted({_dotted(path) for path in known} | {path[-1] for path in known})
    near = difflib.get_close_matches(_dotted(wanted), names, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'?" if near else f"known keys: {', '.join(sorted({path[0] for path in known}))}"
    raise ConfigError(f"{origin}: unknown key '{key}'", hint=hint)


def _ends_with(path: FieldPath, wanted: FieldPath) -> bool:
    end = path[-len(wanted) :]
    return end[:-1] == wanted[:-1] and wanted[-1] in {end[-1], _bare(end[-1])}


def _bare(name: str) -> str:
    """Leave out the unit."""
    for unit in UNITS:
        name = name.removesuffix(unit)
    return name


def _dotted(path: FieldPath) -> str:
    return ".".join(path)


def _breadth(entry: tuple[tuple[FieldPath, ...], object]) -> int:
    """Order within a layer: what names one field wins over what names several."""
    return -len(entry[0])


def _flat(
    layer: Layer, known: Mapping[FieldPath, Any], values: Mapping[str, object], above: str = ""
) -> Iterator[tuple[tuple[FieldPath, ...], object]]:
    """Follow nested keys down to fields that are no dataclass."""
    for key, value in values.items():
        paths = field_paths(known, f"{above}{key}", layer.origin)
        if isinstance(value, Mapping) and all(_dataclass_in(known[path]) for path in paths):
            yield from _flat(layer, known, value, f"{above}{key}.")
        else:
            yield paths, value


def _checked(value: object, hint: Any, place: str) -> object:  # noqa: ANN401
    try:
        return coerce(value, hint, place)
    except MismatchError as problem:
        raise ConfigError(f"{place} is {value!r}", hint=f"give {problem}") from problem


def _construct(kind: type[C], chosen: Mapping[FieldPath, object], base: object = None) -> C:
    """Build a dataclass from values by path; inner ones start from their defaults."""
    values: dict[str, object] = {path[0]: value for path, value in chosen.items() if len(path) == 1}
    hints = field_types(kind)
    fields = [field for field in dataclasses.fields(kind) if field.init]  # type: ignore[arg-type]
    for field in fields:
        inner = {path[1:]: value for path, value in chosen.items() if len(path) > 1 and path[0] == field.name}
        inner_kind = _dataclass_in(hints[field.name])
        if inner and inner_kind is not None:
            start = values.get(field.name, getattr(base, field.name, _default(field)))
            values[field.name] = _construct(inner_kind, inner, start)
    if dataclasses.is_dataclass(base):
        return cast("C", dataclasses.replace(cast("Any", base), **values))
    missing = [field.name for field in fields if field.name not in values and _default(field) is _MISSING]
    if missing:
        option = missing[0].replace("_", "-")
        raise ConfigError(f"{missing[0]} is not given", hint=f"give --{option}, or set it in --config")
    return kind(**values)


def _dataclass_in(hint: Any) -> type[Any] | None:  # noqa: ANN401
    """Find the dataclass in a type, that of an optional one too."""
    members = get_args(hint) if get_origin(hint) in {Union, UnionType} else (hint,)
    for member in members:
        if isinstance(member, type) and dataclasses.is_dataclass(member):
            return member
    return None


def _default(field: dataclasses.Field[Any]) -> Any:  # noqa: ANN401
    if field.default_factory is not _MISSING:
        return field.default_factory()
    return field.default
