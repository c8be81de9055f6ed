"""An export to a bucket of a real S3 server."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pyarrow.parquet as pq
import pytest
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from data_export import destination, parquet
from data_export.__main__ import main
from tests.support.exported import Rows, manifest_of, read

SECRET = "not-to-be-seen"
EVENTS = "events/day=2026-11-27/part.parquet"


@pytest.fixture
def bucket() -> str:
    """The name of a new bucket: all servers of a process have the same objects."""
    return f"export-{uuid.uuid4().hex}"


@pytest.fixture
def s3(bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of a server with a bucket, to which the environment points."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    url = f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    client = botocore.session.get_session().create_client(
        "s3", endpoint_url=url, region_name="us-east-1"
    )
    client.create_bucket(Bucket=bucket)
    yield client
    client.close()
    server.stop()


@pytest.fixture
def rows(service_database: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Rows]:
    """Rows of one day. The environment is that of mlops_read."""
    monkeypatch.setenv("PGUSER", "mlops_read")
    rows = Rows(service_database)
    rows.predict("first", "2026-11-27 12:00:00+00")
    yield rows
    rows.close()


def download(s3: Any, bucket: str, folder: Path) -> None:
    """Copy all objects below the prefix `daily` to a folder."""
    for item in s3.list_objects_v2(Bucket=bucket, Prefix="daily/")["Contents"]:
        path = folder / item["Key"].removeprefix("daily/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read())


def test_export_to_a_bucket_replaces_whole_objects(
    s3: Any, bucket: str, rows: Rows, tmp_path: Path
) -> None:
    for count in (1, 2):
        assert main([f"s3://{bucket}/daily"]) == 0
        download(s3, bucket, tmp_path)
        assert len(read(tmp_path, EVENTS)) == count
        entries = manifest_of(tmp_path)
        assert {entry["bytes"] for entry in entries.values()} == {
            (tmp_path / path).stat().st_size for path in entries
        }
        rows.repeat("first", "2026-11-27 13:00:00+00")


@pytest.mark.usefixtures("rows")
def test_export_in_parts_is_one_object(
    s3: Any, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file above the part size is uploaded in parts. The limit is that of S3, 5 MiB."""
    size = 6 * 2**20
    write = parquet.write

    def pad(path: Path, *arguments: Any) -> int:
        written = write(path, *arguments)
        content = path.read_bytes()
        path.write_bytes(b"PAR1" + bytes(size) + content)
        return written

    monkeypatch.setattr(destination, "PART_BYTES", 5 * 2**20)
    monkeypatch.setattr(parquet, "write", pad)
    assert main([f"s3://{bucket}/daily"]) == 0
    download(s3, bucket, tmp_path)
    padded = (tmp_path / EVENTS).read_bytes()
    (tmp_path / "events.parquet").write_bytes(padded[4 + size :])
    assert len(padded) > size
    assert pq.read_metadata(tmp_path / "events.parquet").num_rows == 1


@pytest.mark.usefixtures("rows", "s3")
def test_export_to_a_missing_bucket_explains_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["s3://no-such-bucket/daily"]) == 1
    message = capsys.readouterr().err
    assert "The bucket does not exist (NoSuchBucket). Create it or correct OUT." in message
    assert SECRET not in message


@pytest.mark.usefixtures("rows")
def test_export_that_ends_early_leaves_no_manifest(
    s3: Any,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Objects that were stored are whole, and the half file is not uploaded."""
    write_group = parquet._write_group

    def fail_in_events(writer: Any, pending: Any, schema: Any) -> None:
        write_group(writer, pending, schema)
        if schema.metadata[b"mlops.relation"] == b"events":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(parquet, "_write_group", fail_in_events)
    assert main([f"s3://{bucket}/daily"]) == 1
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert [item["Key"] for item in listed] == ["daily/predictions/day=2026-11-27/part.parquet"]
    message = capsys.readouterr().err
    assert "No space left on device" in message
    assert "Set TMPDIR" in message
