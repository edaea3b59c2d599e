"""Statistics of imagery are those of its visible pixels."""

from __future__ import annotations

import json

import numpy as np
import pytest
from datasets.bundles import CORNER, ramp, write_bundle, write_tiff

from geowatch.errors import ConfigError, ImageryError
from geowatch.stages.binding.source import SourceConfig
from geowatch.stages.dataset.sources import ChoiceConfig
from geowatch.stages.dataset.stats import StatsConfig, dataset_stats


def counted(*sources, choice=None, domain="sensor", **options):
    named = {key: options.pop(key) for key in ("share", "seed", "output") if key in options}
    return dataset_stats(
        StatsConfig(SourceConfig(tuple(map(str, sources)), **options), choice or ChoiceConfig(), domain, **named)
    )


def test_pixels_under_cloud_do_not_count(eolearn_series, tmp_path):
    from support.eolearn_series import MASKED

    found = counted(eolearn_series.kwcoco, output=str(tmp_path / "stats.json"), **MASKED)["domains"]["sentinel-2"]
    clear = eolearn_series.ndvi[~eolearn_series.cloud].astype(np.float64)
    assert (found["channels"], found["count"], found["scenes"]) == (["ndvi"], clear.size, 68)
    assert found["mean"][0] == pytest.approx(clear.mean(), rel=1e-12)
    assert found["std"][0] == pytest.approx(clear.std(), rel=1e-9)
    assert (found["min"][0], found["max"][0]) == (clear.min(), clear.max())
    assert found["quantiles"]["0.5"][0] == pytest.approx(np.median(clear), abs=0.002)
    written = json.loads((tmp_path / "stats.json").read_text())
    assert (written["schema_version"], written["domains"]["sentinel-2"]) == ("1", found)


def test_values_are_physical_and_domains_stay_apart(shared_data):
    found = counted(shared_data("sentinel2_l1c"), shared_data("landsat8_l1"), choice=ChoiceConfig(channels=("red",)))
    assert set(found["domains"]) == {"sentinel-2", "landsat"}
    assert 0 < found["domains"]["sentinel-2"]["mean"][0] < 1
    assert found["domains"]["landsat"]["mean"][0] > 5000


def test_domains_may_be_a_field_of_the_bundle_or_a_month(tmp_path):
    images = []
    for number, (place, month) in enumerate([("north", 1), ("south", 2), ("south", 1)], 1):
        write_tiff(tmp_path / f"{number}.tif", np.full((1, 4, 4), number, "uint8"), CORNER)
        images.append({"id": number, "name": f"i{number}", "file_name": f"{number}.tif", "place": place,
                       "date_captured": f"2020-0{month}-15"})  # fmt: skip
    path = write_bundle(tmp_path / "x.kwcoco.json", images)
    means = {name: d["mean"] for name, d in counted(path, domain="place")["domains"].items()}
    assert means == {"north": [1], "south": [2.5]}
    months = {name: d["mean"] for name, d in counted(path, domain="month")["domains"].items()}
    assert months == {"image/01": [2], "image/02": [2]}
    with pytest.raises(ConfigError, match="has no owner"):
        counted(path, domain="owner")


def test_bands_that_not_all_have_are_left_out_or_told_apart(tmp_path):
    write_tiff(tmp_path / "a_20200601_B02.tif", ramp(4, 4))
    write_tiff(tmp_path / "b_20200602_B02.tif", ramp(4, 4))
    write_tiff(tmp_path / "b_20200602_B03.tif", ramp(4, 4))
    assert counted(tmp_path)["domains"]["sentinel-2"]["channels"] == ["blue"]
    assert set(counted(tmp_path, domain="channels")["domains"]) == {"sentinel-2:blue", "sentinel-2:blue|green"}
    (tmp_path / "b_20200602_B02.tif").unlink()
    with pytest.raises(ImageryError, match="no band in common: blue, green"):
        counted(tmp_path)


def test_a_share_of_the_blocks_is_drawn_by_the_seed(tmp_path):
    write_tiff(tmp_path / "a_20200601.tif", ramp(3000, 3000))
    whole = counted(tmp_path)["domains"]["image"]["count"]
    some = [counted(tmp_path, share=0.4, seed=seed)["domains"]["image"]["count"] for seed in (1, 1, 2)]
    assert some[0] == some[1] < whole
    assert len(set(some)) == 2
    with pytest.raises(ConfigError, match="reads nothing"):
        counted(tmp_path, share=0.0)
