"""Values of YAML, ``--set`` and options as the types that a configuration declares, or a refusal.

YAML has types, and they are kept strictly: a number is no text. What comes from ``--set`` is `Text`, and
reads as whatever the field declares.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml

from gw_cli.values import parse_bytes

__all__ = ["MismatchError", "Text", "coerce", "field_types"]

_NAMES: dict[str, Any] = {
    **vars(typing),
    "Path": Path,
    "date": date,
    "datetime": datetime,
    "timedelta": timedelta,
    "Mapping": Mapping,
    "Sequence": Sequence,
}


class MismatchError(ValueError):
    """A value that is not what the field declares; the text says what is expected."""


class Text(str):
    """A value as it was typed, whose type is still open."""

    __slots__ = ()


def field_types(kind: type[Any]) -> dict[str, Any]:
    """Give the types of a dataclass's fields, those it can be built from."""
    hints = typing.get_type_hints(kind, localns=_NAMES)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind) if field.init}


def coerce(value: object, hint: Any, key: str = "") -> object:  # noqa: ANN401
    """Give the value as its declared type, or raise `MismatchError`.

    >>> coerce(Text("256"), int), coerce([1, 2], tuple[int, ...]), coerce("2GB", int, "memory_bytes")
    (256, (1, 2), 2000000000)
    """
    if hint is Any or hint is object:
        return value
    read = _COMPOUND.get(tuple if hint is tuple else get_origin(hint))
    return _plain(value, hint, key) if read is None else read(value, get_args(hint), key)


def _union(value: object, members: tuple[Any, ...], key: str) -> object:
    """Take the member that the value is already, else the first that it can be read as."""
    for member in members:
        if isinstance(member, type) and type(value) is member:
            return value
    if type(None) in members and isinstance(value, Text) and value.lower() in {"", "none", "null"}:
        return None
    refusals = []
    for member in members:
        try:
            return coerce(value, member, key)
        except MismatchError as problem:
            refusals.append(str(problem))
    raise MismatchError(" or ".join(dict.fromkeys(refusals)))


def _literal(value: object, choices: tuple[Any, ...], _key: str) -> object:
    for choice in choices:
        if value == choice or (isinstance(value, Text) and value == str(choice)):
            return choice
    raise MismatchError("one of " + ", ".join(str(choice) for choice in choices))


def _annotated(value: object, members: tuple[Any, ...], key: str) -> object:
    return coerce(value, members[0], key)


def _tuple(value: object, members: tuple[Any, ...], key: str) -> object:
    parts = _parts(value)
    if not members:
        return tuple(parts)
    if len(members) == 1 or members[1] is Ellipsis:
        return tuple(coerce(part, members[0], key) for part in parts)
    if len(parts) == 1 and len(set(members)) == 1:
        parts = parts * len(members)
    if len(parts) != len(members):
        raise MismatchError(f"{len(members)} values")
    return tuple(coerce(part, member, key) for part, member in zip(parts, members, strict=True))


def _parts(value: object) -> list[object]:
    """Read a list from a list, from text with commas, or from its only value."""
    if isinstance(value, Text):
        return [Text(part.strip(" []")) for part in value.split(",")]
    return list(value) if isinstance(value, list | tuple) else [value]


def _mapping(value: object, members: tuple[Any, ...], key: str) -> object:
    try:
        # A command line has no other way to say it: a file would hold keys and values as they are.
        content = yaml.safe_load(value) if isinstance(value, str) else value
    except yaml.YAMLError as error:
        raise MismatchError("keys with values, such as '{width: 16}'") from error
    if not isinstance(content, Mapping):
        raise MismatchError("keys with values")
    _, of_value = members or (Any, Any)
    return {name: coerce(inner, of_value, key) for name, inner in content.items()}


def _plain(value: object, hint: Any, key: str) -> object:  # noqa: ANN401
    if hint is None or hint is type(None):
        if value is None:
            return None
        raise MismatchError("nothing")
    if hint in _READERS:
        return _READERS[hint](value, key)
    if isinstance(hint, type) and isinstance(value, hint):
        return value
    if isinstance(value, Mapping) and hasattr(hint, "model_validate"):
        return _to_document(value, hint)
    raise MismatchError(f"a {getattr(hint, '__name__', hint)}")


def _to_document(value: Mapping[str, object], model: Any) -> object:  # noqa: ANN401
    """Validate a document of pydantic's, whose errors are of many lines."""
    try:
        return model.model_validate(value)
    except ValueError as problem:
        raise MismatchError(f"a {model.__name__}: {' '.join(str(problem).split())}") from problem


def _to_bool(value: object, _key: str) -> bool:
    if isinstance(value, bool):
        return value
    words = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
    if isinstance(value, Text) and value.lower() in words:
        return words[value.lower()]
    raise MismatchError("true or false")


def _to_int(value: object, key: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    try:
        if isinstance(value, str) and key.endswith("_bytes"):
            return parse_bytes(value)
        if isinstance(value, Text):
            return int(value)
    except ValueError:
        pass
    raise MismatchError("a size such as 2GB" if key.endswith("_bytes") else "a whole number")


def _to_float(value: object, _key: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    try:
        if isinstance(value, str):  # YAML reads 1e-4 as text
            return float(value)
    except ValueError:
        pass
    raise MismatchError("a number")


def _to_str(value: object, _key: str) -> str:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    raise MismatchError("text")


def _to_path(value: object, _key: str) -> Path:
    if isinstance(value, str | Path):
        return Path(value).expanduser()
    raise MismatchError("a path")


def _to_date(value: object, _key: str) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str):
            return date.fromisoformat(value)
    except ValueError:
        pass
    if isinstance(value, datetime):
        return value.date()
    raise MismatchError("a date such as 2020-06-01")


def _to_datetime(value: object, _key: str) -> datetime:
    if isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str):
            return datetime.fromisoformat(value)
    except ValueError:
        pass
    raise MismatchError("a time such as 2020-06-01T12:00:00Z")


_READERS: dict[Any, Callable[[object, str], object]] = {
    bool: _to_bool,
    int: _to_int,
    float: _to_float,
    str: _to_str,
    Path: _to_path,
    date: _to_date,
    datetime: _to_datetime,
}

_COMPOUND: dict[Any, Callable[[object, tuple[Any, ...], str], object]] = {
    typing.Union: _union,
    types.UnionType: _union,
    Literal: _literal,
    typing.Annotated: _annotated,
    tuple: _tuple,
    Sequence: _tuple,
    dict: _mapping,
    Mapping: _mapping,
}
