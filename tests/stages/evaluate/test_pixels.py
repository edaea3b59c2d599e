"""A map against the truth, on rasters small enough to be counted by hand."""

import json

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image
from support.shell import gw

from geowatch.errors import ConfigError, ImageryError, InputError
from geowatch.stages.evaluate.pixels import EvaluateConfig, evaluate_pixels
from geowatch.stages.working.events import Silent

AFFINE = Affine(10, 0, 500_000, 0, -10, 4_000_000)
FOUND = [[0, 0, 1, 1], [0, 0, 1, 255], [2, 2, 2, 1]]
TRUTH = [[0, 0, 1, 1], [0, 1, 1, 1], [2, 2, 0, 9]]


def write(path, values, *, affine=AFFINE, crs="EPSG:32618", nodata=None, classes=None, **extra):
    bands = np.array(values)
    bands = bands[np.newaxis] if bands.ndim == 2 else bands
    with rasterio.open(
        path, "w", driver="GTiff", height=bands.shape[1], width=bands.shape[2], count=len(bands), dtype=bands.dtype,
        crs=crs, transform=affine, nodata=nodata,
    ) as file:  # fmt: skip
        file.write(bands)
        if classes:
            file.update_tags(1, CLASSES=",".join(classes))
        for name, value in extra.items():
            setattr(file, name, value)
    return path


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    write(folder / "map.tif", np.array(FOUND, np.uint8), nodata=255, classes=("ground", "water", "wood"))
    return folder


def evaluated(run, tmp_path, truth, **options):
    write(tmp_path / "truth.tif", np.array(truth, np.uint8))
    return evaluate_pixels(EvaluateConfig(truth=str(tmp_path / "truth.tif"), run=str(run), **options))


def test_figures_are_those_that_one_counts_by_hand(run, tmp_path):
    found = evaluated(run, tmp_path, TRUTH)
    # The 255 has no class, the 9 no meaning: ten pixels are compared, eight agree.
    assert found.overall["confusion"] == [[3, 0, 1], [1, 3, 0], [0, 0, 2]]
    assert found.overall["accuracy"] == pytest.approx(0.8)
    chance = 0.4 * 0.4 + 0.4 * 0.3 + 0.2 * 0.3
    assert found.overall["kappa"] == pytest.approx((0.8 - chance) / (1 - chance))
    assert found.overall["classes"]["water"]["iou"] == pytest.approx(3 / 4)
    assert found.coverage == {
        "truth_px": 11,
        "map_px": 11,
        "compared_px": 10,
        "share_of_truth": 10 / 11,
        "share_of_map": 10 / 11,
        "unmapped_px": {"9": 1},
    }


def test_values_of_the_truth_are_given_their_meaning(run, tmp_path):
    shifted = (np.array(TRUTH) + 10) % 256
    found = evaluated(run, tmp_path, shifted, mapping=("10=ground", "12=wood", "rest=water"))
    assert found.overall["confusion"] == [[3, 0, 1], [1, 4, 0], [0, 0, 2]]
    assert found.coverage["share_of_truth"] == pytest.approx(11 / 12)


def test_a_value_may_mean_nothing(run, tmp_path):
    found = evaluated(run, tmp_path, TRUTH, truth_nodata=9.0)
    assert found.coverage["truth_px"] == 11
    assert not found.coverage["unmapped_px"]


def test_truth_on_another_grid_is_read_where_the_maps_pixels_are(run, tmp_path):
    fine = np.kron(np.array(TRUTH), np.ones((3, 3), int)).astype(np.uint8)
    padded = np.full((15, 20), 9, np.uint8)
    padded[3:12, 6:18] = fine
    affine = AFFINE @ Affine.translation(-2, -1) @ Affine.scale(1 / 3)
    write(tmp_path / "fine.tif", padded, affine=affine)
    found = evaluate_pixels(EvaluateConfig(truth=str(tmp_path / "fine.tif"), run=str(run)))
    assert found.overall["confusion"] == [[3, 0, 1], [1, 3, 0], [0, 0, 2]]


