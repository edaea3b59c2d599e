"""From a map back to the files that it was made from."""

from geowatch.stages.lineage import lineage
from geowatch.stages.stitch import StitchConfig, stitch
from geowatch.store import open_store
from geowatch.store.markers import StoredObject


def test_a_map_leads_back_to_scenes_package_and_recipe(job, scene, tiny_package, tmp_path):
    folder = job(tmp_path / "run")
    stitch(StitchConfig(run=str(folder)))
    store = open_store(folder)
    (made,) = lineage(str(folder), "map.tif")
    assert made.sha256 == StoredObject.of("map.tif", store.get("map.tif")).sha256
    (heatmap,) = lineage(str(folder), made.sources[0].uri)
    assert heatmap.recipe == made.recipe
    roles = {source.role: source for source in heatmap.sources}
    assert roles["scene"].uri == str(scene)
    assert roles["scene"].bytes == scene.stat().st_size
    assert roles["scene"].version == f"mtime_ns:{scene.stat().st_mtime_ns}"
    assert roles["package"].uri == str(tiny_package)
    assert heatmap.figures["read_bytes"] > 0
    assert heatmap.options["imagery"]["images"] == [str(scene)]


def test_making_the_same_map_again_adds_no_record(job, tmp_path):
    folder = job(tmp_path / "run")
    stitch(StitchConfig(run=str(folder)))
    stitch(StitchConfig(run=str(folder)))
    assert len(lineage(str(folder), "map.tif")) == 1
