"""Clean: what a run folder holds that nobody needs."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from geowatch.errors import InputError
from geowatch.predict.recipe import read_recipe
from geowatch.sites.detections import DETECTIONS
from geowatch.sites.fragment import FRAGMENTS
from geowatch.stages.sites.record import read_record
from geowatch.stages.sites.stale import made_of_tables, prune_folders
from geowatch.stitch.heatmap import HEATMAP, is_shard
from geowatch.store import LocalStore, open_store
from geowatch.store.markers import FOLDER, markers_in, read_marker
from geowatch.track.boxes import OBJECTS, objects_key
from geowatch.track.document import TRACKING, Tracking

if TYPE_CHECKING:
    from geowatch.store import Store

__all__ = ["CleanConfig", "Cleaned", "clean"]


@dataclass(frozen=True)
class CleanConfig:
    """What clean is asked for."""

    run: str = "gw-run"
    """Run folder."""
    dry_run: bool = False
    """Say what would go, remove nothing."""
    heatmap: bool = False
    """Remove heatmap and markers as well, once the maps are made."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What went, or would go."""

    paths: tuple[str, ...]
    """What was removed."""
    bytes: int
    """How much that was."""


def clean(config: CleanConfig) -> Cleaned:
    """Remove what killed processes left behind, and what is of earlier trackings and earlier sites.

    Killed processes leave unfinished files, and objects that no marker lists. No command may be at work on the run:
    what it has not finished looks abandoned.

    Raises:
        InputError: where the folder is no run, or its maps are not made and ``heatmap`` is asked for.
    """
    store = open_store(config.run)
    if store.size("plan/plan.json") is None:
        raise InputError(f"{store.url} is no run folder: it has no plan", hint="name the run with --run")
    paths, size = _unfinished(store, config.dry_run)
    doomed = _doomed(store, config)
    for key in doomed:
        paths.append(key)
        size += store.size(key) or 0
        if not config.dry_run:
            store.delete(key)
    if not config.dry_run:
        _prune(store, doomed)
    return Cleaned(tuple(paths), size)


def _prune(store: Store, removed: list[str]) -> None:
    """Remove the folders in which that left nothing; below ``sites`` there may be folders of others."""
    prune_folders(store)
    if isinstance(store, LocalStore):
        for folder in {key.partition("/")[0] for key in removed if "/" in key} - {"sites"}:
            store.prune(folder)


def _unfinished(store: Store, dry_run: bool) -> tuple[list[str], int]:
    found = list(store.unfinished()) if isinstance(store, LocalStore) else []
    for path, _ in found:
        if not dry_run:
            _remove(path)
    return [str(path) for path, _ in found], sum(size for _, size in found)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _doomed(store: Store, config: CleanConfig) -> list[str]:
    """Return the keys of objects that no marker needs."""
    if config.heatmap:
        if store.size("coverage.json") is None:
            raise InputError(f"the maps of {store.url} are not made yet", hint="run gw stitch first")
        return [key for folder in (HEATMAP, FOLDER, DETECTIONS) for key in store.list(f"{folder}/")]
    recipe = read_recipe(store)
    if recipe is None:
        return _stale(store)
    listed: set[str] = set()
    for place in markers_in(store, recipe.digest):
        marker = read_marker(store, place)
        listed |= {o.key for o in marker.objects} if marker else set()
    unlisted = [key for key in store.list(f"{HEATMAP}/") if is_shard(key) and key not in listed]
    unlisted += [key for key in store.list(f"{DETECTIONS}/") if key not in listed]
    return [*unlisted, *_stale(store)]


def _stale(store: Store) -> list[str]:
    """Return what earlier trackings and earlier sites left."""
    return [*_untracked(store), *_unlisted(store)]


def _unlisted(store: Store) -> list[str]:
    """Return files of sites that the record does not list, of those that consolidate makes."""
    record = read_record(store)
    if record is None:
        return []
    listed = {each.key for each in record.files}
    return [key for key in made_of_tables(store) if key not in listed]


def _untracked(store: Store) -> list[str]:
    """Return fragments and boxes that ``track.json`` does not name."""
    if store.size(TRACKING) is None:
        return []
    tracking = Tracking.from_json(store.get(TRACKING))
    kept = (f"{FRAGMENTS}/{tracking.digest[:12]}/", "" if tracking.boxes is None else objects_key(tracking.boxes))
    found = [*store.list(f"{FRAGMENTS}/"), *store.list(f"{OBJECTS}/")]
    return [key for key in found if not key.startswith(kept[0]) and key != kept[1]]