def test_truth_of_a_part_is_compared_there_and_the_rest_is_said(run, tmp_path):
    write(tmp_path / "part.tif", np.array(TRUTH, np.uint8)[:, :2])
    found = evaluate_pixels(EvaluateConfig(truth=str(tmp_path / "part.tif"), run=str(run)))
    assert found.coverage["compared_px"] == 6
    assert found.coverage["share_of_truth"] == 1
    assert found.coverage["share_of_map"] == pytest.approx(6 / 11)


def test_scores_and_uncertainty_beside_the_map_are_judged_too(run, tmp_path):
    scores = np.zeros((3, 3, 4), np.uint8)
    for k in range(3):
        scores[k][np.array(FOUND) == k] = 254
    write(run / "probability.tif", scores, nodata=255, scales=(1 / 254,) * 3)
    wrong = np.array(FOUND) != np.array(TRUTH)
    unsure = np.where(wrong, 200, 10).astype(np.uint8)
    write(run / "uncertainty.tif", unsure, nodata=255, scales=(1 / 254,), descriptions=("entropy",))
    found = evaluated(run, tmp_path, TRUTH)
    assert found.overall["uncertainty"]["entropy"]["auroc"] == 1
    assert found.overall["uncertainty"]["entropy"]["error_rate_at"] == {
        "0.5": 0,
        "0.75": 0,
        "0.9": pytest.approx(1 / 9),
        "1": pytest.approx(0.2),
    }
    # Every score is 1, eight of ten are right.
    assert found.overall["calibration_error"] == pytest.approx(0.2)
    # Water: three of four found, none else; a pair of a water and another pixel is in order, but for ties at 0.
    assert found.overall["classes"]["water"]["auroc"] == pytest.approx(0.75 + 0.25 / 2)
    assert found.overall["classes"]["water"]["average_precision"] == pytest.approx(0.75 + 0.25 * 0.4)


