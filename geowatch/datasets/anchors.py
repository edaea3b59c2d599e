"""Whole bundles in memory: names of files that no longer depend on a folder, several bundles as one, parts of one.

Entries are kept as they were written, but for their ids and the names of their files.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from geowatch.datasets.bundle import Bundle, Json, wrap
from geowatch.datasets.kwcoco_out import empty_document, relative_name
from geowatch.errors import ImageryError
from geowatch.read.remote import RemotePath, is_remote, joined, public

__all__ = ["anchored", "assets_of", "named_from", "part_of", "united"]

if TYPE_CHECKING:
    from geowatch.datasets.bundle import Place


def assets_of(image: Json) -> list[Json]:
    """Return the files of an image: itself if it names one, then its auxiliary files and assets."""
    own = [image] if image.get("file_name") else []
    return [*own, *(image.get("auxiliary") or ()), *(image.get("assets") or ())]


def _renamed(image: Json, rename: Callable[[str], str]) -> Json:
    """Return an image whose files have other names."""
    made = dict(image)
    if image.get("file_name"):
        made["file_name"] = rename(str(image["file_name"]))
    for key in ("auxiliary", "assets"):
        if image.get(key):
            made[key] = [
                {**entry, "file_name": rename(str(entry["file_name"]))} if entry.get("file_name") else entry
                for entry in image[key]
            ]
    return made


def anchored(bundle: Bundle) -> Bundle:
    """Return a bundle whose files have absolute names, or addresses."""
    place, root = bundle.place, str(bundle.document.get("img_root") or "")

    def absolute(name: str) -> str:
        if is_remote(name) or name.startswith("/vsi"):
            return name
        if isinstance(place, RemotePath):
            return joined(place.uri, name)
        return os.path.abspath(place.parent / root / name)  # noqa: PTH100 - a link keeps its name, and ".." goes

    images = [_renamed(image, absolute) for image in bundle.images]
    document = {k: v for k, v in bundle.document.items() if k != "img_root"} | {"images": images}
    return replace(bundle, document=document, tables={**bundle.tables, "images": images})


def named_from(document: Json, root: Path) -> Json:
    """Return an anchored document as it is written into the folder ``root``."""
    folder = root.absolute()

    def relative(name: str) -> str:
        return name if name.startswith("/vsi") else relative_name(name, folder)

    return {**document, "images": [_renamed(image, relative) for image in document["images"]]}


def part_of(bundle: Bundle, images: Iterable[Json]) -> Bundle:
    """Return an anchored bundle with these of its images, their annotations, videos and tracks; all categories."""
    kept = list(images)
    ids, videos = {image["id"] for image in kept}, {image.get("video_id") for image in kept}
    annotations = [a for a in bundle.annotations if a["image_id"] in ids]
    tracks = {a.get("track_id") for a in annotations}
    tables = {
        "videos": [v for v in bundle.videos if v["id"] in videos],
        "images": kept,
        "annotations": annotations,
        "categories": bundle.categories,
        "tracks": [t for t in bundle.tables["tracks"] if t["id"] in tracks],
    }
    return replace(bundle, document={**bundle.document, **tables}, tables=tables)


def united(bundles: Sequence[Bundle], place: Place) -> Bundle:
    """Return anchored bundles as one.

    Categories and tracks of one name are one. Videos of one name are one if they have one size and one place; else the
    later one is renamed. An image whose name, time and files are there already adds its annotations to that one.
    """
    total = _Union()
    for bundle in bundles:
        total.add(bundle)
    return wrap(total.document, place)


def _category(categories: dict[int, int], entry: Json, bundle: Bundle) -> int:
    found = categories.get(entry["category_id"])
    if found is None:
        raise ImageryError(
            f"annotation {entry['id']} of '{public(str(bundle.place))}' has category_id {entry['category_id']}, which "
            f"none of the {len(categories)} categories has",
            hint="add it to 'categories', or take the annotation out",
        )
    return found


class _Union:
    """A bundle that grows."""

    def __init__(self) -> None:
        self.document = empty_document()
        self._known: dict[tuple[str, str], int] = {}
        self._images: dict[str, int] = {}
        self._names: set[str] = set()
        self._annotations: set[str] = set()

    def add(self, bundle: Bundle) -> None:
        """Add all of a bundle."""
        videos = {v["id"]: self._video(v) for v in bundle.videos}
        categories = {c["id"]: self._named("categories", c) for c in bundle.categories}
        tracks = {t["id"]: self._named("tracks", t) for t in bundle.tables["tracks"]}
        images = {image["id"]: self._image(image, videos) for image in bundle.images}
        for entry in bundle.annotations:
            made = {**entry, "image_id": images[entry["image_id"]]}
            if entry.get("category_id") is not None:
                made["category_id"] = _category(categories, entry, bundle)
            if entry.get("track_id") in tracks:
                made["track_id"] = tracks[entry["track_id"]]
            self._annotation(made)

    def _append(self, table: str, entry: Json) -> int:
        rows = self.document[table]
        rows.append({**entry, "id": len(rows) + 1})
        return len(rows)

    def _named(self, table: str, entry: Json) -> int:
        key = table, str(entry.get("name"))
        if key not in self._known:
            self._known[key] = self._append(table, entry)
        return self._known[key]

    def _video(self, video: Json) -> int:
        name, number = video.get("name", str(video["id"])), 1
        while True:
            wanted = {**video, "name": name if number == 1 else f"{name}-{number}"}
            known = next((v for v in self.document["videos"] if v["name"] == wanted["name"]), None)
            if known is None:
                return self._append("videos", wanted)
            if all(known.get(key) == video.get(key) for key in ("width", "height", "warp_to_wld", "wld_crs_info")):
                return int(known["id"])
            number += 1

    def _image(self, image: Json, videos: dict[int, int]) -> int:
        files = sorted(str(asset.get("file_name")) for asset in assets_of(image))
        when = next((image[k] for k in ("timestamp", "datetime", "date_captured") if image.get(k)), None)
        key = f"{image.get('name')} {when} {files}"
        if key not in self._images:
            video = {"video_id": videos[image["video_id"]]} if image.get("video_id") is not None else {}
            named = {"name": self._free(str(image["name"]))} if image.get("name") else {}
            self._images[key] = self._append("images", {**image, **video, **named})
        return self._images[key]

    def _free(self, name: str) -> str:
        """Return an image's name, counted where another image has it."""
        number, free = 1, name
        while free in self._names:
            number += 1
            free = f"{name}.{number}"
        self._names.add(free)
        return free

    def _annotation(self, entry: Json) -> None:
        key = repr(sorted((k, v) for k, v in entry.items() if k != "id"))
        if key not in self._annotations:
            self._annotations.add(key)
            self._append("annotations", entry)
