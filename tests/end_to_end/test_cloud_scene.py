"""A labelled scene through the command line, with a trained network."""

from __future__ import annotations

import json

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


def write_scene(shared_data, folder, row, column):
    """Write the scene at one of the 16 places that 48 px steps have in the lattice's period, and its truth."""
    with np.load(shared_data("cloud_scene") / "sentinel2.npz") as scene:
        image, labels = scene["img"], scene["msk"].squeeze()
    folder.mkdir()
    affine = Affine(10, 0, 499_200 + 10 * (48 * column), 0, -10, 4_800_000 - 10 * (48 * row))
    for name, bands in (("scene.tif", np.moveaxis(image, 2, 0)), ("labels.tif", labels[np.newaxis].astype(np.uint8))):
        with rasterio.open(
            folder / name, "w", driver="GTiff", height=512, width=512, count=len(bands), dtype=bands.dtype,
            crs="EPSG:32633", transform=affine,
        ) as target:  # fmt: skip
            target.write(bands)
    return TO_NETWORK[labels]


def map_scene(folder, package, *options):
    """Run the network over the scene and return the map."""
    gw(
        "run", "--images", folder / "scene.tif", "--bands", "blue,green,red,nir,swir16,swir22", "--model", package,
        "--run", folder / "run", *options,
    )  # fmt: skip
    with rasterio.open(folder / "run/map.tif") as made:
        return made.read(1)


@pytest.mark.slow
def test_clouds_are_found_as_well_as_by_the_networks_authors_wherever_the_lattice_falls(
    shared_data, cloud_package, tmp_path
):
    figures = []
    for row in range(4):
        for column in range(4):
            folder = tmp_path / f"{row}{column}"
            truth = write_scene(shared_data, folder, row, column)
            figures.append(kappa(truth, map_scene(folder, cloud_package)))
    worst = min(figures)
    assert worst[0] >= 0.802, figures


@pytest.mark.slow
def test_with_flips_and_turns_the_authors_figure_is_passed_and_doubt_foretells_errors(
    shared_data, cloud_package, tmp_path
):
    """Of the sixteen places this is the worst, with 0.8117; the mean of all is 0.8128, the best 0.8134."""
    folder = tmp_path / "scene"
    truth = write_scene(shared_data, folder, 1, 3)
    found = map_scene(folder, cloud_package, "--tta", "d4", "--uncertainty", "entropy,tta")
    gw(
        "evaluate", "pixels", "--truth", folder / "labels.tif", "--run", folder / "run",
        "--mapping", "0=shadow,4=cloud,rest=background",
    )  # fmt: skip
    figures = json.loads((folder / "run/evaluation/pixels.json").read_text())["overall"]
    assert figures["kappa"] > 0.8095
    assert figures["kappa"] == pytest.approx(kappa(truth, found)[0])
    assert figures["accuracy"] == pytest.approx(kappa(truth, found)[1])
    # Measured: 0.89 and 0.88.
    assert all(kind["auroc"] >= 0.8 for kind in figures["uncertainty"].values()), figures["uncertainty"]
    assert figures["calibration_error"] < 0.05
