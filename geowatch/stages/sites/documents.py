"""Site models and region models on disk: files, folders of them, and run folders.

As the programme has it, a file belongs to a region when its name has the region's id in it. What a name leaves open
the document says: its site's ``region_id``, or else what its ``site_id`` begins with.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from geowatch.errors import InputError
from geowatch.grid.region import parse_region
from geowatch.sites.model import RegionModel, Site
from geowatch.sites.schema import REGION_ID
from geowatch.sites.smart import parse_region_model, parse_site

__all__ = ["Documents", "find_documents", "read_regions", "read_sites"]

_SITES = ("sites/site_models", "site_models", ".")
_SITE_MODEL = "give GeoJSON that has a feature of type 'site', such as those in sites/site_models of a run"
_REGIONS = ("sites/region_models", "region_models", ".")
#: A region's id in the name of a file.
_IN_NAME = re.compile(REGION_ID.pattern.strip("^$"))


@dataclass(frozen=True)
class Documents:
    """GeoJSON files, by name."""

    paths: tuple[Path, ...]
    """Files."""
    asked: tuple[str, ...]
    """What the user named."""

    def of(self, region_id: str) -> tuple[Path, ...]:
        """Return the files of a region."""
        return tuple(path for path in self.paths if region_id in path.name or self._said.get(path) == region_id)

    def check(self, region_ids: Collection[str]) -> None:
        """Refuse site models that would be passed over since nothing says which region they are of.

        Raises:
            InputError: for one of which neither name nor document says it.
        """
        for path, region in self._said.items():
            if not region and not any(name in path.name for name in region_ids):
                raise InputError(
                    f"{path} does not say which region its site is of: there is no id in its name, and no region_id",
                    hint=f"call it {min(region_ids)}_0000.geojson, for example, or give its site a region_id",
                )

    @cached_property
    def _said(self) -> dict[Path, str]:
        """Regions of site models whose names do not tell, as the documents say; empty where they do not either."""
        open_ = [path for path in self.paths if not _IN_NAME.search(path.name)]
        sites = {path: _site_of(path, strict=str(path) in self.named) for path in open_}
        return {path: _region_of(site) for path, site in sites.items() if site is not None}

    @property
    def named(self) -> frozenset[str]:
        """The files that were named one by one, which must be what they are taken for."""
        return frozenset(str(Path(name)) for name in self.asked)


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
            raise InputError(f"{path} is no site model", hint=_SITE_MODEL)
    return found


def _site_of(path: Path, *, strict: bool) -> Mapping[str, Any] | None:
    """Return the properties of a document's site; None for another kind, which is an error if ``strict``."""
    try:
        document = _json(_bytes(path), path)
    except InputError:
        if strict:
            raise
        return None
    features = document.get("features") if isinstance(document, dict) else None
    sites = [each["properties"] for each in features if _kind(each) == "site"] if isinstance(features, list) else []
    if strict and not sites:
        raise InputError(f"{path} is no site model", hint=_SITE_MODEL)
    return sites[0] if sites else None


def _region_of(site: Mapping[str, Any]) -> str:
    found = site.get("region_id")
    if isinstance(found, str) and found:
        return found
    begins = _IN_NAME.match(str(site.get("site_id")))
    return begins[0] if begins else ""


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
