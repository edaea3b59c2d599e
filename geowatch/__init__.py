"""From a region, imagery and a model to maps.

The stages are functions here, one for each subcommand of ``gw``, and each takes its own frozen configuration:
``geowatch.tile(geowatch.TileConfig(...))``. They are loaded when they are first named, so that importing the
package costs nothing. Some rooms of the library share their name with a stage (``predict``, ``stitch``, ``track``,
``lineage``): the attribute is always the stage, and the room is reached by importing from it (``from
geowatch.predict.batches import ...``).
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING

from geowatch.version import __version__

if TYPE_CHECKING:  # what type checkers see; at run time `_Lazy` gives the same
    from geowatch.stages.align import AlignConfig as AlignConfig
    from geowatch.stages.align import align as align
    from geowatch.stages.binding.aligned import open_sampler as open_sampler
    from geowatch.stages.binding.imagery import ImageryConfig as ImageryConfig
    from geowatch.stages.binding.source import SourceConfig as SourceConfig
    from geowatch.stages.clean import CleanConfig as CleanConfig
    from geowatch.stages.clean import clean as clean
    from geowatch.stages.consolidate import ConsolidateConfig as ConsolidateConfig
    from geowatch.stages.consolidate import consolidate as consolidate
    from geowatch.stages.dataset.convert import ConvertConfig as ConvertConfig
    from geowatch.stages.dataset.convert import convert_dataset as convert_dataset
    from geowatch.stages.dataset.export import ExportConfig as ExportConfig
    from geowatch.stages.dataset.export import export_dataset as export_dataset
    from geowatch.stages.dataset.parts import SplitConfig as SplitConfig
    from geowatch.stages.dataset.parts import SubsetConfig as SubsetConfig
    from geowatch.stages.dataset.parts import UnionConfig as UnionConfig
    from geowatch.stages.dataset.parts import split_dataset as split_dataset
    from geowatch.stages.dataset.parts import subset_dataset as subset_dataset
    from geowatch.stages.dataset.parts import union_datasets as union_datasets
    from geowatch.stages.dataset.scan import ScanConfig as ScanConfig
    from geowatch.stages.dataset.scan import scan_dataset as scan_dataset
    from geowatch.stages.dataset.search import SearchConfig as SearchConfig
    from geowatch.stages.dataset.search import search_imagery as search_imagery
    from geowatch.stages.dataset.show import ShowConfig as ShowConfig
    from geowatch.stages.dataset.show import show_dataset as show_dataset
    from geowatch.stages.dataset.sources import ChoiceConfig as ChoiceConfig
    from geowatch.stages.dataset.stats import StatsConfig as StatsConfig
    from geowatch.stages.dataset.stats import dataset_stats as dataset_stats
    from geowatch.stages.dataset.validate import ValidateConfig as ValidateConfig
    from geowatch.stages.dataset.validate import validate_dataset as validate_dataset
    from geowatch.stages.doctor import Report as Report
    from geowatch.stages.doctor import doctor as doctor
    from geowatch.stages.evaluate.pixels import EvaluateConfig as EvaluateConfig
    from geowatch.stages.evaluate.pixels import evaluate_pixels as evaluate_pixels
    from geowatch.stages.evaluate.sites import EvaluateSitesConfig as EvaluateSitesConfig
    from geowatch.stages.evaluate.sites import evaluate_sites as evaluate_sites
    from geowatch.stages.features import FeaturesConfig as FeaturesConfig
    from geowatch.stages.features import features as features
    from geowatch.stages.lineage import lineage as lineage
    from geowatch.stages.model.compiling import CompileConfig as CompileConfig
    from geowatch.stages.model.compiling import compile_model as compile_model
    from geowatch.stages.model.packages import ImportConfig as ImportConfig
    from geowatch.stages.model.packages import PackageConfig as PackageConfig
    from geowatch.stages.model.packages import import_model as import_model
    from geowatch.stages.model.packages import package_model as package_model
    from geowatch.stages.model.packages import show_model as show_model
    from geowatch.stages.model.packages import verify_model as verify_model
    from geowatch.stages.model.quantising import QuantiseConfig as QuantiseConfig
    from geowatch.stages.model.quantising import quantise_model as quantise_model
    from geowatch.stages.predict import PredictConfig as PredictConfig
    from geowatch.stages.predict import predict as predict
    from geowatch.stages.run import RunConfig as RunConfig
    from geowatch.stages.run import run as run
    from geowatch.stages.status import Status as Status
    from geowatch.stages.status import status as status
    from geowatch.stages.stitch import StitchConfig as StitchConfig
    from geowatch.stages.stitch import stitch as stitch
    from geowatch.stages.tile import TileConfig as TileConfig
    from geowatch.stages.tile import tile as tile
    from geowatch.stages.track import TrackConfig as TrackConfig
    from geowatch.stages.track import track as track
    from geowatch.stages.verify import VerifyConfig as VerifyConfig
    from geowatch.stages.verify import verify as verify

_NAMES_OF = {
    "align": ("AlignConfig", "align"),
    "binding.aligned": ("open_sampler",),
    "binding.imagery": ("ImageryConfig",),
    "binding.source": ("SourceConfig",),
    "clean": ("CleanConfig", "clean"),
    "consolidate": ("ConsolidateConfig", "consolidate"),
    "dataset.convert": ("ConvertConfig", "convert_dataset"),
    "dataset.export": ("ExportConfig", "export_dataset"),
    "dataset.parts": (
        "SplitConfig",
        "SubsetConfig",
        "UnionConfig",
        "split_dataset",
        "subset_dataset",
        "union_datasets",
    ),
    "dataset.scan": ("ScanConfig", "scan_dataset"),
    "dataset.search": ("SearchConfig", "search_imagery"),
    "dataset.show": ("ShowConfig", "show_dataset"),
    "dataset.sources": ("ChoiceConfig",),
    "dataset.stats": ("StatsConfig", "dataset_stats"),
    "dataset.validate": ("ValidateConfig", "validate_dataset"),
    "doctor": ("Report", "doctor"),
    "evaluate.pixels": ("EvaluateConfig", "evaluate_pixels"),
    "evaluate.sites": ("EvaluateSitesConfig", "evaluate_sites"),
    "features": ("FeaturesConfig", "features"),
    "lineage": ("lineage",),
    "model.compiling": ("CompileConfig", "compile_model"),
    "model.packages": (
        "ImportConfig",
        "PackageConfig",
        "import_model",
        "package_model",
        "show_model",
        "verify_model",
    ),
    "model.quantising": ("QuantiseConfig", "quantise_model"),
    "predict": ("PredictConfig", "predict"),
    "run": ("RunConfig", "run"),
    "status": ("Status", "status"),
    "stitch": ("StitchConfig", "stitch"),
    "tile": ("TileConfig", "tile"),
    "track": ("TrackConfig", "track"),
    "verify": ("VerifyConfig", "verify"),
}
_MODULE_OF = {name: module for module, names in _NAMES_OF.items() for name in names}

__all__ = ["__version__", *_MODULE_OF]  # noqa: PLE0604  # every one is a string


class _Lazy:
    """A name of a stage's module, imported when it is first asked for.

    It is a data descriptor because the import system sets the attribute ``predict`` on this package when the
    room ``geowatch.predict`` is loaded; that must not hide the stage.
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
    setattr(_Package, _name, _Lazy(f"geowatch.stages.{_module}", _name))
sys.modules[__name__].__class__ = _Package
