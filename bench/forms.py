"""Requests as bytes: multipart forms as `requests` writes them, and the calls of the service."""

from collections.abc import Iterable, Sequence
from urllib.parse import urlencode

BOUNDARY = "3f1c2a9be07d4c55a1d6e0f7b8c92d41"  # as long as those of `requests`
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"
BASE_PATH = "/api/v1.0"


def form(field: str, images: Iterable[bytes]) -> bytes:
    """Return a form with a file part for each image."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="digit.png"\r\n\r\n'.encode()
    return b"".join(head + image + b"\r\n" for image in images) + f"--{BOUNDARY}--\r\n".encode()


def single(image: bytes, experiment: str) -> tuple[str, bytes]:
    """Return the path and the body of POST /inference."""
    return f"{BASE_PATH}/inference?{urlencode({'experiment_name': experiment})}", form("image_blob", [image])


def many(images: Iterable[bytes], experiments: Sequence[str]) -> tuple[str, bytes]:
    """Return the path and the body of POST /predictions."""
    return f"{BASE_PATH}/predictions?{urlencode({'experiments': experiments}, doseq=True)}", form("images", images)
