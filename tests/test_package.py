"""The library's front door: every stage is there, at no cost until it is used."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import pytest

import geowatch


@pytest.mark.parametrize("name", sorted(set(geowatch.__all__) - {"__version__"}))
def test_every_name_leads_to_something_documented(name):
    found = getattr(geowatch, name)
    assert callable(found)
    assert found.__doc__
    assert name in dir(geowatch)


@pytest.mark.parametrize("room", ["predict", "stitch", "lineage"])
def test_a_room_that_is_imported_first_does_not_hide_the_stage_of_its_name(room):
    program = f"import geowatch.{room} as r, geowatch; assert callable(geowatch.{room}), geowatch.{room}"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_version_is_that_of_the_distribution():
    assert metadata.version("gw-geowatch") == geowatch.__version__


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError):
        geowatch.no_such_stage  # noqa: B018


def test_type_checkers_see_what_is_there_at_run_time():
    import ast
    import inspect

    tree = ast.parse(inspect.getsource(geowatch))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.asname for node in block.body for alias in node.names}
    assert seen == set(geowatch.__all__) - {"__version__"}
