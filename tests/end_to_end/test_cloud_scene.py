"""A labelled scene through the command line, with a trained network."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from affine import Affine
from support.shell import gw

#: Labels of the scene's authors: shadow 0, land 1, water 2, snow 3, cloud 4. The network's: rest 0, cloud 1, shadow 2.
TO_NETWORK = np.array([2, 0, 0, 0, 1])


def kappa(truth, found):
    """Return Cohen's kappa and overall accuracy."""
    table = np.zeros((3, 3))
    np.add.at(table, (truth.ravel(), found.ravel()), 1)
    share = table / table.sum()
    agree, chance = np.trace(share), share.sum(0) @ share.sum(1)
    return (agree - chance) / (1 - chance), agree


@pytest.mark.slow
def test_clouds_are_found_as_well_as_by_the_networks_authors_wherever_the_lattice_falls(
    shared_data, cloud_package, tmp_path
):
    with np.load(shared_data("cloud_scene") / "sentinel2.npz") as scene:
        image, labels = scene["img"], scene["msk"].squeeze()
    truth = TO_NETWORK[labels]
    figures = []
    for row in range(4):
        for column in range(4):
            # 192 px is the stride: the scene takes 16 places in its period.
            left, top = 499_200 + 10 * (48 * column), 4_800_000 - 10 * (48 * row)
            folder = tmp_path / f"{row}{column}"
            folder.mkdir()
            with rasterio.open(
                folder / "scene.tif", "w", driver="GTiff", height=512, width=512, count=6, dtype="float32",
                crs="EPSG:32633", transform=Affine(10, 0, left, 0, -10, top),
            ) as target:  # fmt: skip
                target.write(np.moveaxis(image, 2, 0))
            gw(
                "run", "--images", folder / "scene.tif", "--bands", "blue,green,red,nir,swir16,swir22",
                "--model", cloud_package, "--run", folder / "run",
            )  # fmt: skip
            with rasterio.open(folder / "run/map.tif") as made:
                figures.append(kappa(truth, made.read(1)))
    worst = min(figures)
    assert worst[0] >= 0.802, figures
