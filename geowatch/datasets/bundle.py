"""A kwcoco bundle as it is on disk: one JSON document, plain or in a zip, and the files that it names.

The document is checked for its shape and kept as it is, so that what gw does not know survives; what is asked of an
image is read when it is asked. 100,000 images are read in seconds, without the ``kwcoco`` package.
Source: ``kwcoco.coco_schema`` of PyPI ``kwcoco``; COCO, "data format".
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path, PurePath
from typing import Any

from geowatch.datasets.entries import misfit
from geowatch.errors import ImageryError, MalformedError
from geowatch.read.asking import fetch
from geowatch.read.metadata import parse_time
from geowatch.read.remote import Remote, RemotePath, is_remote, public

__all__ = ["Bundle", "Json", "Place", "is_bundle", "read_bundle", "time_of", "wrap"]

Json = dict[str, Any]
#: A file, or the address of one.
Place = Path | RemotePath
#: A million images make about a gigabyte of text.
MAX_BUNDLE_BYTES = 4 * 1024**3
_TABLES = ("videos", "images", "annotations", "categories", "tracks")
_ENDINGS = (".kwcoco.json", ".kwcoco.zip", ".kwcoco.json.zip")
_TIME_KEYS = ("timestamp", "datetime", "date_captured")
_DATE_CHARS = len("2020-06-01")


@dataclass(frozen=True)
class Bundle:
    """One document."""

    place: Place
    """Where it is."""
    document: Json
    """All of it."""
    tables: dict[str, list[Json]] = field(repr=False)
    """Its videos, images, annotations, categories and tracks; each is there, empty or not."""

    @property
    def name(self) -> str:
        """The file's name without its endings."""
        stem = PurePath(self.place.name).name
        for ending in (*_ENDINGS, ".json", ".zip"):
            stem = stem.removesuffix(ending)
        return stem

    @property
    def videos(self) -> list[Json]:
        """Series of images."""
        return self.tables["videos"]

    @property
    def images(self) -> list[Json]:
        """Images, one a time."""
        return self.tables["images"]

    @property
    def annotations(self) -> list[Json]:
        """Labels."""
        return self.tables["annotations"]

    @property
    def categories(self) -> list[Json]:
        """Classes of the labels."""
        return self.tables["categories"]

    def where(self, image: Json) -> str:
        """Return what an image is called in messages."""
        return f"image {image['id']} of '{public(str(self.place))}'"


def is_bundle(path: Path | RemotePath) -> bool:
    """Whether a file is a COCO or kwcoco document: by its name, else by what stands in it."""
    if path.name.endswith(_ENDINGS):
        return True
    if isinstance(path, RemotePath) or path.suffix.lower() not in {".json", ".zip"} or not path.is_file():
        return False
    try:
        document = json.loads(_text(path))
    except (ImageryError, ValueError, RecursionError):
        return False
    return isinstance(document, dict) and isinstance(document.get("images"), list) and "type" not in document


def read_bundle(source: str | Path | RemotePath, remote: Remote | None = None) -> Bundle:
    """Read a bundle, here or elsewhere.

    Raises:
        ImageryError: it is not there, no JSON, or no bundle; the message says what is wrong and with which entry.
        MalformedError: it is a zip that breaks.
    """
    place: Place = RemotePath(str(source)) if is_remote(source) else Path(str(source))
    content = _unzipped(fetch(place.uri, remote or Remote(), MAX_BUNDLE_BYTES), place) if isinstance(
        place, RemotePath) else _text(place)  # fmt: skip
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ImageryError(f"'{_shown(place)}' is no JSON: {error}", hint="write the bundle again") from error
    return wrap(document, place)


def wrap(document: object, place: Place) -> Bundle:
    """Return the bundle that ``document`` is, or raise ImageryError."""
    if not isinstance(document, dict) or not isinstance(document.get("images"), list):
        got = f"the keys {', '.join(sorted(document)[:8]) or 'none'}" if isinstance(document, dict) else "no object"
        raise ImageryError(
            f"'{_shown(place)}' is no kwcoco bundle: it has {got}, and no list 'images'",
            hint="give a kwcoco or COCO document, such as data.kwcoco.json",
        )
    tables = {name: _table(document, name, place) for name in _TABLES}
    _check_references(tables, place)
    return Bundle(place, document, tables)


