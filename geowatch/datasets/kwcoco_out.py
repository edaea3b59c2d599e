"""Scenes as a kwcoco bundle, and bundles on disk.

Each scene becomes one image, each file of it one asset with the channels that it holds, masks among them; dated scenes
of one CRS that touch each other are one video, and scenes without a time are in none: a video is a series. What kwcoco
has no word for (scale, offset, what a mask hides) stands beside it in ``gw_bands`` and ``gw_masks``, so that the bundle
reads back as the same scenes.
"""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from affine import Affine

from geowatch.datasets.asset_numbers import written_bands, written_masks
from geowatch.datasets.transforms import written_affine
from geowatch.datasets.videos import video_spaces
from geowatch.read.crs import same_crs
from geowatch.read.remote import is_remote
from geowatch.store import open_store
from geowatch.version import __version__

if TYPE_CHECKING:
    from geowatch.datasets.bundle import Json
    from geowatch.read.scene import BandSource, MaskSource, RasterGrid, Scene

__all__ = ["document_of_scenes", "empty_document", "relative_name", "save_document", "world_of"]

_RESERVED = re.compile(r"[|,:()/\s]")
_GROUPS = {"rgb", "rgba", "dxdy", "fxfy"}


def empty_document() -> Json:
    """Return a bundle without images."""
    made_by = {"type": "process", "properties": {"name": "gw", "version": __version__}}
    tables = ("videos", "images", "annotations", "categories", "tracks")
    return {"info": [made_by], **{name: [] for name in tables}}


def document_of_scenes(scenes: Sequence[Scene], root: Path) -> Json:
    """Return the bundle that ``scenes`` make; names of files count from ``root``, the bundle's folder."""
    document = empty_document()
    ordered = sorted(scenes, key=lambda s: (s.time is None, s.time.timestamp() if s.time else 0.0, s.id))
    spaces = video_spaces([_finest(scene) for scene in ordered])
    frames: dict[int, int] = {}
    lasts = _last_bands(ordered)
    for number, (scene, space) in enumerate(zip(ordered, spaces, strict=True), 1):
        image = {"id": number, **_image(scene, root, lasts)}
        if scene.time is not None:
            frames[space.number] = frames.get(space.number, -1) + 1
            to_video = written_affine(~space.transform @ _finest(scene).transform)
            image |= {"video_id": space.number, "frame_index": frames[space.number], "warp_img_to_vid": to_video}
        document["images"].append(image)
    videos = {space.number: space for space in spaces if space.number in frames}
    document["videos"] = [space.to_video() for space in videos.values()]
    return document


def _finest(scene: Scene) -> RasterGrid:
    return min((band.grid for band in scene.bands), key=lambda grid: max(grid.steps))


def _image(scene: Scene, root: Path, lasts: dict[str, int]) -> Json:
    grid = _finest(scene)
    image: Json = {
        "name": scene.id,
        "file_name": None,
        "sensor_coarse": scene.sensor,
        "width": grid.shape[1],
        "height": grid.shape[0],
        "assets": [_asset(file, grid, root, lasts[file.uri]) for file in _files(scene)],
    }
    if scene.time is not None:
        image |= {"date_captured": scene.time.isoformat(), "timestamp": scene.time.timestamp()}
    if scene.cloud_cover is not None:
        image["cloud_cover"] = scene.cloud_cover
    return image | world_of(grid)


def world_of(grid: RasterGrid) -> Json:
    """Return ``warp_to_wld`` and ``wld_crs_info`` of a grid; nothing where it has no georeference."""
    if grid.crs is None:
        return {}
    authority, colon, code = grid.crs.partition(":")
    info = {"auth": [authority, code]} if colon and code.isdigit() else {"wkt": grid.crs}
    return {"warp_to_wld": written_affine(grid.transform), "wld_crs_info": info}


@dataclass(frozen=True)
class _File:
    """One file of a scene."""

    uri: str
    grid: RasterGrid
    bands: list[BandSource]
    masks: list[MaskSource]


def _files(scene: Scene) -> list[_File]:
    files: dict[str, _File] = {}
    for band in scene.bands:
        files.setdefault(band.uri, _File(band.uri, band.grid, [], [])).bands.append(band)
    for mask in scene.masks:
        files.setdefault(mask.uri, _File(mask.uri, mask.grid, [], [])).masks.append(mask)
    return list(files.values())


def _asset(file: _File, image: RasterGrid, root: Path, last: int) -> Json:
    channels = _channels(file, last)
    together = same_crs(file.grid.crs, image.crs)
    asset: Json = {
        "file_name": relative_name(file.uri, root),
        "channels": "|".join(channels[i] for i in sorted(channels)),
        "width": file.grid.shape[1],
        "height": file.grid.shape[0],
        "warp_aux_to_img": written_affine(~image.transform @ file.grid.transform if together else Affine.identity()),
        **world_of(file.grid),
    }
    if file.bands:
        asset["gw_bands"] = written_bands([(channels[b.index], b) for b in file.bands])
    if file.masks:
        asset["gw_masks"] = written_masks([(channels[m.index], m) for m in file.masks])
    return asset


def _last_bands(scenes: Sequence[Scene]) -> dict[str, int]:
    """Return the last band of each file that any scene has: a file may hold several days."""
    lasts: dict[str, int] = {}
    for scene in scenes:
        places = [(b.uri, b.index) for b in scene.bands] + [(m.uri, m.index) for m in scene.masks]
        for uri, index in places:
            lasts[uri] = max(index, lasts.get(uri, 0))
    return lasts


def _channels(file: _File, last: int) -> dict[int, str]:
    """Return a name for every band of the file up to the last that is known."""
    names = {m.index: m.kind for m in file.masks} | {b.index: b.name for b in file.bands}
    found: dict[int, str] = {}
    for index in range(1, last + 1):
        name = _RESERVED.sub("_", names.get(index, f"unused{index}"))
        free = name not in _GROUPS and name not in found.values()
        found[index] = name if free else f"{name}_{index}"
    return found


def relative_name(uri: str, root: Path) -> str:
    """Return a file's name as it is written in a bundle in the folder ``root``: with ``/``, from that folder."""
    return uri if is_remote(uri) else Path(os.path.relpath(uri, root)).as_posix()


def save_document(document: Json, path: Path) -> None:
    """Write a bundle, zipped if its name ends with ``.zip``; it is there whole or not at all.

    Raises:
        StoreError: the folder takes no files.
    """
    content = "".join(_encoded(document)).encode()
    open_store(path.parent).put(path.name, _zipped(content, path.stem) if path.suffix == ".zip" else content)


def _zipped(content: bytes, name: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        # Without a time of its own: equal bundles give equal bytes.
        archive.writestr(zipfile.ZipInfo(f"{name.removesuffix('.json')}.json"), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _encoded(document: Json) -> Iterator[str]:
    """Yield a document with one line for each entry of its tables, which people and diffs can follow."""
    yield "{\n"
    for number, (key, value) in enumerate(document.items()):
        yield f"{json.dumps(key)}: " if not number else f",\n{json.dumps(key)}: "
        if isinstance(value, list) and value:
            yield "[\n" + ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in value) + "\n]"
        else:
            yield json.dumps(value, ensure_ascii=False)
    yield "\n}\n"
