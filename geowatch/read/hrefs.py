"""Where the references of STAC documents lead, and the documents that a catalog leads to.

A local document may name files under its own folder or the given roots, and addresses. A document from elsewhere may
name addresses only, and one that came over https nothing on plain http.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from geowatch.errors import ImageryError
from geowatch.read.asking import fetch
from geowatch.read.metadata import MAX_BYTES, parse_json, read_json
from geowatch.read.options import SceneOptions
from geowatch.read.remote import RemotePath, is_remote, joined, public

__all__ = ["Place", "documents", "place_of", "shown"]

Json = Mapping[str, object]
#: A file, or the address of one.
Place = Path | RemotePath
#: No catalog of one run has more documents.
MAX_DOCUMENTS = 10_000
_CATALOGS = {"Catalog", "Collection"}


def place_of(href: str, document: Place, roots: tuple[Path, ...], what: str) -> Place | None:
    """Return where ``href`` leads from a document; None for a kind of place that gw does not read from.

    Args:
        href: the reference.
        document: where it stands.
        roots: folders that local ones may lead to.
        what: what is referred to, for messages: ``asset 'red' of item 'x'``.

    Raises:
        ImageryError: it leads where it must not.
    """
    if href.startswith("/vsi"):
        return None
    if isinstance(document, RemotePath):
        return _remote_place(href, document, what)
    parts = urlsplit(href)
    if is_remote(href):
        return RemotePath(href)
    if parts.scheme not in {"", "file"}:
        return None
    path = Path(unquote(parts.path) if parts.scheme == "file" else href)
    path = path if path.is_absolute() else document.parent / path
    real = path.resolve()
    if not any(real.is_relative_to(root.resolve()) for root in roots):
        raise ImageryError(
            f"{what} leads outside its folder: '{href}'", hint="give the folder that holds both item and assets"
        )
    return path


def _remote_place(href: str, document: RemotePath, what: str) -> RemotePath | None:
    address = joined(document.uri, href)
    scheme = urlsplit(address).scheme
    if scheme == "file" or (scheme == "http" and not document.uri.startswith("http://")):
        raise ImageryError(
            f"{what} leads to '{public(href)}' from '{public(document.uri)}'",
            hint="a document from elsewhere may name places that are as safe as its own: https or s3",
        )
    return RemotePath(address) if is_remote(address) else None


def documents(place: Place, options: SceneOptions, roots: tuple[Path, ...]) -> Iterator[tuple[Place, Json]]:
    """Yield a STAC document and, if it is a catalog, those that it leads to instead, each once, in their order.

    Raises:
        ImageryError: one is not there, leads where it must not, or there are too many.
        MalformedError: one is no JSON.
    """
    seen: set[str] = set()
    waiting = [place]
    while waiting:
        here = waiting.pop(0)
        if str(here) in seen:
            continue
        seen.add(str(here))
        if len(seen) > MAX_DOCUMENTS:
            raise ImageryError(f"'{shown(place)}' leads to more than {MAX_DOCUMENTS} documents", hint="give its items")
        content = _read(here, options)
        if str(content.get("type")) in _CATALOGS:
            waiting = [*_links(content, here, roots), *waiting]
        else:
            yield here, content


def shown(place: Place) -> str:
    """Return a place as it may be shown."""
    return public(str(place))


def _read(place: Place, options: SceneOptions) -> Json:
    if isinstance(place, RemotePath):
        return parse_json(fetch(place.uri, options.remote, MAX_BYTES), shown(place))
    if not place.is_file():
        raise ImageryError(f"'{place}' is not there", hint="fetch the whole catalog, or give its items")
    return read_json(place)


def _links(content: Json, place: Place, roots: tuple[Path, ...]) -> Iterator[Place]:
    links = content.get("links")
    for link in links if isinstance(links, list) else ():
        if isinstance(link, dict) and link.get("rel") in {"item", "child"}:
            target = place_of(str(link.get("href", "")), place, roots, f"a link of '{shown(place)}'")
            if target is not None:
                yield target
