"""What is measured with: rasters of any size and the benchmark's networks, made once and kept.

The rasters have the texture of a real scene: the demo's Landsat scene, mirrored until it fills them. White noise
would flatter: heatmaps of it do not compress, and an encoder gives up on them at several times its usual speed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.results import ROOT

__all__ = ["BANDS", "Material"]

BANDS = ("red", "green", "blue", "nir")
_SCENE = ROOT / "cli" / "gw_cli" / "demo_scene"
_FILES = ("l8_B4.tif", "l8_B3.tif", "l8_B2.tif", "l8_B5.tif")
_BLOCK_PX = 512
_NET = {"width": 8, "depth": 2}
_STEPS = 200


@dataclass(frozen=True)
class Material:
    """A folder of rasters and packages."""

    folder: Path
    """Where they are kept."""

    def raster(self, side_px: int) -> Path:
        """Return a raster of 4 bands of uint16, deflate, in 512 px blocks, with the texture of a real scene."""
        path = self.folder / f"texture-{side_px}.tif"
        if not path.exists():
            _write(path, side_px, _texture())
        return path

    def package(self) -> Path:
        """Return the benchmark's network: a small U-Net, 0.8 GFLOP a window of 256 px."""
        path = self.folder / "unet"
        if not (path / "manifest.json").exists():
            _package_unet(path)
        return path

    def small_package(self) -> Path:
        """Return a network of two convolutions, for large rasters in minutes."""
        from benchmarks.bench_predict import make_package

        path = self.folder / "small" / "package"
        if not (path / "manifest.json").exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            make_package(path.parent)
        return path


def _texture() -> NDArray[np.uint16]:
    """Return one period of the mirrored scene: (4, 2 rows, 2 columns)."""
    import rasterio

    bands = []
    for name in _FILES:
        with rasterio.open(_SCENE / name) as source:
            bands.append(source.read(1))
    scene = np.stack(bands)
    down = np.concatenate([scene, scene[:, ::-1]], axis=1)
    return np.concatenate([down, down[:, :, ::-1]], axis=2)


def _write(path: Path, side_px: int, texture: NDArray[np.uint16]) -> None:
    """Fill a raster with a texture that repeats. It begins where a sweep begins, so that all sizes have whole ones."""
    import rasterio
    from affine import Affine
    from rasterio.windows import Window

    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".tmp")
    with rasterio.open(
        unfinished, "w", driver="GTiff", width=side_px, height=side_px, count=4, dtype="uint16", crs="EPSG:32618",
        transform=Affine(10, 0, 491_520, 0, -10, 4_505_600), tiled=True, blockxsize=_BLOCK_PX, blockysize=_BLOCK_PX,
        compress="deflate", zlevel=6, num_threads="all_cpus",
    ) as target:  # fmt: skip
        target.descriptions = BANDS
        target.scales = (1e-4,) * 4
        across = np.arange(side_px) % texture.shape[2]
        for row in range(0, side_px, _BLOCK_PX):
            down = np.arange(row, min(row + _BLOCK_PX, side_px)) % texture.shape[1]
            target.write(texture[:, down][:, :, across], window=Window(0, row, side_px, len(down)))
    unfinished.replace(path)


def _package_unet(path: Path) -> None:
    from geowatch.package.packaging import NetSource, package_net
    from geowatch.package.spec import ImportSpec

    texture = _texture().reshape(4, -1) * 1e-4
    spec = ImportSpec(
        bands=BANDS, classes=("dark", "middle", "bright"), window=(256, 256), activation="softmax", overlap=64,
        mean=tuple(float(x) for x in texture.mean(1).round(4)), std=tuple(float(x) for x in texture.std(1).round(4)),
        name="benchmark", description="Trained for seconds on a rule of brightness: it shows speed and nothing else.",
    )  # fmt: skip
    weights = path.with_suffix(".safetensors")
    weights.write_bytes(_trained(spec.mean, spec.std))
    package_net(NetSource(net="unet", options=_NET, weights=weights), spec, path)


def _trained(mean: Sequence[float], std: Sequence[float]) -> bytes:
    """Train the network for seconds to tell three classes of brightness, and return its weights.

    Classes of a network that was never trained lie so close together that no reduced precision agrees on them.
    """
    import torch

    from geowatch.nets.registry import build_net
    from geowatch.nets.weights import dump_weights

    torch.manual_seed(0)
    net = build_net("unet", {**_NET, "channels": 4, "heads": {"scores": 3}}, seed=1).train()
    image = torch.from_numpy(_texture().astype(np.float32)) * 1e-4
    image = (image - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
    bright = torch.nn.functional.avg_pool2d(image.mean(0, keepdim=True), 9, 1, 4)[0]
    limits = torch.quantile(bright.flatten()[::101], torch.tensor([1 / 3, 2 / 3]))
    truth = torch.bucketize(bright, limits)
    rule = torch.optim.Adam(net.parameters(), 3e-3)
    for _ in range(_STEPS):
        rows, columns = (torch.randint(0, side - 96, (8,)).tolist() for side in truth.shape)
        places = [(slice(y, y + 96), slice(x, x + 96)) for y, x in zip(rows, columns, strict=True)]
        found = net(torch.stack([image[(slice(None), *place)] for place in places]))["scores"]
        loss = torch.nn.functional.cross_entropy(found, torch.stack([truth[place] for place in places]))
        rule.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        rule.step()
    return dump_weights(net.eval())
