"""A real S3 server on the loopback, for tests: SeaweedFS, with a bucket for everybody and one for those with a key."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["KEY", "SECRET", "S3Server", "serve_s3", "server_program"]

KEY, SECRET = "test-key", "test-secret"
OPEN, CLOSED = "open", "closed"


@dataclass(frozen=True, slots=True)
class S3Server:
    """Where it is."""

    endpoint: str

    def client(self) -> Any:
        """Return a boto3 client that may do everything."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}),
        )


def server_program() -> str | None:
    """Return the server's program if it is installed."""
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.exists() else shutil.which("weed")


@contextmanager
def serve_s3(folder: Path) -> Iterator[S3Server]:
    """Run a server that keeps its objects in ``folder`` for the time of the block."""
    program = server_program()
    assert program is not None
    ports = [_free_port() for _ in range(4)]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [program, *_arguments(folder, ports)],
            stdout=log, stderr=log, start_new_session=True, env={**os.environ, "HOME": str(folder)},
        )  # fmt: skip
    try:
        server = S3Server(f"http://127.0.0.1:{ports[3]}")
        _make_buckets(server, process)
        yield server
    finally:
        # It takes minutes to end in peace; nothing here outlives the tests.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _arguments(folder: Path, ports: list[int]) -> list[str]:
    (folder / "objects").mkdir()
    owner = {"name": "owner", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ["Admin"]}
    anybody = {"name": "anonymous", "actions": [f"Read:{OPEN}", f"List:{OPEN}"]}
    (folder / "users.json").write_text(json.dumps({"identities": [owner, anybody]}))
    options = {
        "dir": folder / "objects",
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "master.port": ports[0],
        "volume.port": ports[1],
        "filer.port": ports[2],
        "s3.port": ports[3],
        "s3.port.iceberg": 0,
        "s3.config": folder / "users.json",
        "master.volumeSizeLimitMB": 16,
        "volume.max": 64,
    }
    return ["-logtostderr=true", "server", "-filer", "-s3", *(f"-{k}={v}" for k, v in options.items())]


def _free_port() -> int:
    # The server listens at the port plus 10,000 too.
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            if port < 50_000:
                try:
                    two.bind(("127.0.0.1", port + 10_000))
                except OSError:
                    continue
                return int(port)


def _make_buckets(server: S3Server, process: subprocess.Popen[bytes]) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    client, until = server.client(), time.monotonic() + 60
    for bucket in (OPEN, CLOSED):
        while True:
            try:
                client.create_bucket(Bucket=bucket)
                client.put_object(Bucket=bucket, Key="ready", Body=b"1")
                break
            except (BotoCoreError, ClientError):
                if process.poll() is not None or time.monotonic() > until:
                    raise
                time.sleep(0.2)
