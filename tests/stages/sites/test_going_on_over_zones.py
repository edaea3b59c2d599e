"""gw consolidate --previous over two zones: a series cut into two runs, against one run of all its dates."""

from __future__ import annotations

from types import SimpleNamespace

import pyarrow as pa
import pytest
from support.over_edge import Disc, Scene

from geowatch.stages.consolidate import ConsolidateConfig, consolidate
from geowatch.stages.sites import looks as site_looks
from geowatch.stages.sites.tables import OBSERVATIONS, SITES

DAYS = (0, 16, 32, 48, 64)
DISCS = [
    Disc(0, 0, 150, days=(0, 16)),  # grows, and ends
    Disc(60, 0, 200, days=(32, 48)),
    Disc(-300, 300, 80, days=(16, 32, 48, 64)),  # in one zone
    Disc(-100, -350, 100, days=(32, 48, 64)),  # comes over the edge
    Disc(100, -350, 110, days=(48, 64)),
]
MISSED = Disc(0, 420, 90, days=(0, 32, 64))


def rows(store, key):
    table = pa.ipc.open_file(store.get(key)).read_all().drop_columns(["geometry", *(["time"] * (key == OBSERVATIONS))])
    return table.to_pylist()


@pytest.mark.parametrize(("mode", "link_days"), [("linked", None), ("linked", 32), ("footprint", None)])
@pytest.mark.parametrize("cut", [1, 2, 3, 4])
def test_sites_over_the_edge_go_on_as_in_one_run(tmp_path, monkeypatch, mode, link_days, cut):
    planes = {}
    monkeypatch.setattr(site_looks, "opened", lambda run, digest: SimpleNamespace(planes=planes[run]))

    def run(days, tile_px, previous=None):
        scene = Scene(tracking={"mode": mode, "link_days": link_days}, days=tuple(days), half_m=600)
        discs = [*DISCS, MISSED] if mode == "linked" else DISCS
        store, looked = scene.stored(discs, tmp_path / f"{len(planes)}", tile_px)
        planes[store.url] = looked
        before = None if previous is None else str(previous.root)
        consolidate(ConsolidateConfig(run=str(store.root), deliver=False, region_id="ZZ_R001", previous=before))
        return store

    whole, early = run(DAYS, 64), run(DAYS[:cut], 16)
    late = run(DAYS[cut:] if mode == "linked" else DAYS, 24, early)
    if mode == "linked":
        assert rows(late, OBSERVATIONS) == rows(whole, OBSERVATIONS)
        assert rows(late, SITES) == rows(whole, SITES)
        assert len(rows(late, SITES)) == (6 if link_days is None else 4)
        return
    # A key is from when a site was first found, and scores of frozen dates are those of the outline then.
    for key, names in ((SITES, ("area_px", "n_observations")), (OBSERVATIONS, ("site_id", "date", "seen_share"))):
        made = [[tuple(row[name] for name in names) for row in rows(store, key)] for store in (late, whole)]
        assert made[0] == made[1]
