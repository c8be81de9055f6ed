"""Artifacts: GET of the files of a run."""

from starlette.responses import Response

from tracking.native.experiments import timestamp
from tracking.native.fields import no_query
from tracking.routing import Call, json_response
from tracking.storage.artifacts import Artifacts
from tracking.storage.runs import Runs

# The content is the client's: a browser must neither guess another type nor run scripts of it.
HEADERS = {
    "Content-Security-Policy": (
        "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-cache",
}


class ArtifactsApi:
    """Operations of /experiments/{experiment_name}/artifacts."""

    def __init__(self, runs: Runs, artifacts: Artifacts) -> None:
        self._runs, self._artifacts = runs, artifacts

    def list(self, call: Call) -> Response:
        """Return the files of a run, also those that were refused. Raises TrackingError."""
        no_query(call)
        found = self._artifacts.list(self._runs.find(call.path["name"]))
        documents = [
            {
                "path": artifact.path,
                "media_type": artifact.media_type,
                "bytes": artifact.size,
                "refused": artifact.refused,
                "stored_at": timestamp(artifact.stored_at),
            }
            for artifact in found
        ]
        return json_response({"artifacts": documents})

    def read(self, call: Call) -> Response:
        """Return the content of a file. Raises TrackingError."""
        no_query(call)
        found = self._artifacts.read(self._runs.find(call.path["name"]), call.path["path"])
        kind = found.artifact.media_type
        is_text = not kind.startswith("image/")
        content_type = f"{kind}; charset=utf-8" if is_text else kind
        return Response(found.content, headers={"Content-Type": content_type, **HEADERS})
