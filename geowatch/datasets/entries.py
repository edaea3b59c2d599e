"""What entries of a bundle's tables may hold, so that nothing that reads them meets a list where a name belongs.

Only the keys that gw reads are looked at, and each may be left out or be null; all others stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["misfit"]


def _whole(value: Any) -> bool:  # noqa: ANN401 - a JSON value
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> bool:  # noqa: ANN401 - a JSON value
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Any) -> bool:  # noqa: ANN401 - a JSON value
    return isinstance(value, str)


def _word(value: Any) -> bool:  # noqa: ANN401 - a JSON value
    return isinstance(value, str) or _number(value)


def _wholes(value: Any) -> bool:  # noqa: ANN401 - a JSON value
    return isinstance(value, list) and all(map(_whole, value))


def _box(value: Any) -> bool:  # noqa: ANN401 - a JSON value
    return isinstance(value, list) and len(value) == 4 and all(_number(v) and math.isfinite(v) for v in value)


def _shape(value: Any) -> bool:  # noqa: ANN401 - a JSON value
    return isinstance(value, list | dict)


_BAND = {"channel": _text, "name": _text, "native": _text, "scale": _number, "offset": _number, "nodata": _number}
_MASK = {"channel": _text, "kind": _text, "values": _wholes, "bits": _whole}
_FILE: dict[str, Any] = {
    "file_name": _text, "channels": _text, "width": _whole, "height": _whole,
    "band_metas": [{}], "gw_bands": [_BAND], "gw_masks": [_MASK],
}  # fmt: skip
_IMAGE: dict[str, Any] = {
    **_FILE, "name": _word, "video_id": _whole, "frame_index": _number, "sensor_coarse": _text, "sensor": _text,
    "timestamp": _word, "datetime": _word, "date_captured": _word, "properties": {},
    "auxiliary": [_FILE], "assets": [_FILE],
}  # fmt: skip
_TABLES: dict[str, dict[str, Any]] = {
    "videos": {"name": _word},
    "images": _IMAGE,
    "annotations": {
        "image_id": _whole, "category_id": _whole, "track_id": _word, "bbox": _box, "segmentation": _shape,
    },
    "categories": {"name": _word},
    "tracks": {"name": _word},
}  # fmt: skip


def misfit(table: str, entry: Mapping[str, Any]) -> tuple[str, object] | None:
    """Return the first place in an entry that holds what it cannot mean, and what it holds; None where all is well.

    >>> misfit("images", {"assets": [{"file_name": ["a.tif"]}]})
    ('assets[0].file_name', ['a.tif'])
    """
    return next(_misfits(_TABLES[table], entry, ""), None)


def _misfits(rules: Mapping[str, Any], entry: Mapping[str, Any], path: str) -> Iterator[tuple[str, object]]:
    for key, rule in rules.items():
        value = entry.get(key)
        if value is None:
            continue
        place = f"{path}{key}"
        if isinstance(rule, list):
            yield from _in_list(rule[0], value, place)
        elif isinstance(rule, Mapping):
            yield from _within(rule, value, place)
        elif not rule(value):
            yield place, value


def _in_list(rule: Mapping[str, Any], value: object, place: str) -> Iterator[tuple[str, object]]:
    if not isinstance(value, list):
        yield place, value
        return
    for number, each in enumerate(value):
        yield from _within(rule, each, f"{place}[{number}]")


def _within(rule: Mapping[str, Any], value: object, place: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        yield from _misfits(rule, value, f"{place}.")
    else:
        yield place, value
