"""Artifacts of MLflow: uploads, downloads and listings below /mlflow-artifacts."""

import logging
from contextlib import suppress
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from tracking.errors import InvalidError, TrackingError, UnknownArtifactError
from tracking.media import is_valid_path
from tracking.mlflow.artifact_paths import (
    ArtifactAddress,
    is_logged_by_script,
    parse_address,
    stored_path,
    unread_reason,
)
from tracking.mlflow.errors import UnsupportedError, encode_error
from tracking.mlflow.fields import Fields
from tracking.routing import Call, json_response
from tracking.runs import Artifact
from tracking.storage.artifacts import Artifacts
from tracking.storage.logged_models import LoggedModels
from tracking.storage.runs import Runs

HEADERS: Final = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
}

logger = logging.getLogger(__name__)


class ArtifactsApi:
    """Handlers of artifacts. Every method but `upload` raises TrackingError."""

    def __init__(self, artifacts: Artifacts, runs: Runs, models: LoggedModels) -> None:
        self._artifacts, self._runs, self._models = artifacts, runs, models

    async def upload(self, request: Request) -> Response:
        """Store a file, or take it and note why it is not stored. Returns errors of MLflow.

        The body is read to its end in any case: a client that still sends sees no early answer.
        """
        try:
            address = parse_address(request.path_params["path"])
            reason = unread_reason(address)
            content, size = await self._read(request, 0 if reason else self._artifacts.max_bytes)
            await run_in_threadpool(self._store, address, content, size, reason)
        except ClientDisconnect:
            return Response(status_code=499)
        except TrackingError as error:
            return encode_error(error)
        except Exception:
            logger.exception("Upload failed: %s", request.url.path)
            return encode_error(TrackingError())
        return json_response({})

    def download(self, call: Call) -> Response:
        """Return the content of a stored file."""
        address = parse_address(call.path["path"])
        run_id, path = self._locate(address)
        try:
            found = self._artifacts.read(run_id, path)
        except UnknownArtifactError as error:
            reason = unread_reason(address)
            raise UnknownArtifactError(reason) if reason else error from error
        return Response(found.content, media_type=found.artifact.media_type, headers=HEADERS)

    def list_files(self, call: Call) -> Response:
        """Return the stored files and the folders of one folder, by their last names."""
        address = parse_address(Fields(call.query).required_text("path"))
        files = self._children(*self._locate(address))
        return json_response({"files": [{**file, "path": name} for name, file in files.items()]})

    def list_run(self, call: Call) -> Response:
        """Return the stored files and the folders of one folder of a run, by their paths."""
        fields = Fields(call.query)
        run = self._runs.get(fields.required_text("run_id", "run_uuid"))
        folder = (fields.text("path") or "").strip("/")
        prefix = f"{folder}/" if folder else ""
        files = [
            {**file, "path": prefix + name}
            for name, file in self._children(run.run_id, folder).items()
        ]
        root = f"mlflow-artifacts:/{run.project_id or 0}/{run.run_id}/artifacts"
        return json_response({"root_uri": root, "files": files})

    def refuse(self, _: Call) -> Response:
        """Refuse a deletion."""
        raise UnsupportedError("Artifacts cannot be deleted. Archive the run instead.")

    async def _read(self, request: Request, max_bytes: int) -> tuple[bytes | None, int]:
        """Return the body, None if it is larger, and its size in bytes."""
        content, size = bytearray(), 0
        async for chunk in request.stream():
            size += len(chunk)
            if size <= max_bytes:
                content += chunk
            else:
                content.clear()
        return bytes(content) if size <= max_bytes else None, size

    def _store(
        self, address: ArtifactAddress, content: bytes | None, size: int, reason: str | None
    ) -> None:
        run_id, path = self._locate(address)
        if not is_valid_path(path):
            raise InvalidError("The path of the artifact is invalid. Use at most 500 characters.")
        # A run has as many artifacts as it may have, or the path has a stored file: neither fails
        # a training.
        with suppress(InvalidError):
            if reason is None and content is not None:
                self._artifacts.put(run_id, path, content)
            else:
                too_large = self._artifacts.too_large()
                self._artifacts.note_refused(run_id, path, size, reason or too_large)
        if reason is not None and is_logged_by_script(address):
            raise InvalidError(f"{path} is not stored. {reason}")

    def _locate(self, address: ArtifactAddress) -> tuple[str, str]:
        """Return the run and the path within it. Raises UnknownRunError, UnknownArtifactError."""
        run_id = address.run_id or self._models.get(address.model_id or "").run_id
        return run_id, stored_path(address)

    def _children(self, run_id: str, folder: str) -> dict[str, dict[str, Any]]:
        prefix = f"{folder}/" if folder else ""
        files: dict[str, dict[str, Any]] = {}
        for artifact in self._artifacts.list(run_id, folder):
            if artifact.refused is None and artifact.path.startswith(prefix):
                name, *below = artifact.path.removeprefix(prefix).split("/", 1)
                files[name] = {"is_dir": True} if below else _file(artifact)
        return files


def _file(artifact: Artifact) -> dict[str, Any]:
    return {"is_dir": False, "file_size": artifact.size}
