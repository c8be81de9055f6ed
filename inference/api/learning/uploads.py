"""/load_new_data and /uploads: files of labeled images, stored unread for a run of the pipeline."""

from http import HTTPStatus
from pathlib import PurePosixPath

from inference.api.learning import fields
from inference.api.learning.responses import Located
from inference.api.validation import MAX_PERSON, text
from inference.database.learning.errors import StorageDownError, UnknownUploadError
from inference.database.learning.uploads import NewUpload, Uploads
from inference.errors import Document, InvalidValueError
from inference.originals.store import OriginalStore, StorageUnavailableError
from inference.server.streamed_form import FormFields, StreamedForm

FILE_FIELD = "file"
MAX_FIELD_BYTES = 2000
FORM = FormFields(FILE_FIELD, {"name": MAX_FIELD_BYTES, "by": MAX_FIELD_BYTES}, "digits.zip")
MAX_NAME = 200
MAX_MEDIA_TYPE = 100
ANY_MEDIA_TYPE = "application/octet-stream"
UNNAMED = "upload"
ANONYMOUS = "anonymous"


class UploadsApi:
    """The operations of the resources /load_new_data and /uploads."""

    def __init__(self, uploads: Uploads, store: OriginalStore) -> None:
        self._uploads = uploads
        self._store = store

    def store(self, task: str, form: StreamedForm) -> Located:
        """Store a file by its digest and return its upload, with 200 if its task has it already.

        The file's content is not looked at. Raises MalformedRequestError, InvalidValueError,
        StorageDownError and DatabaseUnavailableError.
        """
        task = fields.task(task)
        name = form.fields.get("name") or own_name(form.filename)
        by = form.fields.get("by") or ANONYMOUS
        text({"name": name}, "name", MAX_NAME)
        text({"by": by}, "by", MAX_PERSON)
        if not form.bytes:
            raise InvalidValueError("The file is empty. Send one with labeled images.", FILE_FIELD)
        known = self._uploads.find(task, form.digest)
        if known is not None:
            return _located(known, is_new=False)
        key = f"{form.digest[:2]}/{form.digest}.bin"
        try:
            url = self._store.put_file(key, form.file)
        except StorageUnavailableError as error:
            raise StorageDownError from error
        media_type = form.media_type.strip()
        if not media_type.isprintable() or not 0 < len(media_type) <= MAX_MEDIA_TYPE:
            media_type = ANY_MEDIA_TYPE
        upload = NewUpload(task, form.digest, url, form.bytes, media_type, name, by)
        row, is_new = self._uploads.add(upload)
        return _located(row, is_new=is_new)

    def list_uploads(
        self,
        task: str | None = None,
        state: str | None = None,
        limit: int = 50,
        cursor: int | None = None,
    ) -> Document:
        """Return a page of uploads, latest first."""
        before = fields.before(cursor)
        uploads, following = self._uploads.page(fields.optional_task(task), state, limit, before)
        return {"uploads": uploads, "next": following}

    def get_upload(self, upload_id: int) -> Document:
        """Return an upload with its first rejects."""
        return self._uploads.one(fields.row_id(upload_id, UnknownUploadError))


def _located(upload: Document, *, is_new: bool) -> Located:
    status = HTTPStatus.ACCEPTED if is_new else HTTPStatus.OK
    return Located(upload, status.value, f"/uploads/{upload['upload_id']}")


def own_name(filename: str) -> str:
    """Return the last part of a client's file name, as far as it is printable."""
    last = PurePosixPath(filename.replace("\\", "/")).name
    return "".join(filter(str.isprintable, last)).strip()[:MAX_NAME] or UNNAMED
