"""gw consolidate --dry-run: it says what the call would make, fails as the call would, and leaves the run alone."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner
from support.tracked import ArrayPlanes
from support.tracked_run import tracked_run

from geowatch.errors import ConfigError
from geowatch.grid.choice import LatticeChoice
from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.stages.consolidate import ConsolidateConfig, consolidate
from geowatch.stages.sites.foreseen import summary
from gw_cli.main import cli

DAYS = (17000, 17016)
FOLDERS = ("sites/site_models/", "sites/region_models/", "sites/stac/")


def made_run(folder, days=DAYS, **asked):
    stored = np.zeros((len(days), 1, 12, 12), np.uint8)
    stored[:, :, 2:9, 3:8] = 229
    return tracked_run(folder, ArrayPlanes(stored, PixelBox(-3000, 40002, -2988, 40014)), days, 6, **asked)


def left(folder):
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")}


def keys(files):
    """Return files with one folder for all documents in it."""
    return {next((folder for folder in FOLDERS if key.startswith(folder)), key) for key in files}


RUNS = {
    "dated": ({}, {"region_id": "ZZ_R001"}),
    "of a region that smart has no id for": ({}, {}),
    "undated": ({"days": (None,)}, {"region_id": "ZZ_R001"}),
    "of plain pixels": ({"lattice": LatticeChoice(imagery=Lattice(None, 1.0, 1.0))}, {}),
    "of plain pixels with an id": (
        {"lattice": LatticeChoice(imagery=Lattice(None, 1.0, 1.0))},
        {"region_id": "ZZ_R001"},
    ),
    "of two files": ({}, {"outputs": ("fgb", "summary")}),
    "of tables": ({}, {"deliver": False}),
}


@pytest.mark.parametrize(("run", "asked"), RUNS.values(), ids=RUNS)
def test_what_is_foreseen_is_what_is_made(tmp_path, run, asked):
    made_run(tmp_path, **run)
    before = left(tmp_path)
    found = consolidate(ConsolidateConfig(run=str(tmp_path), dry_run=True, **asked)).foreseen
    assert left(tmp_path) == before
    done = consolidate(ConsolidateConfig(run=str(tmp_path), **asked))
    assert set(found.files) == keys(done.files)
    assert not any(list(tmp_path.glob(f"{key.rstrip('/')}*")) for key in found.left_out)
    assert "4 fragments" in summary(found)[0][1]


@pytest.mark.parametrize("asked", [{"outputs": ("smart",)}, {"mosaic_crs": "EPSG:3857"}])
def test_what_cannot_be_made_is_refused_in_the_same_words(tmp_path, asked):
    made_run(tmp_path)
    said = []
    for dry in (True, False):
        with pytest.raises(ConfigError) as refused:
            consolidate(ConsolidateConfig(run=str(tmp_path), dry_run=dry, **asked))
        said.append(str(refused.value))
    assert said[0] == said[1]


def test_a_missing_tile_is_told_and_fails_as_the_call_itself(tmp_path):
    store = made_run(tmp_path / "run")
    store.delete(next(key for key in store.list("fragments/") if key.endswith("-499_6667.arrow")))
    before = left(tmp_path)
    words = ["consolidate", "--run", str(tmp_path / "run"), "--no-deliver"]
    ran = CliRunner().invoke(cli, [*words, "--dry-run"])
    assert ran.exit_code == 1
    assert "joins    3 of 4 tiles on 1 grid" in ran.stdout
    assert "missing  1 tile was not tracked, such as utm18n/-499_6667" in ran.stdout
    assert left(tmp_path) == before
    assert CliRunner().invoke(cli, [*words, "--dry-run", "--allow-gaps"]).exit_code == 0
    assert left(tmp_path) == before
    really = CliRunner().invoke(cli, words)
    assert (really.exit_code, really.stderr) == (1, ran.stderr)


def test_sites_of_the_previous_run_are_counted_and_unfit_ones_refused(tmp_path):
    for name in ("before", "after"):
        made_run(tmp_path / name)
    run, asked = str(tmp_path / "after"), {"previous": str(tmp_path / "before"), "deliver": False}
    words = ["consolidate", "--run", run, "--previous", asked["previous"], "--no-deliver", "--dry-run"]
    assert CliRunner().invoke(cli, words).exit_code == 2  # no sites there yet
    consolidate(ConsolidateConfig(run=asked["previous"], deliver=False))
    found = consolidate(ConsolidateConfig(run=run, dry_run=True, **asked)).foreseen
    assert found.earlier_sites == 1
    assert ("goes on", "with 1 site of the previous run") in summary(found)
