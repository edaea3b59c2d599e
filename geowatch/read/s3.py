"""Requests to S3, by boto3, which finds credentials as it always does."""

from __future__ import annotations

from collections.abc import Iterator
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
    with _Client(remote) as client:
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
    with _Client(remote) as client:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key, **_payer(remote))
        for page in pages:
            for entry in page.get("Contents", ()):
                yield f"s3://{bucket}/{entry['Key']}"


def _split(address: str) -> tuple[str, str]:
    bucket, _, key = address.removeprefix("s3://").partition("/")
    return bucket, key


def _payer(remote: Remote) -> dict[str, str]:
    return {"RequestPayer": "requester"} if remote.requester_pays else {}


class _Client:
    """A client of S3 for the time of a block, in which what boto3 raises becomes a `Refusal`."""

    def __init__(self, remote: Remote) -> None:
        try:
            import boto3
            from botocore import UNSIGNED
            from botocore.config import Config
        except ImportError:
            raise ConfigError("S3 needs boto3, which is not installed", hint="pip install 'gw-geowatch[aws]'") from None
        config = Config(
            connect_timeout=remote.timeout_s,
            read_timeout=remote.timeout_s,
            # `ask` tries again by itself, as it does for web servers.
            retries={"total_max_attempts": 1},
            s3={"addressing_style": "path"} if remote.endpoint else {},
            **({"signature_version": UNSIGNED} if remote.anonymous else {}),
        )
        self._client = boto3.client("s3", endpoint_url=remote.endpoint, region_name=_region(remote), config=config)

    def __enter__(self) -> Any:  # noqa: ANN401 - boto3 has no types
        return self._client

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        self._client.close()
        if isinstance(error, ClientError):
            answer = error.response
            status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
            raise Refusal(str(answer.get("Error", {}).get("Code", "refused")), status) from None
        if isinstance(error, BotoCoreError):
            known = 403 if "Credentials" in type(error).__name__ else None
            raise Refusal(f"{type(error).__name__}: {error}", known) from None


def _region(remote: Remote) -> str | None:
    # Other services than Amazon's want any region in the signature.
    return remote.region or ("us-east-1" if remote.endpoint else None)
