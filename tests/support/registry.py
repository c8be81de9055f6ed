"""Registries for tests: versions of a few bytes, and a real S3 server."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import botocore.session
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from inference.model_format.card import CARD_FILE, KERAS_FILE, LITERT_FILE, file_record

REGION = "us-east-1"


def write_version(folder: Path, content: bytes = b"a network", **changes: object) -> Path:
    """Write a model of any bytes, with a card that confirms it, and return the folder."""
    folder.mkdir(parents=True)
    files = {KERAS_FILE: b"keras of " + content, LITERT_FILE: content, "reference.json": b"{}"}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    records = {name: vars(file_record(data)) for name, data in files.items()}
    parity = {"images": 1, "max_abs_difference": 0.0, "equal_argmax": True}
    card = {"experiment": "mine", "files": records, "parity": parity, **changes}
    (folder / CARD_FILE).write_text(json.dumps(card))
    return folder


class S3Server:
    """A server of S3's API on 127.0.0.1, which can be stopped and started again with its data."""

    def __init__(self, port: int = 0) -> None:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
        self._server.start()
        self.port = self._server.get_host_and_port()[1]

    @property
    def url(self) -> str:
        """Address of the server."""
        return f"http://127.0.0.1:{self.port}"

    def create_bucket(self, bucket: str) -> None:
        """Create a bucket."""
        with self.client() as client:
            client.create_bucket(Bucket=bucket)

    def put(self, bucket: str, key: str, content: bytes) -> None:
        """Write an object of any key."""
        with self.client() as client:
            client.put_object(Bucket=bucket, Key=key, Body=content)

    def delete(self, bucket: str, *keys: str) -> None:
        """Delete objects."""
        with self.client() as client:
            for key in keys:
                client.delete_object(Bucket=bucket, Key=key)

    def stop(self) -> None:
        """Stop to answer. The data stay in the process."""
        self._server.stop()

    def restart(self) -> None:
        """Answer again, at the same port."""
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=self.port, verbose=False)
        self._server.start()

    @contextmanager
    def client(self) -> Iterator[botocore.client.BaseClient]:
        """Provide a client of botocore."""
        client = botocore.session.get_session().create_client(
            "s3", endpoint_url=self.url, region_name=REGION
        )
        yield client
        client.close()


@contextmanager
def counted_reads() -> Iterator[list[str]]:
    """Collect the paths of the objects that the servers of this process are asked for."""
    paths: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            method, _, rest = record.getMessage().partition('"')[2].partition(" ")
            path = rest.partition(" ")[0]
            if "GET" in method and "list-type" not in path:
                paths.append(path)

    logger, handler = logging.getLogger("werkzeug"), Handler()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield paths
    logger.removeHandler(handler)
    logger.setLevel(level)
