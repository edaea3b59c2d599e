"""Asking a STAC API, through PyPI ``pystac-client``: patient with a busy service, strict with what it answers.

A service may fail, refuse, hang, answer with no JSON or with the same page for ever; each is one plain error here.
Only `stac_search` imports this, when a search begins, since ``pystac-client`` need not be installed.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

import shapely
import shapely.geometry
from pystac.errors import STACError, STACTypeError
from pystac_client import Client, ConformanceClasses
from pystac_client.errors import ClientTypeError
from pystac_client.exceptions import APIError
from pystac_client.stac_api_io import StacApiIO
from urllib3 import Retry

from geowatch.errors import GwError, ImageryError, InterruptedRunError, StoreError
from geowatch.read.remote import public

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry
    from urllib3.response import BaseHTTPResponse

    from geowatch.datasets.bundle import Json
    from geowatch.datasets.stac_query import Query, Wait

__all__ = ["found_items"]

#: Answers after which the same request may succeed.
_PASSING = (408, 425, 429, 500, 502, 503, 504)
#: A service that asks for a longer wait is asked again after this time, as often as --retries says.
_LONGEST_WAIT_S = 60.0
#: What pystac-client raises for documents that are not as STAC has them.
_MISFITS = (STACError, STACTypeError, ClientTypeError, KeyError, TypeError, AttributeError, NotImplementedError)
_LANDING = "give the landing page of an API that searches items"


class _Patient(Retry):
    """Tries again, after the wait that the service asks for, within reason."""

    wait: Wait
    """What waits some seconds; set once it is made."""

    def new(self, **changed: Any) -> Self:  # noqa: ANN401 - as Retry has it
        """Return a copy, of which there is one for each try."""
        made = super().new(**changed)
        made.wait = self.wait
        return made

    def sleep(self, response: BaseHTTPResponse | None = None) -> None:
        """Wait as long as the service asks for, else longer with each try."""
        asked_s = None if response is None else self.get_retry_after(response)
        wait_s = asked_s or self.get_backoff_time()
        if wait_s > 0:
            self.wait(wait_s)

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        """Return the seconds to wait, as ``Retry-After`` says."""
        wait_s = super().get_retry_after(response)
        return None if wait_s is None else min(wait_s, _LONGEST_WAIT_S)


class _Service(StacApiIO):  # type: ignore[misc]  # pystac-client is not typed
    """Reads documents of an API that must be JSON objects."""

    def read_json(self, source: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401 - an address or a link
        """Return a document. Raises ImageryError for what is none."""
        text = self.read_text(source, *args, **kwargs)
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            shown = " ".join(text.split())[:60]
            where = public(str(getattr(source, "href", source)))
            raise ImageryError(f"'{where}' answers with no JSON object; it begins '{shown}'", hint=_LANDING)
        return found


def found_items(query: Query, wait: Wait = time.sleep) -> Iterator[Json]:
    """Yield the items that the API gives, each once.

    Args:
        query: What is looked for.
        wait: Waits some seconds before a request is tried again; what it raises ends the search.

    Raises:
        ImageryError: what answers is no STAC API, or the search is refused.
        StoreError: the service cannot be reached, or fails for good.
    """
    known: set[tuple[str, str]] = set()
    try:
        for page in _pages(query, wait):
            items = [_checked(item) for item in page.get("features") or ()]
            new = [item for item in items if (str(item.get("collection")), str(item["id"])) not in known]
            if items and not new and len(known) >= len(items):
                raise StoreError(
                    f"'{public(query.url)}' gives the same page again after {len(known)} items",
                    hint="its paging is broken: ask for less, such as one year, that fits into one page",
                )
            known |= {(str(item.get("collection")), str(item["id"])) for item in new}
            yield from new
    except APIError as error:
        if isinstance(error.__context__, InterruptedRunError):  # pystac-client takes whatever happens for an answer
            raise error.__context__ from None
        raise _named(error, query) from error
    except _MISFITS as error:
        raise ImageryError(
            f"'{public(query.url)}' answers with no STAC API: {str(error)[:160]}", hint=_LANDING
        ) from error


def _pages(query: Query, wait: Wait) -> Iterator[Json]:
    with warnings.catch_warnings():
        # What an API lacks is made up for here; its warnings are for programmers.
        warnings.simplefilter("ignore")
        retry = _Patient(
            total=query.retries, backoff_factor=0.2, backoff_jitter=0.1, backoff_max=30, status_forcelist=_PASSING,
            allowed_methods=None, respect_retry_after_header=True,
        )  # fmt: skip
        retry.wait = wait
        client = Client.open(query.url, stac_io=_Service(max_retries=retry), timeout=query.timeout_s)
        cloud = None
        if query.max_cloud is not None and client.conforms_to(ConformanceClasses.QUERY):
            cloud = {"eo:cloud_cover": {"lte": query.max_cloud}}
        asked = {
            "collections": list(query.collections) or None, "datetime": query.span, "query": cloud,
            "limit": query.page_items,
        }  # fmt: skip
        if _takes_bodies(client):
            yield from client.search(**asked, intersects=query.region.__geo_interface__).pages_as_dicts()
            return
        # An outline makes an address longer than servers take: boxes are asked for, and what they add is left out.
        for part in shapely.get_parts(query.region).tolist():
            for page in client.search(**asked, method="GET", bbox=list(part.bounds)).pages_as_dicts():
                yield {**page, "features": [item for item in page.get("features") or () if _meets(item, query.region)]}


def _takes_bodies(client: Client) -> bool:
    """Whether a search may be a POST: unless all links for it say otherwise."""
    methods = {str(link.extra_fields.get("method") or "").upper() for link in client.get_links("search")}
    return "POST" in methods or "GET" not in methods


def _meets(item: Json, region: BaseGeometry) -> bool:
    outline = item.get("geometry")
    return outline is None or bool(shapely.make_valid(shapely.geometry.shape(outline)).intersects(region))


def _checked(item: Any) -> Json:  # noqa: ANN401 - a JSON value
    """Return an item whose parts are what they are to be. Raises TypeError for what is none."""
    if not isinstance(item, dict) or not isinstance(item.get("id"), str):
        raise TypeError(f"an item is {json.dumps(item)[:80]}")
    properties, assets, links = (item.get(key) for key in ("properties", "assets", "links"))
    sound = (
        isinstance(properties or {}, dict)
        and isinstance(assets or {}, dict)
        and all(isinstance(asset, dict) for asset in (assets or {}).values())
        and all(isinstance(link, dict) for link in links or ())
    )
    if not sound:
        raise TypeError(f"item '{item['id']}' has properties, assets or links that are none")
    return item


def _named(error: APIError, query: Query) -> GwError:
    """Return what an answer means."""
    url, said = f"'{public(query.url)}'", " ".join(str(error).split())[:200]
    status = getattr(error, "status_code", None)
    if status is None or status in _PASSING:
        hint = "the service may be busy: try again later, or give more --retries"
        return StoreError(f"{url} fails after {query.retries} more tries: {said}", hint=hint)
    if status in {401, 403, 407}:
        return StoreError(
            f"{url} is closed to you: {status} {said}", hint="ask its owner for access, or search elsewhere"
        )
    if status in {404, 410}:
        return ImageryError(f"{url} answers with no STAC API: {status}", hint=_LANDING)
    hint = "simplify the region, ask for fewer days, or check --collection"
    return ImageryError(f"{url} refuses the search: {status} {said}", hint=hint)
