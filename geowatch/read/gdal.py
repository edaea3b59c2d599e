"""GDAL's settings, all in one place, and the one door through which image files are opened.

Every setting stands here with its reason: `SETTINGS` for all files, `REMOTE_SETTINGS` and `remote_settings` for those
that are elsewhere. `gdal_env` makes them hold for the calling thread; `open_image` opens a file with the single driver
that its content asked for, and turns what breaks into an error that names it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader

from geowatch.errors import CorruptImageError, ImageryError, MalformedError
from geowatch.read.asking import Head
from geowatch.read.identify import identify, kind_of
from geowatch.read.remote import Remote, is_remote

__all__ = [
    "CACHE_BYTES",
    "GDAL_FAILURES",
    "REMOTE_SETTINGS",
    "SETTINGS",
    "Opening",
    "gdal_env",
    "message_of",
    "open_image",
    "remote_settings",
]

#: Decoded source blocks kept by GDAL, for the whole process. Readers keep what they need again themselves, by plan
#: (`blocks`): GDAL needs room for the blocks of all bands that one stored block of a file holds (16 bands of 16 bit in
#: blocks of 1024 px), and for the sources of a VRT whose blocks lie otherwise than its own. Measured: 4 to 80 MB are
#: one to a pass over a GeoTIFF; a JPEG 2000 file of 3 bands takes twice as long where 6 MB do not fit.
CACHE_BYTES = 32 * 1024**2

#: Settings for all files, each with the reason for it.
SETTINGS: Mapping[str, object] = {
    # In bytes, as an integer: GDAL takes the bare number "512" as megabytes and rasterio the int 512 as
    # bytes. A fixed size keeps a worker's memory planned; GDAL's default of 5% of the machine does not.
    "GDAL_CACHEMAX": CACHE_BYTES,
    # A tile of reads is the unit of parallel work; threads inside GDAL would compete with other workers. A reader
    # that is given more threads says so: GDAL then decodes the blocks of one read side by side (GeoTIFF, JPEG 2000).
    "GDAL_NUM_THREADS": "1",
    # A VRT may carry Python code. Nothing that is loaded runs.
    "GDAL_VRT_ENABLE_PYTHON": "NO",
    # No file extension is ever fetched over the network, whatever a VRT or a sidecar file says. An image that the
    # user named by its address is opened under `remote_settings`, which name it alone.
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": "{none}",
    # A JPEG that ends early is an error. libjpeg fills the rest with grey and only warns.
    "GDAL_ERROR_ON_LIBJPEG_WARNING": "YES",
    # The driver's short cut for whole PNGs gives part of the picture, and no error, where a file ends early.
    "GDAL_PNG_WHOLE_IMAGE_OPTIM": "NO",
    # Progressive JPEGs can ask for gigabytes of memory by their header alone.
    "GDAL_ALLOW_LARGE_LIBJPEG_MEM_ALLOC": "NO",
    # The georeference written in the file's own tags wins over a stray world file of the same name.
    "GDAL_GEOREF_SOURCES": "INTERNAL,PAM,WORLDFILE",
}

#: Settings for files that are elsewhere, besides.
REMOTE_SETTINGS: Mapping[str, object] = {
    # No look around the file: servers have no listing, a bucket's may be a million long, and sidecars are not read.
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    # The header with its tables of blocks comes with the first request; the default of 16 kB takes a second one for
    # files of more than some thousand blocks.
    "GDAL_INGESTED_BYTES_AT_OPEN": "32768",
    # The stored blocks of a read are fetched together, in parallel and neighbours as one range, up to this many
    # bytes. With the default of 10 MB the rest comes bit by bit: 1, 2, 3 MB, one after the other.
    "GDAL_MAX_RAW_BLOCK_CACHE_SIZE": str(64 * 1024**2),
    # Ranges that touch each other become one request. It is GDAL's default; the request counts rest on it.
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    # Requests of one read share one connection where the server speaks HTTP/2.
    "GDAL_HTTP_MULTIPLEX": "YES",
    # What GDAL keeps of remote bytes, for the process; a row of blocks that is one range comes in one request up to
    # this size. Measured: with 4 MB a row of 5.3 MB took two requests of 4.2 MB each. A second cache in each file
    # (VSI_CACHE) made it nine requests and a fifth more bytes.
    "CPL_VSIL_CURL_CACHE_SIZE": str(32 * 1024**2),
    "VSI_CACHE": "NO",
    # A connection that gives less than 1 kB a second is dead. `timeout_s` bounds how long that is borne.
    "GDAL_HTTP_LOW_SPEED_LIMIT": "1000",
    # The first wait before a request is tried again (seconds); GDAL doubles it each time.
    "GDAL_HTTP_RETRY_DELAY": "0.5",
}

_HINT = "the file may be truncated or damaged; fetch it again, or leave it out"
_HINT_S3 = "boto3 reads it: does GDAL find the same credentials? Else the file may be truncated or damaged"

#: What rasterio raises when a file breaks.
GDAL_FAILURES = (RasterioError, CPLE_BaseError, OSError)


@dataclass(frozen=True, slots=True)
class Opening:
    """How a file is opened."""

    overview: int | None = None
    """Overview level, 0 for the first; None for full resolution."""
    threads: int = 1
    """Threads that decode the blocks of one read."""
    head: Head | None = None
    """What the server says of a remote file; without it a local file is meant."""


def _gdal_name(uri: str, remote: Remote, opening: Opening) -> str:
    if uri.startswith("s3://"):
        return f"/vsis3/{uri.removeprefix('s3://')}"
    # GDAL keeps what it knows of an address for the life of the process, failures too. What follows "#" is never sent,
    # and makes a file that is looked at anew another one to it.
    return f"/vsicurl/{remote.full(uri)}#{opening.head.token if opening.head else ''}"


def remote_settings(name: str, remote: Remote) -> dict[str, object]:
    """Return GDAL's settings under which the one file ``name`` (of ``/vsicurl`` or ``/vsis3``) can be reached."""
    wait = str(max(1, round(remote.timeout_s)))
    settings: dict[str, object] = {
        **REMOTE_SETTINGS,
        # This file and no other: neither what it refers to nor what may lie beside it.
        "CPL_VSIL_CURL_ALLOWED_FILENAME": name,
        "GDAL_HTTP_CONNECTTIMEOUT": wait,
        "GDAL_HTTP_LOW_SPEED_TIME": wait,
        "GDAL_HTTP_MAX_RETRY": str(remote.retries),
    }
    return settings | (_s3_settings(name, remote) if name.startswith("/vsis3/") else {})


