"""A file that holds several days, one after another, is a scene for each of them."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from geowatch.errors import ConfigError, ImageryError
from geowatch.read.catalog import SceneOptions, find_scenes

DAYS = (date(2021, 4, 1), date(2021, 8, 1), date(2021, 9, 1))


@pytest.fixture
def stacked(tmp_path):
    """A file of three days with two bands each, whose values are 1 to 6."""
    path = tmp_path / "stacked.tif"
    place = from_origin(600000, 5000000, 10, 10)
    profile = {"driver": "GTiff", "count": 6, "dtype": "uint16", "height": 8, "width": 9, "crs": 32633}
    with rasterio.open(path, "w", transform=place, **profile) as target:
        target.write(np.arange(1, 7, dtype=np.uint16)[:, None, None] * np.ones((1, 8, 9), np.uint16))
    return path


def test_each_day_has_its_own_bands(stacked):
    scenes = find_scenes([stacked], SceneOptions(bands=("red", "nir"), stack=DAYS)).scenes
    assert [scene.solar_day for scene in scenes] == list(DAYS)
    assert [[(b.name, b.index) for b in scene.bands] for scene in scenes] == [
        [("red", 2 * k + 1), ("nir", 2 * k + 2)] for k in range(3)
    ]
    assert len({scene.id for scene in scenes}) == 3


def test_a_file_of_another_number_of_days_is_refused_with_the_numbers(stacked):
    with pytest.raises(ImageryError, match="6 bands, and --bands names 2 of 2 days"):
        find_scenes([stacked], SceneOptions(bands=("red", "nir"), stack=DAYS[:2]))


@pytest.mark.parametrize("options", [{"stack": DAYS}, {"bands": ("red", "nir"), "stack": (DAYS[0], DAYS[0])}])
def test_a_stack_without_bands_or_with_a_day_twice_is_refused(options):
    with pytest.raises(ConfigError, match="no stack"):
        SceneOptions(**options)
