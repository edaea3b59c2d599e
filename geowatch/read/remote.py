"""Imagery that is elsewhere: how it is reached, what its addresses are made of, and what a server answers.

The query of an address (what follows ``?``) may be a signature that opens it to whoever holds it. It is kept apart, in
memory only (`Remote.queries`): no plan, record or message holds it. `asking` speaks with the servers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import unquote, urljoin, urlsplit

from geowatch.errors import ConfigError

__all__ = ["Answer", "Refusal", "Remote", "RemotePath", "is_remote", "joined", "public"]

_SCHEMES = ("https://", "http://", "s3://")


@dataclass(frozen=True, slots=True)
class Remote:
    """How remote imagery is reached. Credentials are found by GDAL and boto3 where they look for them."""

    endpoint: str | None = None
    """Address of an S3 service other than Amazon's, such as https://minio.example.org:9000."""
    region: str | None = None
    """Region of the buckets, where the service does not tell it."""
    anonymous: bool = False
    """Whether requests to S3 are not signed, for open data."""
    requester_pays: bool = False
    """Whether you pay for what is read from buckets whose owner does not."""
    timeout_s: float = 30.0
    """Longest wait for an answer, and for more of it."""
    retries: int = 4
    """How often a request is tried again."""
    queries: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Queries by address. Never written anywhere."""

    def __post_init__(self) -> None:
        if self.endpoint is not None and urlsplit(self.endpoint).scheme not in {"http", "https"}:
            raise ConfigError(
                f"S3 endpoint '{self.endpoint}' is no address", hint="give it with its scheme: https://host:port"
            )
        if not (self.timeout_s > 0 and self.retries >= 0):
            raise ConfigError(f"a timeout of {self.timeout_s:g} s with {self.retries} retries reaches nothing")

    def full(self, uri: str) -> str:
        """Return an address with its query."""
        query = self.queries.get(uri)
        return f"{uri}?{query}" if query else uri


@dataclass(frozen=True, slots=True, order=True)
class RemotePath:
    """An address with the parts that a path has."""

    uri: str
    """The address, with its query."""

    @property
    def _path(self) -> PurePosixPath:
        parts = urlsplit(self.uri)
        return PurePosixPath(f"/{parts.netloc}{unquote(parts.path)}")

    @property
    def name(self) -> str:
        """Last part."""
        return self._path.name

    @property
    def stem(self) -> str:
        """Last part without its suffix."""
        return self._path.stem

    @property
    def suffix(self) -> str:
        """Suffix of the last part."""
        return self._path.suffix

    @property
    def parent(self) -> PurePosixPath:
        """Host and path but for the last part."""
        return self._path.parent

    def __str__(self) -> str:
        return self.uri


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server gave."""

    status: int
    """HTTP status."""
    headers: Mapping[str, str]
    """Headers, their names in small letters."""
    body: bytes
    """Content, or the part of it that was asked for."""


class Refusal(Exception):  # noqa: N818 - it is an answer, not yet an error
    """A server that did not give what was asked for."""

    def __init__(self, what: str, status: int | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.status = status


def is_remote(address: object) -> bool:
    """Whether this is the address of something that is not a local file."""
    return str(address).startswith(_SCHEMES)


def public(address: str) -> str:
    """Return what may be shown of an address: all but query, fragment and password.

    >>> public("https://me:secret@host/a.tif?sig=1"), public("scenes/*.tif?")
    ('https://host/a.tif', 'scenes/*.tif?')
    """
    if "://" not in address:
        return address
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def joined(base: str, href: str) -> str:
    """Return where ``href`` leads from a document at ``base``.

    >>> joined("s3://b/items/one.json", "../data/red.tif"), joined("https://h/a/i.json?sig=1", "red.tif")
    ('s3://b/data/red.tif', 'https://h/a/red.tif')
    """
    if base.startswith("s3://") and not urlsplit(href).scheme:
        return "s3" + urljoin("http" + base[2:], href)[4:]
    return urljoin(base, href)
