"""Requests to S3, by boto3, which finds credentials as it always does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from geowatch.errors import ConfigError
from geowatch.read.remote import Answer, Refusal

if TYPE_CHECKING:
    from geowatch.read.remote import Remote

__all__ = ["get", "list_objects"]


def get(address: str, remote: Remote, span: tuple[int, int] | None, most_bytes: int) -> Answer:
    """Return the answer to one GET.

    Raises:
        Refusal: it failed; with the status if the service said one.
        ConfigError: boto3 is not installed.
    """
    bucket, key = _split(address)
    part = {} if span is None else {"Range": f"bytes={span[0]}-{span[1]}"}
    client = _client(remote)
    with _refusals():
        answer = client.get_object(Bucket=bucket, Key=key, **part, **_payer(remote))
        about = answer["ResponseMetadata"]
        return Answer(about["HTTPStatusCode"], about["HTTPHeaders"], answer["Body"].read(most_bytes))


def list_objects(prefix: str, remote: Remote) -> Iterator[str]:
    """Yield the addresses of all objects under a prefix, sorted.

    Raises:
        Refusal: it failed; with the status if the service said one.
        ConfigError: boto3 is not installed.
    """
    bucket, key = _split(prefix)
    client = _client(remote)
    with _refusals():
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key, **_payer(remote))
        for page in pages:
            for entry in page.get("Contents", ()):
                yield f"s3://{bucket}/{entry['Key']}"


def _split(address: str) -> tuple[str, str]:
    bucket, _, key = address.removeprefix("s3://").partition("/")
    return bucket, key


def _payer(remote: Remote) -> dict[str, str]:
    return {"RequestPayer": "requester"} if remote.requester_pays else {}


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn what boto3 raises into a `Refusal`."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        raise Refusal(str(error.response.get("Error", {}).get("Code", "refused")), status) from None
    except BotoCoreError as error:
        known = 403 if "Credentials" in type(error).__name__ else None
        raise Refusal(f"{type(error).__name__}: {error}", known) from None


def _client(remote: Remote) -> Any:  # noqa: ANN401 - boto3 has no types
    return _made(remote.endpoint, remote.region, remote.anonymous, remote.timeout_s)


@lru_cache(maxsize=8)
def _made(endpoint: str | None, region: str | None, anonymous: bool, timeout_s: float) -> Any:  # noqa: ANN401
    """Return a client; making one takes a tenth of a second, and threads may share it."""
    try:
        from boto3.session import Session
        from botocore import UNSIGNED
        from botocore.config import Config
    except ImportError:
        raise ConfigError("S3 needs boto3, which is not installed", hint="pip install 'gw-geowatch[aws]'") from None
    config = Config(
        connect_timeout=timeout_s,
        read_timeout=timeout_s,
        max_pool_connections=16,
        # `asking.ask` tries again by itself, as it does for web servers.
        retries={"total_max_attempts": 1},
        s3={"addressing_style": "path"} if endpoint else {},
        **({"signature_version": UNSIGNED} if anonymous else {}),
    )
    # Other services than Amazon's want any region in the signature.
    region = region or ("us-east-1" if endpoint else None)
    return Session().client("s3", endpoint_url=endpoint, region_name=region, config=config)
