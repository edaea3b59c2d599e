"""Image series from whatever holds them: kwcoco bundles, and all that `read.catalog` reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from geowatch.datasets.bundle import is_bundle, read_bundle
from geowatch.datasets.kwcoco_in import scenes_of_bundle
from geowatch.errors import ConfigError, ImageryError
from geowatch.read.catalog import Catalog, SceneOptions, find_scenes
from geowatch.read.remote import RemotePath, is_remote

if TYPE_CHECKING:
    from geowatch.datasets.bundle import Place
    from geowatch.read.build import Found, Refused
    from geowatch.read.scene import Scene
    from geowatch.read.select import Selection

__all__ = ["find_series", "split_sources"]


def find_series(
    sources: Sequence[str | Path],
    options: SceneOptions | None = None,
    video: str | None = None,
    selection: Selection | None = None,
    refused: Refused | None = None,
) -> Catalog:
    """Return the scenes that ``sources`` hold.

    Args:
        sources: what `find_scenes` takes, and kwcoco bundles. Where scenes overlap, those of bundles lie below others,
            and those of an earlier bundle on top.
        options: what the files do not say.
        video: series of the bundles to take, by name.
        selection: lets images of bundles be passed over before their files are opened; it is not applied otherwise.
        refused: hears of scenes that cannot be used, which then are left out; without it the first ends the search.

    Raises:
        ImageryError: a source is not there, or holds no images.
        ConfigError: a video is named, and no bundle has it.
        CorruptImageError: a file is damaged.
    """
    options = options or SceneOptions()
    places, others = split_sources(sources)
    if video is not None and not places:
        raise ConfigError(f"--video {video} chooses from a kwcoco bundle, and none is given", hint="leave it out")
    first = find_scenes(others, options, refused) if others or not places else Catalog((), ())
    found: list[Found] = []
    bundles = [read_bundle(place, options.remote) for place in places]
    for number, bundle in enumerate(bundles):
        series = list(scenes_of_bundle(bundle, options, video, selection, refused))
        found += [replace(f, scene=replace(f.scene, priority=len(others) + number)) for f in series]
    if places and not found and not first.scenes and not any(bundle.images for bundle in bundles):
        raise ImageryError(
            f"{', '.join(repr(p.name) for p in places)} has no images", hint="give a bundle that lists some"
        )
    if places and not found and not first.scenes:
        raise ImageryError(
            f"no image of {', '.join(repr(p.name) for p in places)} is of the days and the cloud that are asked for",
            hint="gw dataset scan shows what there is",
        )
    scenes = _named_apart([*first.scenes, *(f.scene for f in found)])
    notes = tuple(dict.fromkeys([*first.notes, *(n for f in found for n in f.notes)]))
    return Catalog(scenes, notes, _queries(first.queries, found))


def split_sources(sources: Iterable[str | Path]) -> tuple[list[Place], list[str | Path]]:
    """Return which of the sources are bundles, and the others."""
    places: list[Place] = []
    others: list[str | Path] = []
    for source in sources:
        place: Place = RemotePath(str(source)) if is_remote(source) else Path(source)
        if is_bundle(place):
            places.append(place)
        else:
            others.append(source)
    return places, others


def _queries(known: Mapping[str, str], found: Sequence[Found]) -> dict[str, str]:
    return {**known, **{uri: query for f in found for uri, query in f.queries}}


def _named_apart(scenes: Sequence[Scene]) -> tuple[Scene, ...]:
    """Return scenes with names of their own: those that share one are counted."""
    counts, seen = Counter(s.id for s in scenes), Counter[str]()
    named = []
    for scene in scenes:
        seen[scene.id] += 1
        named.append(replace(scene, id=f"{scene.id}.{seen[scene.id]}") if counts[scene.id] > 1 else scene)
    return tuple(named)
