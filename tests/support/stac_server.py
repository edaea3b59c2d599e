"""A STAC API on the loopback that pages, filters by place, time and collection, and fails when told to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from shapely.geometry import box, shape

__all__ = ["StacServer", "serve_stac"]

_CONFORMS = ["https://api.stacspec.org/v1.0.0/core", "https://api.stacspec.org/v1.0.0/item-search"]
_QUERY = "https://api.stacspec.org/v1.0.0/item-search#query"


@dataclass(slots=True)
class StacServer:
    """Items behind an API."""

    items: list[dict[str, Any]]
    port: int = 0
    failures: list[int] = field(default_factory=list)
    """Statuses of the next answers, 200 for good ones; what comes after is good. 0 hangs up without an answer."""
    query: bool = True
    """Whether it filters by cloud itself."""
    raw: bytes | None = None
    """What searches are answered with, whatever it is."""
    delay_s: float = 0.0
    """How long searches wait for their answer."""
    retry_after: str = "0"
    """What 429 and 503 say of the wait."""
    method: str = "POST"
    """How searches come; others are refused with 405."""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    """What searches asked for."""
    answers: int = 0
    """Requests that came, good or bad."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def status(self) -> int:
        """Return the status of the next answer."""
        with suppress(IndexError):  # another connection may take the last one
            return self.failures.pop(0)
        return 200

    def content(self, make: Any, status: int) -> bytes:
        """Return what an answer holds."""
        made = json.dumps(make() if make else {"code": status}).encode()
        return made if self.raw is None or not self.bodies else self.raw

    def landing(self) -> dict[str, Any]:
        links = [
            {"rel": "self", "href": self.url, "type": "application/json"},
            {"rel": "root", "href": self.url, "type": "application/json"},
            {"rel": "search", "href": f"{self.url}/search", "type": "application/geo+json", "method": self.method},
        ]
        conforms = [*_CONFORMS, *([_QUERY] if self.query else [])]
        return {"type": "Catalog", "id": "loopback", "description": "For tests.", "stac_version": "1.0.0",
                "conformsTo": conforms, "links": links}  # fmt: skip

    def search(self, body: dict[str, Any]) -> dict[str, Any]:
        self.bodies.append(body)
        fits = [item for item in self.items if self._fits(item, body)]
        start, size = int(body.get("token", 0)), int(body.get("limit", 10))
        links = []
        if start + size < len(fits):
            following = {**body, "token": start + size}
            links = [{"rel": "next", "href": f"{self.url}/search", "method": "POST", "body": following}]
        return {"type": "FeatureCollection", "features": fits[start : start + size], "links": links}

    def _fits(self, item: dict[str, Any], body: dict[str, Any]) -> bool:
        properties = item["properties"]
        if body.get("collections") and item["collection"] not in body["collections"]:
            return False
        if body.get("intersects") and not shape(item["geometry"]).intersects(shape(body["intersects"])):
            return False
        if isinstance(body.get("bbox"), str):
            asked = box(*map(float, body["bbox"].split(",")))
            if not shape(item["geometry"]).envelope.intersects(asked):
                return False
        if body.get("datetime"):
            first, last = body["datetime"].split("/")
            if (first != ".." and properties["datetime"] < first) or (last != ".." and properties["datetime"] > last):
                return False
        limit = body.get("query", {}).get("eo:cloud_cover", {}).get("lte")
        return not self.query or limit is None or properties.get("eo:cloud_cover", 0) <= limit


@contextmanager
def serve_stac(items: list[dict[str, Any]], **options: Any) -> Iterator[StacServer]:
    """Serve items until the block ends."""
    state = StacServer(items, **options)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            if path == "/search":
                self._search({key: value for key, (value,) in parse_qs(query).items()}, "GET")
            else:
                self._answer(state.landing if path in {"", "/"} else None)

        def do_POST(self) -> None:
            self._search(json.loads(self.rfile.read(int(self.headers["Content-Length"]))), "POST")

        def _search(self, body: dict[str, Any], method: str) -> None:
            time.sleep(state.delay_s)
            if method != state.method:
                state.failures.insert(0, 405)
            self._answer((lambda: state.search(body)) if self.path.startswith("/search") else None)

        def _answer(self, make: Any) -> None:
            state.answers += 1
            status = state.status()
            if status == 0:
                self.connection.close()
                return
            content = state.content(make if status == 200 else None, status)
            self.send_response(status if make or status != 200 else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            if status in {429, 503}:
                self.send_header("Retry-After", state.retry_after)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
