"""Examples in docstrings do what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import geowatch
import gw_cli

#: What cannot be imported on every machine.
ELSEWHERE = {"geowatch.package.backends.trt_library"}


def modules() -> list[str]:
    found = [
        info.name
        for package in (geowatch, gw_cli)
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        if not info.name.endswith("__main__")
    ]
    return sorted(set(found) - ELSEWHERE)


def test_examples_are_found():
    finder = doctest.DocTestFinder(exclude_empty=True)
    shown = [test for name in modules() for test in finder.find(importlib.import_module(name)) if test.examples]
    assert len(shown) > 100


@pytest.mark.parametrize("room", sorted({".".join(name.split(".")[:2]) for name in modules()}))
def test_examples_of_a_room_give_what_they_show(room):
    names = [name for name in modules() if name == room or name.startswith(f"{room}.")]
    results = {name: doctest.testmod(importlib.import_module(name)) for name in names}
    assert not {name: result for name, result in results.items() if result.failed}
