"""Doctor: what this machine has, and what is missing.

Nothing in, a `Report` of rows out. Whatever could break while it is imported is asked in a process of its
own, so that a broken library is a line of the report and never its end.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Literal

import psutil

from geowatch.package.cache import CompiledCache

__all__ = ["Report", "Row", "doctor"]

DISTRIBUTION = "gw-geowatch"
CORE = ("click", "dask", "numpy", "onnxruntime", "pyarrow", "pyproj", "rasterio", "shapely", "torch", "zarr")
DRIVERS = ("GTiff", "COG", "VRT", "JP2OpenJPEG", "PNG", "JPEG", "Zarr")
TIMEOUT_S = 120

State = Literal["ok", "missing", "broken"]


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was looked at."""

    section: str
    """python, device, backend, cache, gdal or extra."""
    name: str
    """What it is called."""
    state: State
    """Whether it can be used."""
    detail: str = ""
    """Its version, size or fault."""
    remedy: str | None = None
    """The line that installs it, where it is missing."""


@dataclass(frozen=True, slots=True)
class Report:
    """All rows, section by section."""

    rows: tuple[Row, ...]
    """In the order of the sections."""

    def to_json(self) -> str:
        """Write the rows as JSON."""
        return json.dumps({"rows": [asdict(row) for row in self.rows]}, indent=1)

    def to_text(self) -> str:
        """Write the rows as a table, with the remedies below their rows."""
        width = max(len(row.name) for row in self.rows)
        sections = groupby(self.rows, key=lambda row: row.section)
        return "\n\n".join("\n".join([name, *_lines(rows, width)]) for name, rows in sections)


_MARKS: dict[State, str] = {"ok": "✓", "missing": "·", "broken": "✗"}


def _lines(rows: Iterable[Row], width: int) -> Iterator[str]:
    for row in rows:
        yield f"  {_MARKS[row.state]} {row.name:<{width}}  {row.detail}".rstrip()
        if row.remedy:
            yield f"    {'':<{width}}  {row.remedy}"


def doctor(cache: str | None = None) -> Report:
    """Look at this machine, and at the folder of compiled networks."""
    probes = (_TORCH, _ONNXRUNTIME, _OPENVINO, _TENSORRT, _GDAL, _OSGEO)
    with ThreadPoolExecutor(len(probes)) as pool:
        torch, onnxruntime, openvino, tensorrt, gdal, osgeo = pool.map(_ask, probes)
    return Report(
        (
            *_python(),
            *_devices(torch),
            _backend("onnxruntime", onnxruntime, "onnxruntime"),
            _optional("openvino", openvino, "openvino"),
            _backend("eager", torch, "torch"),
            *(_compiler(name, torch) for name in ("inductor", "aotinductor")),
            _optional("tensorrt", tensorrt, "torch_tensorrt"),
            *_cache(cache),
            *_gdal(gdal),
            _osgeo(osgeo),
            *_extras(),
        )
    )


# Each probe prints one JSON object.
_TORCH = """
import json, torch
cuda = torch.cuda
gpus = [cuda.get_device_properties(i) for i in range(cuda.device_count())] if cuda.is_available() else []
print(json.dumps({"version": torch.__version__, "isa": torch.backends.cpu.get_cpu_capability(),
    "built_for": torch.version.cuda, "gpus": [[gpu.name, gpu.total_memory] for gpu in gpus]}))
"""
_ONNXRUNTIME = """
import json, onnxruntime as ort
print(json.dumps({"version": ort.__version__, "detail": ", ".join(ort.get_available_providers())}))
"""
_OPENVINO = """
import json, sys
sys.modules["openvino.tools.ovc"] = None  # its import reports to its makers
import openvino
able = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
print(json.dumps({"version": openvino.get_version().partition("-")[0], "detail": ", ".join(sorted(able))}))
"""
_TENSORRT = """
import json, torch_tensorrt, tensorrt
print(json.dumps({"version": torch_tensorrt.__version__, "detail": f"TensorRT {tensorrt.__version__}"}))
"""
_GDAL = """
import json, rasterio
with rasterio.Env() as env:
    print(json.dumps({"version": rasterio.__gdal_version__, "drivers": sorted(env.drivers())}))
"""
_OSGEO = """
import json
from osgeo import gdal, gdal_array
print(json.dumps({"version": gdal.__version__}))
"""

Answer = dict[str, object] | str
"""What a probe says, or the last line of how it failed."""