def test_each_polygon_has_figures_of_its_own(run, tmp_path):
    from rasterio.warp import transform_geom

    def square(name, x0, x1):
        ring = [(500_000 + 10 * x, 4_000_000 - 10 * y) for x, y in ((x0, 0), (x1, 0), (x1, 3), (x0, 3), (x0, 0))]
        shape = transform_geom("EPSG:32618", "OGC:CRS84", {"type": "Polygon", "coordinates": [ring]})
        return {"type": "Feature", "id": name, "properties": {}, "geometry": shape}

    features = [square("west", -0.1, 2.1), square("east", 1.9, 4.1)]
    features[1]["properties"]["name"] = features[1].pop("id")
    (tmp_path / "r.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    found = evaluated(run, tmp_path, TRUTH, regions=str(tmp_path / "r.geojson"))
    assert found.regions["west"]["confusion"] == [[3, 0, 0], [1, 0, 0], [0, 0, 2]]
    assert found.regions["east"]["confusion"] == [[0, 0, 1], [0, 3, 0], [0, 0, 0]]
    assert found.regions["east"]["classes"]["wood"]["recall"] != found.regions["east"]["classes"]["wood"]["recall"]


def test_a_large_map_is_looked_at_in_blocks_that_add_up(tmp_path):
    rng = np.random.default_rng(0)
    found, truth = rng.integers(0, 3, (2, 1100, 2100), np.uint8)
    write(tmp_path / "classes.tif", found)
    write(tmp_path / "truth.tif", truth)
    config = EvaluateConfig(
        truth=str(tmp_path / "truth.tif"), map=str(tmp_path / "classes.tif"), classes=("a", "b", "c"),
        output=str(tmp_path / "out"),
    )  # fmt: skip
    table = np.zeros((3, 3), int)
    np.add.at(table, (truth, found), 1)
    assert evaluate_pixels(config).overall["confusion"] == table.tolist()


def test_pictures_without_a_place_on_the_earth_are_compared_pixel_by_pixel(tmp_path):
    for name, values in (("found.png", FOUND), ("truth.png", TRUTH)):
        Image.fromarray(np.array(values, np.uint8)).save(tmp_path / name)
    config = EvaluateConfig(
        truth=str(tmp_path / "truth.png"), map=str(tmp_path / "found.png"), classes=("a", "b", "c"),
        output=str(tmp_path / "out"),
    )  # fmt: skip
    assert evaluate_pixels(config).overall["confusion"] == [[3, 0, 1], [1, 3, 0], [0, 0, 2]]
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(tmp_path / "truth.png")
    with pytest.raises(ImageryError, match="5 x 5 pixels, the map 3 x 4"):
        evaluate_pixels(config)


def test_the_command_prints_a_table_and_leaves_figures_a_picture_and_their_lineage(run, tmp_path):
    write(tmp_path / "truth.tif", np.array(TRUTH, np.uint8))
    said = gw("evaluate", "pixels", "--truth", tmp_path / "truth.tif", "--run", run)
    assert "accuracy 0.8000" in said
    assert "90.9% of the truth" in said
    assert "9: 1" in said
    document = json.loads((run / "evaluation/pixels.json").read_text())
    assert document["overall"]["confusion"] == [[3, 0, 1], [1, 3, 0], [0, 0, 2]]
    assert document["overall"]["calibration_error"] is None
    with Image.open(run / "evaluation/pixels.png") as picture:
        assert picture.width > 400
    records = json.loads(gw("lineage", "--run", run, "evaluation/pixels.json", "--json"))
    assert {source["role"] for source in records[0]["sources"]} == {"truth", "map"}


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"mapping": ("1=lava",)}, ConfigError, "1=lava"),
        ({"mapping": ("one=water",)}, ConfigError, "one=water"),
        ({"mapping": ("77=water",)}, InputError, "no pixel has both"),
        ({"map": "nowhere.tif"}, InputError, "nowhere.tif"),
    ],
)
def test_what_cannot_be_compared_is_refused(run, tmp_path, options, error, said):
    with pytest.raises(error, match=said) as caught:
        evaluated(run, tmp_path, TRUTH, **options)
    assert caught.value.hint
    assert not (run / "evaluation").exists()


