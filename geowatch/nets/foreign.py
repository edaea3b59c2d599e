"""A user's own torch module, by ``module:Class``: imported and run at packaging time only."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from geowatch.errors import PackageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType

__all__ = ["build_foreign"]


def build_foreign(where: str, options: Mapping[str, object]) -> nn.Module:
    """Return the module that ``where`` names, built with ``options``, in evaluation mode.

    Args:
        where: ``package.module:Class`` (the current folder is searched too) or ``path/to/file.py:Class``; a
            function that returns a module will do.
        options: keyword arguments.

    Raises:
        PackageError: there is no such class, it does not take the options, or it is no torch module.
    """
    place, _, name = where.rpartition(":")
    if not place or not name:
        raise PackageError(f"{where!r} names no class", hint="write it as module:Class or file.py:Class")
    found = getattr(_import(place), name, None)
    if found is None:
        raise PackageError(f"{place} has no {name!r}", hint="write it as module:Class or file.py:Class")
    try:
        inspect.signature(found).bind(**options)
        net = found(**options)
    except TypeError as error:
        raise PackageError(
            f"{where} does not take {dict(options)}: {error}", hint="give what it takes, each with --option NAME=VALUE"
        ) from error
    if not isinstance(net, nn.Module):
        raise PackageError(
            f"{where} made a {type(net).__name__}, which is no torch module",
            hint="name a class, or a function that returns a torch.nn.Module",
        )
    return net.eval()


def _import(place: str) -> ModuleType:
    if place.endswith(".py"):
        return _import_file(Path(place))
    with _searching(Path.cwd()):
        try:
            return importlib.import_module(place)
        except ImportError as error:
            raise PackageError(
                f"cannot import {place}: {error}", hint="start in its folder, or write path/to/file.py:Class"
            ) from error


def _import_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise PackageError(f"no Python file at {path}", hint="write path/to/file.py:Class")
    module = importlib.util.module_from_spec(spec)
    with _searching(path.resolve().parent):
        try:
            spec.loader.exec_module(module)
        except ImportError as error:
            raise PackageError(
                f"cannot import {path}: {error}",
                hint="install what it imports beside gw, or put it in the file's folder",
            ) from error
    return module


@contextlib.contextmanager
def _searching(folder: Path) -> Iterator[None]:
    """Let imports look into ``folder`` first."""
    before = sys.path.copy()
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path[:] = before