def _ask(program: str) -> Answer:
    """Run a probe in a process of its own."""
    try:
        done = subprocess.run(  # noqa: S603  # our own programs, in our own interpreter
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {TIMEOUT_S} s"
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return lines[-1] if lines else f"its process ended with {done.returncode}"
    answer: dict[str, object] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def _python() -> list[Row]:
    system = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return [Row("python", "python", "ok", system), *(_package(name) for name in (DISTRIBUTION, *CORE))]


def _package(name: str) -> Row:
    version = _version(name)
    if version is None:
        return Row("python", name, "missing", remedy=f"pip install {name}")
    return Row("python", name, "ok", version)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _devices(torch: Answer) -> list[Row]:
    isa = "" if isinstance(torch, str) else f", {torch['isa']}"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = psutil.virtual_memory()
    limit = _memory_limit_bytes()
    limited = f", this container may take {limit / 1e9:.1f} GB" if limit and limit < memory.total else ""
    return [
        Row("device", "cpu", "ok", f"{_cpu_name()}, {cores} cores{isa}"),
        Row(
            "device",
            "memory",
            "ok",
            f"{memory.total / 1e9:.1f} GB, {memory.available / 1e9:.1f} free{limited}",
        ),
        _cuda(torch),
    ]


def _cuda(torch: Answer) -> Row:
    if isinstance(torch, str):
        return Row("device", "cuda", "missing", "torch cannot say")
    gpus = torch["gpus"]
    if isinstance(gpus, list) and gpus:
        names = ", ".join(f"{name} {size / 1e9:.0f} GB" for name, size in gpus)
        return Row("device", "cuda", "ok", f"{names} (CUDA {torch['built_for']})")
    why = "torch sees no GPU" if torch["built_for"] else "this torch is built for the CPU"
    return Row("device", "cuda", "missing", why)


def _cpu_name() -> str:
    """Name the processor; Linux says it in a file, other systems to Python."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found.group(1) if found else platform.machine()


def _memory_limit_bytes() -> int | None:
    """Read the limit of this control group, where there is one."""
    try:
        text = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _backend(name: str, answer: Answer, package: str) -> Row:
    if isinstance(answer, str):
        return Row("backend", name, "broken", answer, f"pip install --force-reinstall {package}")
    return Row("backend", name, "ok", f"{package} {answer['version']} {answer.get('detail', '')}".strip())


def _optional(name: str, answer: Answer, module: str) -> Row:
    """Say whether the library of an extra runs; one that is not installed is no fault."""
    if isinstance(answer, str) and importlib.util.find_spec(module) is None:
        return Row("backend", name, "missing", f"{module} is not installed", f"pip install '{DISTRIBUTION}[{name}]'")
    if isinstance(answer, str):
        return Row("backend", name, "broken", answer)
    return Row("backend", name, "ok", f"{module} {answer['version']} {answer.get('detail', '')}".strip())


def _compiler(name: str, torch: Answer) -> Row:
    """Say whether torch's compiler can work: it calls the machine's own."""
    if isinstance(torch, str):
        return Row("backend", name, "broken", "torch cannot be imported")
    if shutil.which("g++") is None:
        return Row("backend", name, "missing", "it calls g++, which is not here", "apt-get install g++")
    return Row("backend", name, "ok", f"torch {torch['version']}, g++")


def _cache(folder: str | None) -> list[Row]:
    """Say what compiled networks are there, by backend."""
    if folder is None:
        return []
    entries = list(CompiledCache(Path(folder)).entries())
    total = sum(entry.bytes for entry in entries)
    where = f"{folder}: {len(entries)} compiled networks, {total / 1e6:.0f} MB"
    kinds = Counter(f"{entry.key['backend']} {entry.key['precision']}" for entry in entries)
    return [Row("cache", "folder", "ok", where), *(Row("cache", k, "ok", str(n)) for k, n in sorted(kinds.items()))]


def _gdal(answer: Answer) -> list[Row]:
    if isinstance(answer, str):
        return [Row("gdal", "rasterio", "broken", answer, "pip install --force-reinstall rasterio")]
    drivers = answer["drivers"]
    have = set(drivers) if isinstance(drivers, list) else set()
    rows = [Row("gdal", name, "ok" if name in have else "missing") for name in DRIVERS]
    return [Row("gdal", "GDAL", "ok", f"{answer['version']}, in rasterio"), *rows]


def _osgeo(answer: Answer) -> Row:
    """Say whether GDAL's own bindings are here; gw works without them."""
    if not isinstance(answer, str):
        return Row("gdal", "osgeo", "ok", f"{answer['version']}, GDAL's own bindings")
    if importlib.util.find_spec("osgeo") is None:
        return Row("gdal", "osgeo", "missing", "GDAL's own bindings; optional")
    return Row("gdal", "osgeo", "broken", answer)


def _extras() -> list[Row]:
    """List the extras of this distribution, and the line that installs what is missing."""
    rows = []
    for extra, names in _requirements().items():
        absent = [name for name in names if _version(name) is None]
        line = f"pip install '{DISTRIBUTION}[{extra}]'"
        present = ", ".join(f"{name} {_version(name)}" for name in names if name not in absent)
        rows.append(
            Row("extra", extra, "missing", f"without {', '.join(absent)}", line)
            if absent
            else Row("extra", extra, "ok", present)
        )
    return rows


_DEVELOPERS = {"dev", "bench"}


def _requirements() -> dict[str, list[str]]:
    """Give the distributions that each extra asks for; the developers' own are not of interest to users."""
    found: dict[str, list[str]] = {}
    try:
        lines = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return found
    for line in lines:
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", line)
        name = re.match(r"[\w.-]+", line)
        if extra and name and extra.group(1) not in _DEVELOPERS:
            found.setdefault(extra.group(1), []).append(name.group())
    return found
