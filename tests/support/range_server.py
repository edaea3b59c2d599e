"""A web server on the loopback that serves files by range, counts what it is asked, and fails when told to."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["Asked", "RangeServer", "serve"]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, and what it got."""

    method: str
    path: str
    query: str
    span: tuple[int, int] | None
    status: int
    body_bytes: int


@dataclass(slots=True)
class RangeServer:
    """A folder on the loopback."""

    root: Path
    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    latency_s: float = 0.0
    """Wait before each answer."""
    bytes_per_s: float | None = None
    """Speed of each connection; None is as fast as it goes."""
    failures: list[int] = field(default_factory=list)
    """Statuses of the next answers; 200 is a good one. What comes after is good."""
    query: str | None = None
    """Query without which every answer is 403."""
    etags: bool = True
    ranges: bool = True
    """Whether ranges are understood."""
    head: bool = True
    """Whether HEAD is allowed; else 403, as for addresses that are signed for GET."""
    cut: int | None = None
    """Bodies end after this many bytes, whatever their header says."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def body_bytes(self) -> int:
        return sum(a.body_bytes for a in self.asked)

    def take(self) -> list[Asked]:
        """Return what was asked since the last call."""
        taken, self.asked[:] = list(self.asked), []
        return taken


def _span(header: str | None, size: int) -> tuple[int, int] | None:
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", header or "")
    if match is None:
        return None
    return int(match[1]), min(size - 1, int(match[2]) if match[2] else size - 1)


def _part(file: Path, start: int, stop: int) -> bytes:
    with file.open("rb") as content:
        content.seek(start)
        return content.read(stop - start)


class _Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        place = self.server.place
        parts = urlsplit(self.path)
        time.sleep(place.latency_s)
        file = place.root / unquote(parts.path).lstrip("/")
        status = self._refusal(place, parts.query, file, body)
        if status:
            self._log(parts.path, parts.query, None, status, 0)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self._send(place, file, body)

    def _refusal(self, place: RangeServer, query: str, file: Path, body: bool) -> int:
        failing = 200
        with suppress(IndexError):  # another connection may take the last one
            failing = place.failures.pop(0)
        if failing != 200:
            return failing
        if (place.query is not None and query != place.query) or not (body or place.head):
            return 403
        return 0 if file.is_file() else 404

    def _send(self, place: RangeServer, file: Path, body: bool) -> None:
        stat = file.stat()
        span = _span(self.headers.get("Range"), stat.st_size) if place.ranges else None
        start, stop = (0, stat.st_size) if span is None else (span[0], span[1] + 1)
        self.send_response(200 if span is None else 206)
        if span is not None:
            self.send_header("Content-Range", f"bytes {span[0]}-{span[1]}/{stat.st_size}")
        if place.ranges:
            self.send_header("Accept-Ranges", "bytes")
        if place.etags:
            self.send_header("ETag", f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"')
        self.send_header("Last-Modified", self.date_time_string(int(stat.st_mtime)))
        self.send_header("Content-Length", str(stop - start))
        self.end_headers()
        parts = urlsplit(self.path)
        sent = _part(file, start, stop) if body else b""
        if place.cut is not None and len(sent) > place.cut:
            sent, self.close_connection = sent[: place.cut], True
        self._log(parts.path, parts.query, span, 200 if span is None else 206, len(sent))
        if place.bytes_per_s:
            time.sleep(len(sent) / place.bytes_per_s)
        with suppress(ConnectionError):  # a client may go when it has enough
            self.wfile.write(sent)

    def _log(self, path: str, query: str, span: tuple[int, int] | None, status: int, sent: int) -> None:
        self.server.place.asked.append(Asked(self.command, path, query, span, status, sent))

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    place: RangeServer


@contextmanager
def serve(root: Path) -> Iterator[RangeServer]:
    """Serve the files of a folder for the time of the block."""
    place = RangeServer(root)
    with _Server(("127.0.0.1", 0), _Requests) as server:
        server.place = place
        place.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield place
        finally:
            server.shutdown()
            thread.join()