def _s3_settings(name: str, remote: Remote) -> dict[str, object]:
    # Object names have no "#": here GDAL is told to forget the file when it is closed.
    settings: dict[str, object] = {"CPL_VSIL_CURL_NON_CACHED": name}
    if remote.endpoint is not None:
        place = urlsplit(remote.endpoint)
        settings |= {
            "AWS_S3_ENDPOINT": place.netloc + place.path.rstrip("/"),
            "AWS_HTTPS": "YES" if place.scheme == "https" else "NO",
            # Services other than Amazon's have no host of its own for each bucket, as a rule.
            "AWS_VIRTUAL_HOSTING": "FALSE",
        }
    if remote.region is not None:
        settings["AWS_REGION"] = remote.region
    if remote.anonymous:
        settings["AWS_NO_SIGN_REQUEST"] = "YES"
    if remote.requester_pays:
        settings["AWS_REQUEST_PAYER"] = "requester"
    return settings


@contextmanager
def gdal_env(name: str = "", remote: Remote | None = None, threads: int = 1) -> Iterator[None]:
    """Make `SETTINGS` hold in this thread for the time of the block.

    Args:
        name: GDAL's name of the file that is read; a remote one brings settings of its own.
        remote: how remote files are reached.
        threads: threads that decode the blocks of one read.
    """
    more = remote_settings(name, remote or Remote()) if name.startswith(("/vsicurl/", "/vsis3/")) else {}
    with rasterio.Env(**{**SETTINGS, "GDAL_NUM_THREADS": str(threads), **more}):
        yield


def open_image(uri: str, opening: Opening | None = None, remote: Remote | None = None) -> DatasetReader:
    """Open an image file for reading. Only the driver that the content asks for is tried. The caller closes it.

    Raises:
        ImageryError: it is no image, or a remote VRT.
        MalformedError: the file cannot be opened; the message names it.
        CorruptImageError: one elsewhere cannot.
    """
    opening, remote = opening or Opening(), remote or Remote()
    options: dict[str, Any] = {} if opening.overview is None else {"overview_level": opening.overview}
    kind = identify(uri) if opening.head is None else kind_of(opening.head.first, uri)
    if is_remote(uri) and kind.driver == "VRT":
        raise ImageryError(f"'{uri}' is a VRT, and those are read from local files only", hint="give its files")
    name = _gdal_name(uri, remote, opening) if is_remote(uri) else uri
    try:
        with warnings.catch_warnings(), gdal_env(name, remote, opening.threads):
            # Pictures without georeference are welcome; the catalog's notes say what was found.
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            return rasterio.open(name, driver=kind.driver, sharing=False, **options)
    except GDAL_FAILURES as error:
        # What was given and is damaged is told from a server that fails.
        kind_of_error = CorruptImageError if is_remote(uri) else MalformedError
        raise kind_of_error(
            f"'{uri}' cannot be opened: {message_of(error, remote)}",
            hint=_HINT_S3 if uri.startswith("s3://") else _HINT,
        ) from (None if is_remote(uri) else error)


def message_of(error: BaseException, remote: Remote) -> str:
    """Return what an error of GDAL says, without the queries of remote addresses, which may be secrets."""
    text = str(error)
    for query in remote.queries.values():
        text = text.replace(query, "…")
    return text
