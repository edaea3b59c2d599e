"""Values of options that carry a unit or a form of their own, and how they are read from text."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

import click
import yaml

__all__ = [
    "BYTES",
    "COUNT",
    "DATE",
    "FLOATS",
    "INTS",
    "NAMES",
    "OVERLAP",
    "PAIR",
    "SETTING",
    "SHARD",
    "SHARE",
    "SIZE_PX",
    "is_share",
    "parse_bytes",
]

_UNITS = {
    "": 1,
    "k": 10**3,
    "m": 10**6,
    "g": 10**9,
    "t": 10**12,
    "ki": 2**10,
    "mi": 2**20,
    "gi": 2**30,
    "ti": 2**40,
}
_BYTES = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?", re.IGNORECASE)


def parse_bytes(text: str) -> int:
    """Read a size with its unit.

    >>> parse_bytes("2GB"), parse_bytes("512 MiB"), parse_bytes("1.5k")
    (2000000000, 536870912, 1500)
    """
    match = _BYTES.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"'{text}' is not a size such as 2GB or 512MiB")
    number, unit = match.groups()
    return round(float(number) * _UNITS[(unit or "").lower()])


def _size_px(text: str) -> tuple[int, int]:
    height, _, width = text.lower().partition("x")
    if not height.isdigit() or not (width or height).isdigit() or int(height) * int(width or height) == 0:
        raise ValueError(f"'{text}' is not a size in pixels such as 256 or 256x320 (height x width)")
    return int(height), int(width or height)


def _pair(text: str) -> tuple[float, float]:
    try:
        first, second = (float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"'{text}' is not two numbers such as 0,1") from None
    return first, second


def _overlap(text: str) -> float:
    share = text.endswith("%")
    try:
        number = float(text.removesuffix("%")) / (100 if share else 1)
    except ValueError:
        number = -1
    if not (0 <= number < 1 or (not share and number.is_integer() and number >= 1)):
        raise ValueError(f"'{text}' is neither pixels such as 64 nor a share of the window such as 0.25 or 25%")
    return number


def _share(text: str) -> float:
    try:
        number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        number = -1
    if not 0 <= number <= 1:
        raise ValueError(f"'{text}' is not a share such as 0.9 or 90%")
    return number


def is_share(text: str) -> bool:
    """Whether a word reads as a share."""
    try:
        _share(text)
    except ValueError:
        return False
    return True


def _shard(text: str) -> tuple[int, int]:
    index, slash, count = text.partition("/")
    if not (slash and index.isdigit() and count.isdigit()) or not 1 <= int(index) <= int(count):
        raise ValueError(f"'{text}' is not a share such as 1/4; shares count from 1, so the last of 4 is 4/4")
    return int(index), int(count)


def _count(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise ValueError(f"'{text}' is not a whole number from 1")
    return int(text)


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError(f"'{text}' is not a day such as 2020-06-01") from None


def _names(text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(","))
    if not all(names):
        raise ValueError(f"'{text}' has an empty name between its commas")
    return names


def _floats(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"'{text}' is not a list of numbers such as 0.1,0.2") from None


def _ints(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"'{text}' is not a list of whole numbers such as 3,8") from None


def _setting(text: str) -> tuple[str, object]:
    key, equals, value = text.partition("=")
    try:
        read = yaml.safe_load(f"[{value}]" if "," in value and value[0] not in "[{" else value)
    except yaml.YAMLError:
        read = None
    if not (key and equals) or read is None:
        raise ValueError(f"'{text}' is not a key with its value, such as width=16")
    return key, read


class _Value(click.ParamType):  # type: ignore[type-arg]  # older releases of click have no argument here
    """A value that a function reads from text."""

    def __init__(self, name: str, read: Callable[[str], object]) -> None:
        self.name = name
        self.read = read

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        """Read text, or refuse it with what was expected."""
        if not isinstance(value, str):
            return value
        try:
            return self.read(value)
        except ValueError as problem:
            self.fail(str(problem), param, ctx)


COUNT = _Value("n", _count)
DATE = _Value("YYYY-MM-DD", _date)
BYTES = _Value("size", parse_bytes)
OVERLAP = _Value("px|share", _overlap)
PAIR = _Value("x,y", _pair)
SIZE_PX = _Value("px", _size_px)
SHARD = _Value("i/n", _shard)
SHARE = _Value("share", _share)
NAMES = _Value("a,b,...", _names)
FLOATS = _Value("x,y,...", _floats)
SETTING = _Value("key=value", _setting)
INTS = _Value("n,m,...", _ints)
