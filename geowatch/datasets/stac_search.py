"""Searching a STAC API: items of a place and time, page by page, tried again where the service fails.

Source: STAC API specification 1.0, item search and query extension; spoken through PyPI ``pystac-client``.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from geowatch.datasets.stac_query import Query, Wait
from geowatch.errors import ConfigError
from geowatch.read.remote import joined

if TYPE_CHECKING:
    from geowatch.datasets.bundle import Json

__all__ = ["SIGNERS", "Sign", "find_signer", "needs_payment", "search_items"]

#: Entry points that sign items, by name.
SIGNERS = "geowatch.signers"

Sign = Callable[[Any], Any]


def search_items(query: Query, wait: Wait = time.sleep) -> Iterator[Json]:
    """Yield the items that fit, as the API gives them, their hrefs made absolute.

    Args:
        query: What is looked for.
        wait: Waits some seconds before a busy service is asked again; what it raises ends the search.

    Raises:
        ConfigError: the address is none, or PyPI ``pystac-client`` is not installed.
        ImageryError: what answers is no STAC API, or the search is refused.
        StoreError: the service cannot be reached, or fails for good.
    """
    if urlsplit(query.url).scheme not in {"http", "https"}:
        raise ConfigError(f"'{query.url}' is no address of a STAC API", hint="give it with https://")
    try:
        from geowatch.datasets.stac_service import found_items
    except ImportError as error:
        raise ConfigError(f"searching needs {error.name}", hint="pip install 'gw-geowatch[search]'") from error
    clear = (item for item in found_items(query, wait) if _clear_enough(item, query.max_cloud))
    yield from map(_absolute, islice(clear, query.limit))


def _clear_enough(item: Json, limit: float | None) -> bool:
    cloud = (item.get("properties") or {}).get("eo:cloud_cover")
    return limit is None or not isinstance(cloud, int | float) or cloud <= limit


def _absolute(item: Json) -> Json:
    """Return an item whose hrefs do not depend on where it is kept."""
    own = next((link.get("href") for link in item.get("links") or () if link.get("rel") == "self"), None)
    if not own:
        return item
    assets = {
        key: {**asset, "href": joined(str(own), str(asset["href"]))} if asset.get("href") else asset
        for key, asset in (item.get("assets") or {}).items()
    }
    return {**item, "assets": assets}


def needs_payment(item: Json) -> bool:
    """Whether the owner of an item's files does not pay for their reading (storage extension, 1.0 and 2.0)."""
    both = {**(item.get("properties") or {}), **item}
    schemes = both.get("storage:schemes") or {}
    marks = [both.get("storage:requester_pays"), *(s.get("requester_pays") for s in schemes.values())]
    marks += [asset.get("storage:requester_pays") for asset in (item.get("assets") or {}).values()]
    return any(mark is True for mark in marks)


def find_signer(name: str) -> Sign:
    """Return the function that signs an item (a dict in, a dict or an object with ``to_dict`` out).

    Args:
        name: an entry point of the group ``geowatch.signers``, or ``module:function``.

    Raises:
        ConfigError: there is no such function.
    """
    found = next(iter(entry_points(group=SIGNERS, name=name)), None)
    if found is not None:
        loaded: Sign = found.load()
        return loaded
    module, colon, function = name.partition(":")
    try:
        signer: Sign = getattr(importlib.import_module(module), function if colon else "an entry point")
    except (ImportError, AttributeError) as error:
        known = ", ".join(sorted(e.name for e in entry_points(group=SIGNERS))) or "none"
        raise ConfigError(
            f"--sign {name} names no function: {error}",
            hint=f"give module:function, such as planetary_computer:sign, or an entry point ({known} here)",
        ) from error
    return signer
