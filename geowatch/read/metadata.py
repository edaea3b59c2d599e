"""Metadata documents of products, read with care: XML without entities, MTL text, JSON of a sane size."""

from __future__ import annotations

import json
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from geowatch.errors import ImageryError, MalformedError

__all__ = ["MAX_BYTES", "number_in", "parse_json", "parse_time", "read_json", "read_mtl", "read_xml"]

MAX_BYTES = 256 * 1024**2


def _content(path: Path) -> bytes:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ImageryError(f"'{path}' has {size} bytes: no metadata are that long", hint="leave the file out")
    return path.read_bytes()


def read_xml(path: Path) -> ET.Element:
    """Return the root of an XML document.

    Raises:
        ImageryError: it is too long or declares entities.
        MalformedError: it is not well-formed.
    """
    content = _content(path)
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content or b"\x00" in content:
        raise ImageryError(f"'{path}' declares a document type or entities", hint="products have none; leave it out")
    try:
        return ET.fromstring(content)  # noqa: S314 - see the import
    except ET.ParseError as error:
        raise MalformedError(f"'{path}' is not well-formed: {error}", hint="fetch the file again") from error


def read_json(path: Path) -> Mapping[str, object]:
    """Return a JSON object.

    Raises:
        MalformedError: it is no JSON object.
    """
    return parse_json(_content(path), str(path))


def parse_json(content: bytes, name: str) -> Mapping[str, object]:
    """Return the JSON object that a document called ``name`` holds.

    Raises:
        MalformedError: it is no JSON object.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"'{name}' is no JSON: {error}", hint="fetch the file again") from error
    if not isinstance(document, dict):
        raise MalformedError(
            f"'{name}' holds a {type(document).__name__}, not an object", hint="give the document itself: a JSON object"
        )
    return document


def read_mtl(path: Path) -> dict[str, dict[str, str]]:
    """Return a Landsat MTL text file as values by group and key.

    Keys repeat between groups: level 2 files carry the level 1 parameters too.
    """
    groups: dict[str, dict[str, str]] = {}
    name = ""
    for line in _content(path).decode("utf-8", "replace").splitlines():
        match = re.match(r'\s*(\w+)\s*=\s*"?(.*?)"?\s*$', line)
        if match and match[1] == "GROUP":
            name = match[2]
        elif match and match[1] != "END_GROUP":
            groups.setdefault(name, {})[match[1]] = match[2]
    return groups


def number_in(text: str, key: str, document: Path) -> float:
    """Return the number that a document gives for ``key``.

    Raises:
        MalformedError: it is no finite number.
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise MalformedError(f"'{document}' gives {key} as '{text[:40]}'", hint="fetch the file again")
    return number


def parse_time(text: str) -> datetime | None:
    """Return an ISO time as UTC; None if it is none.

    >>> parse_time("2020-06-01T15:59:11.024Z").isoformat()
    '2020-06-01T15:59:11.024000+00:00'
    """
    # More than six digits of a second are legal and common in Landsat's metadata.
    short = re.sub(r"(\.\d{6})\d+", r"\1", text.strip())
    try:
        time = datetime.fromisoformat(short)
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
