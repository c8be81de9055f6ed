"""Upload worker: the sandboxed child process that reads one uploaded file.

Started as `python -P -s -m pipeline.data.readers.worker`. Standard input is the upload, and the
working directory has job.json with the classes. The worker writes images.bin (28x28 bytes an image)
and result.json there. It may read only Python, its packages and this project's code.
"""

import json
import os
from pathlib import Path
from typing import Any, BinaryIO

from inference.compiler import sandbox
from pipeline.data.readers.limits import (
    ADDRESS_SPACE_BYTES,
    CPU_SECONDS,
    MAX_UPLOAD_BYTES,
    RejectedUploadError,
)

JOB, IMAGES, RESULT = "job.json", "images.bin", "result.json"
PROJECT = Path(__file__).parents[3]
OUT_OF_MEMORY = (
    f"Reading the file takes more than {ADDRESS_SPACE_BYTES // 2**30} GB of memory. "
    "Load it in parts, with smaller images."
)
UNREADABLE = "The file cannot be read ({error}). Create it again, or load it as a zip of images."
ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
UNKNOWN = "The file is not a zip, CSV, npz or Parquet file."
BINARY_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\x1f\x8b", b"%PDF", b"BM", b"RIFF")


def main() -> None:
    """Read the upload in the sandbox."""
    own = Path.cwd()
    sandbox.enter(
        own,
        [PROJECT / package for package in ("pipeline", "inference", "servicekit")],
        ADDRESS_SPACE_BYTES,
    )
    sandbox.limit_cpu(CPU_SECONDS)
    classes = json.loads((own / JOB).read_text(encoding="utf-8"))["classes"]
    try:
        with os.fdopen(0, "rb") as upload, (own / IMAGES).open("wb") as images:
            result = read(upload, images, classes)
    except RejectedUploadError as error:
        result = {"error": str(error)}
    except (MemoryError, RecursionError):
        result = {"error": OUT_OF_MEMORY}
    except Exception as error:  # noqa: BLE001  # libraries raise anything for a hostile file
        result = {"error": UNREADABLE.format(error=type(error).__name__)}
    (own / RESULT).write_text(json.dumps(result), encoding="utf-8")


def read(upload: BinaryIO, images: BinaryIO, classes: list[str]) -> dict[str, Any]:
    """Read an upload of any format, write its images, and return the rest of the result.

    Raises RejectedUploadError, MemoryError, and what the libraries raise.
    """
    # Imported inside the sandbox.
    from pipeline.data.readers import npz_reader, parquet_reader, zip_reader  # noqa: PLC0415
    from pipeline.data.readers.archive import open_archive  # noqa: PLC0415
    from pipeline.data.readers.collector import RowCollector  # noqa: PLC0415
    from pipeline.data.readers.csv_reader import read_csv  # noqa: PLC0415

    size = os.fstat(upload.fileno()).st_size
    if not 0 < size <= MAX_UPLOAD_BYTES:
        raise RejectedUploadError(
            f"The file is empty, or larger than {MAX_UPLOAD_BYTES // 2**20} MB. Load it in parts."
        )
    rows = RowCollector(classes, images)
    start = upload.read(8)
    upload.seek(0)
    if start.startswith(parquet_reader.MAGIC):
        media_type = "parquet"
        parquet_reader.read_parquet(upload, size, rows)
    elif start.startswith(ZIP_MAGIC):
        with open_archive(upload, size) as archive:
            media_type = "npz" if npz_reader.is_npz(archive) else "zip"
        upload.seek(0)
        if media_type == "npz":
            npz_reader.read_npz(upload, size, rows)
        else:
            zip_reader.read_zip(upload, size, classes, rows)
    elif start.startswith(BINARY_MAGIC):
        raise RejectedUploadError(f"{UNKNOWN} Pack images into a zip file, in folders by label.")
    else:
        media_type = "csv"
        read_csv(upload, classes, rows)
    return {"error": None, "format": media_type, **rows.result()}


if __name__ == "__main__":
    main()
