"""A real S3 server on loopback, in a thread of its own, and small lakes put into it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from moto.server import ThreadedMotoServer
from pyarrow import fs

BUCKET = "lake"
KEY, SECRET = "minato-reader", "hush-9c1d"


@dataclass
class S3:
    server: ThreadedMotoServer
    endpoint: str

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "ap-northeast-1",
            "AWS_ENDPOINT_URL": self.endpoint,
        }

    @property
    def filesystem(self) -> fs.S3FileSystem:
        return fs.S3FileSystem(
            access_key=KEY, secret_key=SECRET, region="ap-northeast-1", allow_bucket_creation=True,
            endpoint_override=self.endpoint.removeprefix("http://"), scheme="http",
        )

    def put(self, folder: Path, prefix: str) -> None:
        """Every file under ``folder``, by its path in it."""
        self.filesystem.create_dir(BUCKET)
        for path in sorted(folder.rglob("*.parquet")):
            with self.filesystem.open_output_stream(f"{BUCKET}/{prefix}/{path.relative_to(folder)}") as out:
                out.write(path.read_bytes())

    def remove(self, key: str) -> None:
        self.filesystem.delete_file(f"{BUCKET}/{key}")

    @contextmanager
    def denying(self) -> Iterator[None]:
        """From here on only accounts that the server knows may do anything, and ours it does not know."""
        self._say("reset-auth", "0")
        try:
            yield
        finally:
            self._say("reset-auth", "inf")

    def _say(self, word: str, content: str) -> None:
        httpx.post(f"{self.endpoint}/moto-api/{word}", content=content, trust_env=False).raise_for_status()


@contextmanager
def s3_server() -> Iterator[S3]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield S3(server, f"http://{host}:{port}")
    finally:
        server.stop()


@pytest.fixture(scope="session", name="s3")
def running_s3() -> Iterator[S3]:
    with s3_server() as server:
        yield server
