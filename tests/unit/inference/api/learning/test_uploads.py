"""Uploads: names, types and outcomes of files, without HTTP."""

import io
from pathlib import Path
from typing import Any, cast

import pytest

from inference.api.learning.uploads import UploadsApi
from inference.database.learning.errors import StorageDownError, UnknownUploadError
from inference.database.learning.uploads import NewUpload, Uploads
from inference.errors import InvalidValueError, MalformedRequestError
from inference.originals.local_store import LocalStore
from inference.server.streamed_form import StreamedForm
from tests.support.fake_database import FakeDatabase

DIGEST = "ab" * 32


class FakeUploads:
    """Remembers the uploads that are added."""

    def __init__(self) -> None:
        self.added: list[NewUpload] = []

    def find(self, task: str, digest: str) -> dict[str, Any] | None:
        known = [own for own in self.added if (own.task, own.digest) == (task, digest)]
        return {"upload_id": 1} if known else None

    def add(self, upload: NewUpload) -> tuple[dict[str, Any], bool]:
        self.added.append(upload)
        return {"upload_id": len(self.added)}, True


def form(data: bytes = b"data", **changes: Any) -> StreamedForm:
    values = {"digest": DIGEST, "filename": "a.zip", "media_type": "application/zip"}
    return StreamedForm(io.BytesIO(data), bytes=len(data), **{**values, **changes})


@pytest.fixture
def uploads() -> FakeUploads:
    return FakeUploads()


@pytest.fixture
def api(uploads: FakeUploads, tmp_path: Path) -> UploadsApi:
    return UploadsApi(cast("Uploads", uploads), LocalStore(tmp_path / "store"))


def test_file_is_stored_by_its_digest(
    api: UploadsApi, uploads: FakeUploads, tmp_path: Path
) -> None:
    stored = api.store("mnist", form(fields={"name": "pens", "by": "ann"}))
    assert (stored.status, stored.location) == (202, "/uploads/1")
    assert (tmp_path / "store" / "ab" / f"{DIGEST}.bin").read_bytes() == b"data"
    [added] = uploads.added
    assert (added.name, added.uploaded_by, added.bytes, added.media_type) == (
        "pens", "ann", 4, "application/zip",
    )  # fmt: skip
    assert added.url.endswith(f"/ab/{DIGEST}.bin")


def test_same_bytes_are_not_stored_again(api: UploadsApi, uploads: FakeUploads) -> None:
    api.store("mnist", form())
    assert api.store("mnist", form()).status == 200
    assert len(uploads.added) == 1


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        ("", "upload"), ("a.zip", "a.zip"), ("../../b.csv", "b.csv"), ("C:\\c\\d.csv", "d.csv"),
        ("\x00\n", "upload"), ("a\x00b.zip", "ab.zip"), ("n" * 300, "n" * 200), ("/", "upload"),
    ],
)  # fmt: skip
def test_upload_without_name_has_that_of_its_file(
    api: UploadsApi, uploads: FakeUploads, filename: str, name: str
) -> None:
    api.store("mnist", form(filename=filename))
    assert (uploads.added[0].name, uploads.added[0].uploaded_by) == (name, "anonymous")


@pytest.mark.parametrize("media_type", ["", "a/b\x00", "a/" + "b" * 200])
def test_odd_media_type_is_replaced(api: UploadsApi, uploads: FakeUploads, media_type: str) -> None:
    api.store("mnist", form(media_type=media_type))
    assert uploads.added[0].media_type == "application/octet-stream"


def test_unusable_upload_raises(api: UploadsApi, uploads: FakeUploads) -> None:
    with pytest.raises(InvalidValueError, match="empty"):
        api.store("mnist", form(b""))
    for task, fields in (("Mnist", {}), ("mnist", {"by": "\x00"}), ("mnist", {"name": "n" * 201})):
        with pytest.raises(MalformedRequestError):
            api.store(task, form(fields=fields))
    assert uploads.added == []


def test_store_that_cannot_be_written_raises(uploads: FakeUploads, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("")
    api = UploadsApi(cast("Uploads", uploads), LocalStore(tmp_path / "store"))
    with pytest.raises(StorageDownError):
        api.store("mnist", form())
    assert uploads.added == []


def test_reads_check_their_values(tmp_path: Path) -> None:
    rows = [{"upload_id": 3}]
    api = UploadsApi(Uploads(FakeDatabase(rows, rows)), LocalStore(tmp_path))
    assert api.list_uploads("mnist") == {"uploads": rows, "next": None}
    assert api.get_upload(3) == rows[0]
    with pytest.raises(UnknownUploadError):
        api.get_upload(2**63)
    with pytest.raises(MalformedRequestError):
        api.list_uploads("Mnist")
