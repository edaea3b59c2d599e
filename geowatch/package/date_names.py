"""Dates that the names of a graph's inputs tell: ``pre`` and ``post``, ``t1`` and ``t2``.

Inputs are fed in the graph's order, oldest date first. A network whose first input is called ``after`` would see time
run backwards, and nothing in its map would show it; so where names contradict the order, the order has to be said.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from geowatch.errors import PackageError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["check_date_order"]

_EARLIER = frozenset({"pre", "before", "prior", "early", "earlier", "old", "older", "oldest", "past", "first", "start"})
_LATER = frozenset({"post", "after", "late", "later", "new", "newer", "newest", "latest", "last", "second", "end"})


def check_date_order(names: Sequence[str]) -> None:
    """Raise PackageError where the first of two inputs is named for the later date.

    >>> check_date_order(["before", "after"])
    >>> check_date_order(["post_img", "pre_img"])
    Traceback (most recent call last):
    geowatch.errors.PackageError: input 'post_img' comes before 'pre_img' in the graph; the oldest date goes in first
    hint: say the order, oldest first: --input-tensors pre_img,post_img (or post_img,pre_img)
    """
    if len(names) != 2:
        return
    first, second = names
    turned = [_rank(first) > _rank(second), _stem(first) == _stem(second) and _number(first) > _number(second)]
    if any(turned):
        raise PackageError(
            f"input {first!r} comes before {second!r} in the graph; the oldest date goes in first",
            hint=f"say the order, oldest first: --input-tensors {second},{first} (or {first},{second})",
        )


def _rank(name: str) -> int:
    """Return -1 for a name of an earlier date, 1 for one of a later date, 0 for one that says neither or both."""
    words = set(re.findall("[a-z]+", re.sub("([a-z])([A-Z])", r"\1 \2", name).lower()))
    return len(words & _LATER) - len(words & _EARLIER)


def _stem(name: str) -> str:
    return re.sub(r"\d+$", "", name)


def _number(name: str) -> int:
    found = re.search(r"\d+$", name)
    return int(found[0]) if found else -1
