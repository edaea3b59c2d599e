"""From a region, imagery and a model to maps.

The stages are functions here, one for each subcommand of ``gw``, and each takes its own frozen configuration:
``geowatch.tile(geowatch.TileConfig(...))``. They are loaded when they are first named, so that importing the package
costs nothing. Two rooms of the library share their name with a stage (``predict`` and ``stitch``): the attribute is
always the stage, and the room is reached by importing from it (``from geowatch.predict.batches import ...``).
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

__version__ = "0.1.0"

_STAGES = {
    "clean": ("clean", "CleanConfig"),
    "doctor": ("doctor", "DoctorConfig"),
    "predict": ("predict", "PredictConfig"),
    "run": ("run", "RunConfig"),
    "status": ("status", "StatusConfig"),
    "stitch": ("stitch", "StitchConfig"),
    "tile": ("tile", "TileConfig"),
    "verify": ("verify", "VerifyConfig"),
    "import_model": ("model", "ImportModelConfig"),
    "package_model": ("model", "PackageModelConfig"),
    "show_model": ("model", "ShowModelConfig"),
    "verify_model": ("model", "VerifyModelConfig"),
}
_MODULE_OF = {
    name: f"geowatch.stages.{module}" for stage, (module, config) in _STAGES.items() for name in (stage, config)
}

__all__ = [*_MODULE_OF, "__version__"]


class _Lazy:
    """A name of a stage's module, imported when it is first asked for.

    It is a data descriptor because the import system sets the attribute ``predict`` on this package when the room
    ``geowatch.predict`` is loaded; that must not hide the stage.
    """

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.name = name

    def __get__(self, package: object, owner: type | None = None) -> object:
        return getattr(importlib.import_module(self.module), self.name)

    def __set__(self, package: object, value: object) -> None:
        """Keep the stage; the module stays reachable by its import path."""


class _Package(ModuleType):
    """This package, with its stages as attributes."""

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *_MODULE_OF})


for _name, _module in _MODULE_OF.items():
    setattr(_Package, _name, _Lazy(_module, _name))
sys.modules[__name__].__class__ = _Package
