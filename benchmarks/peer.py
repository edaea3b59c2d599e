"""The peers: the same network and raster through the tools that people have today, each at its best.

Runs in an environment of its own (`benchmarks/work/peers`), with torch, rasterio and the peer; of this project only
the network's definition is imported. ``python -m benchmarks.peer '{"peer": "monai", ...}'`` prints seconds as JSON.
The raster is read whole, as the peers' users do, and a float32 GeoTIFF of scores is written.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import distribution
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
import rasterio
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

__all__ = ["PEERS", "main"]


def load_net(package: Path) -> nn.Module:
    """Build the package's network with its weights."""
    from geowatch.nets.registry import restore_net

    manifest = json.loads((package / "manifest.json").read_text())
    net = manifest["net"]
    return restore_net(net["name"], net["kwargs"], (package / "model.safetensors").read_bytes(), str(package))


class Scorer(nn.Module):
    """The network as a peer calls it: windows in, logits of the one head out."""

    def __init__(self, net: nn.Module, *, channels_last: bool) -> None:
        super().__init__()
        self.layout = torch.channels_last if channels_last else torch.contiguous_format
        self.net = net.to(memory_format=self.layout)  # type: ignore[call-overload]

    def forward(self, x: Tensor) -> Tensor:
        """Score windows (N, C, H, W)."""
        found: dict[str, Tensor] = self.net(x.contiguous(memory_format=self.layout))
        return next(iter(found.values()))


def read(raster: str, package: Path) -> tuple[Tensor, dict[str, Any]]:
    """Read a raster whole, as reflectance, normalised as the package says: (1, C, H, W)."""
    (entry,) = json.loads((package / "manifest.json").read_text())["inputs"]
    with rasterio.open(raster, num_threads="all_cpus") as source:
        values = source.read(out_dtype="float32")
        scales, profile = np.float32(source.scales), source.profile
    image = torch.from_numpy(values)
    mean = torch.tensor(entry["mean"])[:, None, None]
    std = torch.tensor(entry["std"])[:, None, None]
    image.mul_(torch.from_numpy(scales)[:, None, None]).sub_(mean).div_(std)
    return image[None], dict(profile)


def write(path: str, scores: NDArray[np.float32], profile: dict[str, Any]) -> None:
    """Write scores (K, H, W) as a GeoTIFF, tiled and not compressed, which is the fastest."""
    profile = {k: profile[k] for k in ("driver", "width", "height", "crs", "transform")}
    layout = {"tiled": True, "blockxsize": 512, "blockysize": 512, "BIGTIFF": "IF_SAFER"}
    with rasterio.open(path, "w", count=len(scores), dtype="float32", **profile, **layout) as target:
        target.write(scores)


def monai(image: Tensor, scorer: Scorer, request: dict[str, Any]) -> Tensor:
    """MONAI's sliding window inference: mode, batch, overlap as a share of the window."""
    from monai.inferers import sliding_window_inference  # type: ignore[attr-defined]

    window = request["window_px"]
    buffered = {"buffer_steps": request["buffer_steps"], "buffer_dim": 0} if request.get("buffer_steps") else {}
    found = sliding_window_inference(
        image, (window, window), request["batch"], scorer, overlap=request["overlap_px"] / window,
        mode=request["mode"], device=torch.device("cpu"), sw_device=torch.device("cpu"), **buffered,
    )  # fmt: skip
    return cast("Tensor", found)


def terratorch(image: Tensor, scorer: Scorer, request: dict[str, Any]) -> Tensor:
    """TerraTorch's tiled inference: window, stride, batch, and its own defaults for all else."""
    window, stride = request["window_px"], request["window_px"] - request["overlap_px"]
    found: Tensor = _tiled_inference()(
        scorer,
        image,
        crop=window,
        stride=stride,
        batch_size=request["batch"],
        blend_overlaps=request["mode"] == "blend",
    )
    return found


@cache
def _tiled_inference() -> Callable[..., Tensor]:
    """Load TerraTorch's file that holds it, as it is.

    The whole package loads torchvision, which must fit torch to the letter; this file needs torch alone, and of its
    one import from the package it makes no use.
    """
    for name in ("terratorch", "terratorch.models", "terratorch.models.utils"):
        sys.modules[name] = ModuleType(name)
    sys.modules["terratorch.models.utils"].pad_images = None  # type: ignore[attr-defined]
    file = distribution("terratorch").locate_file("terratorch/tasks/tiled_inference.py")
    spec = spec_from_file_location("tiled_inference", Path(str(file)))
    if spec is None or spec.loader is None:
        raise ImportError(f"no module in {file}")
    module = module_from_spec(spec)
    sys.modules["tiled_inference"] = module
    spec.loader.exec_module(module)
    found: Callable[..., Tensor] = module.tiled_inference
    return found


PEERS: dict[str, Callable[[Tensor, Scorer, dict[str, Any]], Tensor]] = {"monai": monai, "terratorch": terratorch}


@contextmanager
def timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Keep how long a block takes."""
    started = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - started


def main() -> None:
    """Predict the raster of the request with its peer."""
    request = json.loads(sys.argv[1])
    torch.set_num_threads(request["threads"])
    package = Path(request["package"])
    scorer = Scorer(load_net(package), channels_last=request["channels_last"]).eval()
    infer = PEERS[request["peer"]]
    seconds: dict[str, float] = {}
    with torch.inference_mode():
        infer(torch.zeros(1, 4, 512, 512), scorer, request)  # imports and first calls are start-up
        with timed(seconds, "steady_s"):
            with timed(seconds, "read_s"):
                image, profile = read(request["raster"], package)
            with timed(seconds, "infer_s"):
                scores = infer(image, scorer, request)[0].numpy()
            with timed(seconds, "write_s"):
                write(request["output"], scores, profile)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