def _shown(place: Place) -> str:
    return public(str(place))


def _text(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_BUNDLE_BYTES:
            raise ImageryError(f"'{path}' has {size} bytes", hint="split the bundle")
        return _unzipped(path.read_bytes(), path)
    except OSError as error:
        raise ImageryError(f"'{path}' cannot be read: {error.strerror}", hint="check the path") from error


def _unzipped(content: bytes, place: Place) -> bytes:
    if not content.startswith(b"PK\x03\x04"):
        return content
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [m for m in archive.infolist() if m.filename.endswith(".json")]
            if len(members) != 1 or members[0].file_size > MAX_BUNDLE_BYTES:
                raise ImageryError(
                    f"'{_shown(place)}' holds {len(members)} JSON files", hint="a zipped bundle holds one, of < 4 GiB"
                )
            with archive.open(members[0]) as file:
                return file.read(MAX_BUNDLE_BYTES)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise MalformedError(f"'{_shown(place)}' is a damaged zip: {error}", hint="write it again") from error


def _table(document: Mapping[str, object], name: str, place: Place) -> list[Json]:
    entries = document.get(name) or []
    if not isinstance(entries, list):
        raise ImageryError(f"'{name}' of '{_shown(place)}' is no list", hint="write the bundle again")
    seen: set[int] = set()
    for number, entry in enumerate(entries):
        key = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(key, int) or isinstance(key, bool) or key in seen:
            what = "is used twice" if isinstance(key, int) and key in seen else "is no number"
            raise ImageryError(
                f"entry {number} of '{name}' in '{_shown(place)}': its id {str(key)[:40]!r} {what}",
                hint="each entry needs an id of its own, a whole number",
            )
        seen.add(key)
        _check_entry(name, entry, place)
    return entries


def _check_entry(table: str, entry: Json, place: Place) -> None:
    found = misfit(table, entry)
    needed = _NEEDED.get(table, "id")
    if entry.get(needed) is None:
        found = needed, None
    if found is not None:
        raise ImageryError(
            f"{_ONE[table]} {entry['id']} of '{_shown(place)}' has {found[0]} {json.dumps(found[1])[:60]}",
            hint="no reader can tell what that means; write the bundle again",
        )


_NEEDED = {"annotations": "image_id", "categories": "name"}
_ONE = {
    "videos": "video", "images": "image", "annotations": "annotation", "categories": "category", "tracks": "track",
}  # fmt: skip


_POINTERS = (("images", "video_id", "videos"), ("annotations", "image_id", "images"))


def _check_references(tables: Mapping[str, list[Json]], place: Place) -> None:
    for name, key, target in _POINTERS:
        known = {entry["id"] for entry in tables[target]}
        for entry in tables[name]:
            if entry.get(key) is not None and entry[key] not in known:
                raise ImageryError(
                    f"{name[:-1]} {entry['id']} of '{_shown(place)}' has {key} {str(entry[key])[:40]}, "
                    f"which none of the {len(known)} {target} has",
                    hint=f"add it to '{target}', or take the {name[:-1]} out",
                )


def time_of(image: Json, where: str) -> datetime | date | None:
    """Return when an image was taken (UTC), a date where it says no hour, None where it says nothing.

    ``timestamp`` (POSIX seconds or ISO) wins over ``datetime`` and ``date_captured``.

    Raises:
        ImageryError: what it says is no time.
    """
    key = next((k for k in _TIME_KEYS if image.get(k) not in {None, ""}), None)
    if key is None:
        return None
    value = image[key]
    found = _from_posix(value) if isinstance(value, int | float) else _from_text(str(value))
    if found is None:
        raise ImageryError(
            f"{where} has {key} {str(value)[:60]!r}, which is no time",
            hint="write 2020-06-01T10:15:59+00:00, or seconds since 1970-01-01 (UTC)",
        )
    return found


def _from_posix(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def _from_text(text: str) -> datetime | date | None:
    plain = text.strip().replace("/", "-")
    try:
        return date.fromisoformat(plain) if len(plain) <= _DATE_CHARS else parse_time(plain)
    except ValueError:
        return None
