"""Model packages: what a network is, the files that hold it, and the backends that run it.

Opening a package imports no network framework; a backend imports its own when it is opened.
"""

from __future__ import annotations

from geowatch.package.activate import activate
from geowatch.package.backends import Backend, BackendIdentity, available, open_backend
from geowatch.package.bundle import Package, load_package, save_package
from geowatch.package.importing import import_onnx
from geowatch.package.manifest import HeadSpec, InputSpec, Manifest, WindowSpec
from geowatch.package.preprocess import prepare
from geowatch.package.spec import ImportSpec

__all__ = [
    "Backend",
    "BackendIdentity",
    "HeadSpec",
    "ImportSpec",
    "InputSpec",
    "Manifest",
    "Package",
    "WindowSpec",
    "activate",
    "available",
    "import_onnx",
    "load_package",
    "open_backend",
    "prepare",
    "save_package",
]