def test_a_run_without_a_map_or_with_several_says_so(tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(InputError, match="has no map"):
        evaluated(tmp_path / "run", tmp_path, TRUTH)
    for name in ("map-a.tif", "map-b.tif"):
        write(tmp_path / "run" / name, np.array(FOUND, np.uint8), classes=("a", "b", "c"))
    with pytest.raises(InputError, match=r"several maps: map-a\.tif, map-b\.tif"):
        evaluated(tmp_path / "run", tmp_path, TRUTH)
    assert evaluated(tmp_path / "run", tmp_path, TRUTH, map="map-b.tif").overall["accuracy"] > 0.7
    write(tmp_path / "bare.tif", np.array(FOUND, np.uint8))
    with pytest.raises(ConfigError, match="does not say what its values mean"):
        evaluated(tmp_path / "run", tmp_path, TRUTH, map=str(tmp_path / "bare.tif"))


class Notes(Silent):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def series(tmp_path, days=("2020-06-01", "2020-06-11", "2020-06-21")):
    """Return a run with a map of each day; the last truth is missing, and a truth is of no map's day."""
    run, truth = tmp_path / "run", tmp_path / "truth"
    run.mkdir()
    truth.mkdir()
    for day in days:
        write(run / f"map-{day}.tif", np.array(FOUND, np.uint8), nodata=255, classes=("ground", "water", "wood"))
        scores = (np.array(FOUND) == np.arange(3)[:, None, None]).astype(np.uint8) * 254
        write(run / f"probability-{day}.tif", scores, nodata=255, scales=(1 / 254,) * 3)
    write(truth / "labels_20200601.tif", np.array(TRUTH, np.uint8))
    write(truth / "labels_20200611.tif", np.array(FOUND, np.uint8), nodata=255)
    write(truth / "labels_20200701.tif", np.array(FOUND, np.uint8), nodata=255)
    return run, truth


def test_maps_of_several_days_are_compared_with_the_truth_of_their_day(tmp_path):
    run, truth = series(tmp_path)
    heard = Notes()
    found = evaluate_pixels(EvaluateConfig(truth=str(truth), run=str(run)), heard)
    assert heard.notes == ["truth of 2020-07-01 has no map, and was not compared"]
    assert {day: each["accuracy"] for day, each in found.dates.items()} == {"2020-06-01": 0.8, "2020-06-11": 1}
    assert (
        found.overall["confusion"]
        == (
            np.array(found.dates["2020-06-01"]["confusion"]) + np.array(found.dates["2020-06-11"]["confusion"])
        ).tolist()
    )
    assert found.coverage["compared_px"] == 21
    assert found.coverage["unmapped_px"] == {"9": 1}
    # Of 21 pixels, each sure of its class, two are wrong; ground is wrongly named in one and missed in one.
    assert found.overall["calibration_error"] == pytest.approx(2 / 21)
    assert found.overall["classes"]["ground"]["calibration_error"] == pytest.approx(2 / 21)
    assert found.overall["classes"]["wood"]["calibration_error"] == pytest.approx(1 / 21)
    said = gw("evaluate", "pixels", "--truth", truth, "--run", run)
    assert "2020-06-01: accuracy 0.8000" in said
    document = json.loads((run / "evaluation/pixels.json").read_text())
    assert set(document["dates"]) == {"2020-06-01", "2020-06-11"}
    records = json.loads(gw("lineage", "--run", run, "evaluation/pixels.json", "--json"))
    assert [source["role"] for source in records[0]["sources"]] == ["truth", "truth", "map", "map"]


def test_a_day_may_be_chosen_and_one_truth_may_hold_for_several(tmp_path):
    run, truth = series(tmp_path)
    one = evaluate_pixels(EvaluateConfig(truth=str(truth), run=str(run), date=("2020-06-11",)))
    assert (one.overall["accuracy"], list(one.dates)) == (1, ["2020-06-11"])
    file = str(truth / "labels_20200601.tif")
    same_day = evaluate_pixels(EvaluateConfig(truth=file, run=str(run)))
    assert (same_day.overall["accuracy"], same_day.dates) == (0.8, {})
    both = evaluate_pixels(EvaluateConfig(truth=file, run=str(run), date=("2020-06-11", "2020-06-21")))
    assert [each["accuracy"] for each in both.dates.values()] == [0.8, 0.8]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"date": ("2021-01-01",)}, "no map is of 2021-01-01"),
        ({"date": ("2020-06-21",)}, "no map has the day of a truth"),
        ({"map": "map-2020-06-21.tif"}, "no map has the day of a truth"),
        ({"probability": "somewhere.tif"}, "one raster of scores is for one map, not for 2"),
    ],
)
def test_days_that_do_not_fit_are_refused(tmp_path, options, said):
    run, truth = series(tmp_path)
    with pytest.raises(InputError, match=said) as caught:
        evaluate_pixels(EvaluateConfig(truth=str(truth), run=str(run), **options))
    assert caught.value.hint


def test_two_maps_or_truths_of_a_day_cannot_be_told_apart(tmp_path):
    run, truth = series(tmp_path)
    write(run / "map-clouds-2020-06-01.tif", np.array(FOUND, np.uint8), classes=("a", "b", "c"))
    with pytest.raises(InputError, match="two maps are of 2020-06-01"):
        evaluate_pixels(EvaluateConfig(truth=str(truth), run=str(run)))
    write(truth / "again-2020-06-01.tif", np.array(FOUND, np.uint8))
    with pytest.raises(InputError, match="two rasters of 2020-06-01"):
        evaluate_pixels(EvaluateConfig(truth=str(truth), run=str(run)))
