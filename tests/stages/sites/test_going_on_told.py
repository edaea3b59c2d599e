"""What is told of sites that go on: their lineage, and what became of an earlier run's in the summary."""

from __future__ import annotations

import csv
import io
from hashlib import sha256

from support.going_on import one_box

from geowatch.stages.consolidate import ConsolidateConfig, consolidate
from geowatch.stages.lineage import lineage
from geowatch.stages.sites.tables import FOOTPRINTS, HISTORY, OBSERVATIONS, ONGOING, SITES


def test_sites_that_go_on_lead_back_to_what_the_earlier_run_left(tmp_path):
    series = one_box(tmp_path, [1, 1, 1])
    first = series.run(0, 2, 5)
    last = series.run(2, 3, 5, first)
    for key in (SITES, OBSERVATIONS, FOOTPRINTS, ONGOING, HISTORY):
        (alone,), (made,) = lineage(first.store.url, key), lineage(last.store.url, key)
        assert [source.role for source in alone.sources] == ["fragments"]
        assert made.sources[0].role == "fragments"
        assert {each.uri: (each.bytes, each.version) for each in made.sources if each.role == "earlier run"} == {
            f"{first.store.url}/{name}": (first.store.size(name), f"sha256:{sha256(first.store.get(name)).hexdigest()}")
            for name in (SITES, OBSERVATIONS, FOOTPRINTS, ONGOING, HISTORY)
        }


def test_the_summary_counts_what_became_of_earlier_sites(tmp_path):
    series = one_box(tmp_path, [1, 1, 1], [1, 1, 0], [1, 0, 0], [0, 0, 1], phases="argmax")
    runs = [series.run(0, 2, 5, deliver=True, outputs=("summary",))]
    runs.append(series.run(2, 3, 5, runs[0], deliver=True, outputs=("summary",)))
    first, last = (list(csv.DictReader(io.StringIO(run.store.get("sites/summary.csv").decode())))[-1] for run in runs)
    names = ("sites", "ongoing", "goes_on", "ended_since", "had_ended", "new")
    assert [first[name] for name in names] == ["3", "2", "", "", "", ""]
    assert [last[name] for name in names] == ["4", "2", "1", "1", "1", "1"]


def test_the_same_sites_of_another_earlier_run_lead_back_to_it_too(tmp_path):
    series = one_box(tmp_path, [0, 0, 1])
    runs = [series.run(0, after, 5) for after in (1, 2)]
    last = series.run(2, 3, 5, runs[0])
    before = last.store.get(SITES)
    consolidate(
        ConsolidateConfig(
            run=last.store.url, previous=runs[1].store.url, deliver=False, region_id="ZZ_R001", phases="argmax"
        )
    )
    assert last.store.get(SITES) == before
    led = [{each.uri.rpartition("/sites/")[0] for each in made.sources[1:]} for made in lineage(last.store.url, SITES)]
    assert sorted(led, key=str) == sorted([{run.store.url} for run in runs], key=str)
