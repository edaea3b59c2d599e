"""What a server says of a file, small documents, and lists of objects: requests that are made again when they fail.

Pixels are read by GDAL (`gdal`); this module asks what GDAL does not tell. One request for the first bytes of a file
gives its size, its tag and its kind. Whatever a server refuses becomes an error with the address and the status.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import NoReturn

from geowatch.errors import CorruptImageError, ImageryError
from geowatch.read.remote import Answer, Refusal, Remote, public
from geowatch.read.scene import Fingerprint

__all__ = ["Head", "ask", "check_same", "fetch", "listing", "look"]

#: First bytes of a file: enough to tell its kind.
HEAD_BYTES = 1024
#: The first wait before a request is tried again (seconds); each further one is twice as long.
_FIRST_WAIT_S = 0.5
#: Answers after which the same request may succeed.
_PASSING = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Head:
    """What a server says of a file."""

    fingerprint: Fingerprint
    """Size and tag."""
    first: bytes
    """Its first bytes."""
    token: str
    """Tells this look at the file from all others."""


def look(address: str, remote: Remote) -> Head:
    """Return what the server says of a file, by one request for its first bytes.

    Raises:
        ImageryError: there is none, it is not open to you, or it cannot be read in parts.
        CorruptImageError: the server does not answer.
    """
    answer = ask(address, remote, (0, HEAD_BYTES - 1))
    uri = public(address)
    if answer.status != 206 or not _total(answer):
        raise ImageryError(
            f"'{uri}' cannot be read in parts: its server answers {answer.status} to a request for a range",
            hint="download it, or put it on a server that serves ranges",
        )
    return Head(_fingerprint(uri, answer), answer.body, secrets.token_hex(8))


def check_same(pinned: Fingerprint | None, now: Fingerprint) -> None:
    """Make sure that a remote file is the one that was planned, by its tag, or by size and time where it has none.

    Raises:
        ImageryError: it changed; the message names it and both.
    """
    if pinned is None or (pinned.size_bytes, pinned.etag) == (now.size_bytes, now.etag):
        return
    raise ImageryError(
        f"'{now.uri}' changed since it was planned: {pinned.size_bytes} bytes of tag {pinned.etag} then, "
        f"{now.size_bytes} bytes of tag {now.etag} now",
        hint="put the file back, or start another run with --run",
    )


def fetch(address: str, remote: Remote, most_bytes: int) -> bytes:
    """Return a whole document.

    Raises:
        ImageryError: there is none, it is not open to you, or it is longer than ``most_bytes``.
        CorruptImageError: the server does not answer.
    """
    body = ask(address, remote, None, most_bytes + 1).body
    if len(body) > most_bytes:
        raise ImageryError(f"'{public(address)}' has more than {most_bytes} bytes", hint="leave it out")
    return body


def listing(prefix: str, remote: Remote) -> tuple[str, ...]:
    """Return the addresses of all objects under ``s3://bucket/prefix/``, sorted.

    Raises:
        ImageryError: it cannot be listed.
    """
    from geowatch.read.s3 import list_objects

    try:
        return tuple(list_objects(prefix, remote))
    except Refusal as refusal:
        _refused(prefix, refusal, remote)


def ask(address: str, remote: Remote, span: tuple[int, int] | None, most_bytes: int = 1 << 30) -> Answer:
    """Return a server's answer to a request for a file or, with ``span`` (first, last byte), a part of it.

    A request that fails in passing is made again, after waits that double each time.

    Raises:
        ImageryError: there is none, or it is not open to you.
        CorruptImageError: the server does not answer.
    """
    if address.startswith("s3://"):
        from geowatch.read.s3 import get
    else:
        from geowatch.read.web import get
    for attempt in range(remote.retries + 1):
        try:
            return get(address, remote, span, most_bytes)
        except Refusal as refusal:
            if refusal.status not in {None, *_PASSING} or attempt == remote.retries:
                _refused(address, refusal, remote)
            time.sleep(_FIRST_WAIT_S * 2**attempt)
    raise AssertionError  # the loop returns or raises


_HINTS = {
    401: "it wants credentials: put them where GDAL and boto3 find them, or sign the address",
    403: "credentials are missing or were refused, or a signed address has expired: give --images again with a fresh "
    "one; for open data --anonymous, for a bucket whose readers pay --requester-pays",
    404: "check the address; was the file moved or deleted?",
}


def _refused(address: str, refusal: Refusal, remote: Remote) -> NoReturn:
    uri, tried = public(address), f", tried {remote.retries + 1} times" if remote.retries else ""
    if refusal.status is None:
        raise CorruptImageError(
            f"'{uri}' gives no answer: {refusal.what}{tried}", hint="is the network up? A second run goes on from here"
        ) from None
    if refusal.status in _PASSING:
        raise CorruptImageError(
            f"'{uri}' answers {refusal.status} ({refusal.what}){tried}", hint="the server is busy: try again later"
        ) from None
    hint = _HINTS.get(refusal.status, "check the address and your right to read it")
    raise ImageryError(f"'{uri}' answers {refusal.status} ({refusal.what})", hint=hint) from None


def _total(answer: Answer) -> int:
    """Return the size of the file that a part belongs to, 0 if the server does not tell it."""
    total = answer.headers.get("content-range", "").rpartition("/")[2]
    return int(total) if total.isdigit() else 0


def _fingerprint(uri: str, answer: Answer) -> Fingerprint:
    """Return what tells whether a file is the same: the server's tag, else the time of its last change."""
    modified, etag = answer.headers.get("last-modified"), answer.headers.get("etag")
    if etag is None and modified is not None:
        etag = f"modified {modified}"
    time_ns = None if modified is None else int(parsedate_to_datetime(modified).timestamp()) * 10**9
    return Fingerprint(uri, _total(answer), time_ns, etag)
