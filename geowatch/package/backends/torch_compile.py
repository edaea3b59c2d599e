"""Compiling with torch's Inductor: tracing a network, and where the compiler leaves its files.

The compiler keeps caches of its own in the user's temporary folder. Here they lie in a folder that goes when the
compilation is done: what is kept is kept in `geowatch.package.cache` alone.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
import warnings
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from geowatch.errors import BackendError
from geowatch.package.backends.torch_common import line_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor, nn
    from torch.export import ExportedProgram

__all__ = ["OPTIONS", "compiler_refusal", "compiling", "exported"]

#: The compiler's folder is a setting of the process: one network compiles at a time.
_ONE_AT_A_TIME = threading.Lock()

#: Settings of the compiler. Weights are folded in; no pool of processes is left behind; headers are not compiled
#: ahead, since that cache would lie in the user's temporary folder.
OPTIONS: Mapping[str, Any] = MappingProxyType(
    {
        "freezing": True,
        "compile_threads": 1,
        "cpp_cache_precompile_headers": False,
        "aot_inductor.precompile_headers": False,
        "cpp.vec_isa_ok": True,  # the processor says what it can; no trial programs are compiled to ask
    }
)


def compiler_refusal(device: str) -> str | None:
    """Why Inductor cannot compile for ``device`` here; None where it can."""
    if shutil.which("g++") is None:
        return "it needs the C++ compiler g++, which is not installed"
    if device != "cpu" and find_spec("triton") is None:
        return "it needs triton for CUDA, which is not installed"
    return None


@contextlib.contextmanager
def compiling(what: str) -> Iterator[None]:
    """Compile inside: one network at a time, in a folder that goes. Raises BackendError naming the reason."""
    import torch
    from torch._inductor import config
    from torch._inductor.runtime.cache_dir_utils import temporary_cache_dir

    with (
        _ONE_AT_A_TIME,
        tempfile.TemporaryDirectory(prefix="gw-inductor-", ignore_cleanup_errors=True) as folder,
        temporary_cache_dir(folder),
        config.patch(dict(OPTIONS)),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # they speak to whoever writes networks
        try:
            yield
        except torch.OutOfMemoryError:
            raise  # fewer windows may fit
        except (RuntimeError, ValueError, TypeError, NotImplementedError, AssertionError, OSError) as error:
            raise BackendError(
                f"{what} could not compile the network: {line_of(error)}", hint="use another backend with --jit NAME"
            ) from error


def exported(net: nn.Module, tensors: tuple[Tensor, ...], free: Mapping[int, Any] | None = None) -> ExportedProgram:
    """Return ``net`` as torch's graph of plain operators, for tensors like ``tensors``.

    ``free`` says which axes of each tensor may have other sizes, as ``torch.export.Dim``.
    """
    import torch

    shapes = None if free is None else (tuple(dict(free) for _ in tensors),)
    return torch.export.export(net, tensors, dynamic_shapes=shapes, strict=False)
