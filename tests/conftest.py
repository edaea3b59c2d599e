"""Fixtures for all tests: real data beside the checkout, and what to do when it is not there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Return a function that gives a folder of real data, or skips by name.

    With ``GW_REQUIRE_DATA=1`` a missing folder fails the test instead.
    """

    def find(name: str) -> Path:
        path = SHARED_DATA / name
        if not path.exists():
            reason = f"real data '{name}' is not beside this checkout"
            if os.environ.get("GW_REQUIRE_DATA") == "1":
                pytest.fail(reason)
            pytest.skip(reason)
        return path

    return find
