"""Requests to web servers, by the standard library: http and https, redirects between them, nothing else."""

from __future__ import annotations

import http.client
from functools import cache
from typing import TYPE_CHECKING
from urllib import request
from urllib.error import HTTPError, URLError

from geowatch.read.remote import Answer, Refusal

if TYPE_CHECKING:
    from geowatch.read.remote import Remote

__all__ = ["get"]


def get(address: str, remote: Remote, span: tuple[int, int] | None, most_bytes: int) -> Answer:
    """Return the answer to one GET. Servers forbid HEAD for addresses that are signed for GET.

    Raises:
        Refusal: it failed; with the status if the server said one.
    """
    asked = request.Request(address)  # noqa: S310 - `_opener` knows http and https only
    if span is not None:
        asked.add_header("Range", f"bytes={span[0]}-{span[1]}")
        most_bytes = min(most_bytes, span[1] - span[0] + 1)
    try:
        with _opener().open(asked, timeout=remote.timeout_s) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, headers, response.read(most_bytes))
    except HTTPError as error:
        error.close()
        raise Refusal(str(error.reason), error.code) from None
    except (URLError, http.client.HTTPException, OSError) as error:
        reason = getattr(error, "reason", error)
        raise Refusal(f"{type(reason).__name__}: {reason}") from None


@cache
def _opener() -> request.OpenerDirector:
    """Return what opens web addresses; unlike the usual one it opens no local files, data or FTP."""
    opener = request.OpenerDirector()
    for part in (
        request.ProxyHandler,
        request.HTTPHandler,
        request.HTTPSHandler,
        request.HTTPDefaultErrorHandler,
        request.HTTPRedirectHandler,
        request.HTTPErrorProcessor,
        request.UnknownHandler,
    ):
        opener.add_handler(part())
    return opener
