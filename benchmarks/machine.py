"""What was measured on: the facts that a reader needs to place the figures."""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["cores", "facts", "isa"]

_LIBRARIES = ("torch", "onnxruntime", "openvino", "numpy", "numba", "rasterio", "zarr", "zarrs", "numcodecs")
_ISA = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "asimd", "sve", "bf16")


def cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0))


def isa() -> list[str]:
    """List the instruction sets of the processor that matter to networks."""
    flags = _flags(_read("/proc/cpuinfo"))
    return [name for name in _ISA if name in flags]


def facts() -> dict[str, object]:
    """Tell processor, memory, system, versions and date."""
    cpu = _read("/proc/cpuinfo")
    memory_kb = re.search(r"MemTotal:\s+(\d+)", _read("/proc/meminfo"))
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "processor": _after("model name", cpu) or platform.processor() or platform.machine(),
        "family": " ".join(filter(None, (_after("cpu family", cpu), _after("model\t", cpu)))),
        "cores": cores(),
        "isa": isa(),
        "memory_gb": round(int(memory_kb[1]) * 1024 / 1e9, 1) if memory_kb else None,
        "virtual": "hypervisor" in _flags(cpu),
        "system": f"{_system()}, Linux {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "libraries": {name: found for name in _LIBRARIES if (found := _version(name))},
    }


def _flags(cpu: str) -> set[str]:
    return set(_after("flags", cpu).split()) | set(_after("Features", cpu).split())


def _read(path: str) -> str:
    return Path(path).read_text() if Path(path).exists() else ""


def _after(label: str, text: str) -> str:
    found = re.search(rf"^{label}\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else ""


def _system() -> str:
    found = re.search(r'^PRETTY_NAME="?([^"\n]+)', _read("/etc/os-release"), re.MULTILINE)
    return found[1] if found else platform.system()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
