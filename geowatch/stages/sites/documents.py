"""Site models and region models on disk: files, folders of them, and run folders.

As the programme has it, a file of a folder belongs to a region when its name has the region's id in it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from geowatch.errors import InputError
from geowatch.grid.region import parse_region
from geowatch.sites.model import RegionModel, Site
from geowatch.sites.smart import parse_region_model, parse_site

__all__ = ["Documents", "find_documents", "read_regions", "read_sites"]

_SITES = ("sites/site_models", "site_models", ".")
_REGIONS = ("sites/region_models", "region_models", ".")


@dataclass(frozen=True, slots=True)
class Documents:
    """GeoJSON files, by name."""

    paths: tuple[Path, ...]
    """Files."""
    asked: tuple[str, ...]
    """What the user named."""

    def of(self, region_id: str) -> tuple[Path, ...]:
        """Return the files whose name has a region's id in it."""
        return tuple(path for path in self.paths if region_id in path.name)


def find_documents(asked: Sequence[str], *, regions: bool = False, may_be_empty: bool = False) -> Documents:
    """Find the documents of files, of folders, of folders with ``site_models``, and of run folders.

    Raises:
        InputError: where something named does not exist, or holds no GeoJSON and may not be empty.
    """
    inside = _REGIONS if regions else _SITES
    found = [path for name in asked for path in _files(Path(name), inside, may_be_empty=may_be_empty)]
    return Documents(tuple(sorted(dict.fromkeys(found), key=lambda path: (path.name, str(path)))), tuple(asked))


def _files(path: Path, inside: Sequence[str], *, may_be_empty: bool) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError(f"there is no {path}", hint="give GeoJSON files, a folder of them, or a run folder")
    for folder in (path / each for each in inside):
        found = [each for each in folder.glob("*") if each.suffix in (".geojson", ".json")]
        if found:
            return found
    if may_be_empty:
        return []
    raise InputError(f"{path} holds no GeoJSON", hint="give a folder of site models, or a run after gw consolidate")


def read_regions(documents: Documents) -> list[RegionModel]:
    """Read region models, or plain regions that have dates, one a file.

    Raises:
        InputError: where a file holds no region with a first and a last day.
    """
    return [_region(path) for path in documents.paths]


def _region(path: Path) -> RegionModel:
    content = _bytes(path)
    document = _json(content, path)
    if isinstance(document, dict) and _holds(document, "region"):
        return parse_region_model(document, path.name)
    if isinstance(document, dict) and _holds(document, "site"):
        raise InputError(f"{path} is a site model, no region", hint="give a SMART region model, or a plain outline")
    plain = parse_region(document, name=path.stem)
    if plain.start is None or plain.end is None:
        raise InputError(f"{path} has no start_date or no end_date", hint="give a SMART region model, or add both")
    return RegionModel(plain.id, plain.geometry, plain.start, plain.end)


def read_sites(paths: Sequence[Path], named: Collection[str] = ()) -> list[Site]:
    """Read site models in the order of their names; GeoJSON of another kind in a folder is passed over.

    Raises:
        InputError: where a file cannot be read, or one that the user ``named`` is no site model.
    """
    found = []
    for path in paths:
        document = _json(_bytes(path), path)
        if isinstance(document, dict) and _holds(document, "site"):
            found.append(parse_site(document, path.name))
        elif str(path) in named:
            raise InputError(f"{path} is no site model", hint="give GeoJSON that has a feature of type 'site'")
    return found


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", hint="check the file's permissions") from error


def _json(content: bytes, path: Path) -> object:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no JSON: {error}", hint="give GeoJSON files") from error


def _holds(document: Mapping[str, object], kind: str) -> bool:
    """Whether one of a document's features is of a kind."""
    features = document.get("features")
    return isinstance(features, list) and any(_kind(each) == kind for each in features)


def _kind(feature: object) -> object:
    properties = feature.get("properties") if isinstance(feature, dict) else None
    return properties.get("type") if isinstance(properties, dict) else None
