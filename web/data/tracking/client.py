"""API calls of tracking: changes of experiments, and the content of artifacts."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from web.data import api_parsing
from web.data.api_client import ApiClient
from web.data.api_types import ApiProblemError

OK, CONFLICT = 200, 409


class NoteConflictError(ApiProblemError):
    """The note was changed since it was read.

    Attributes:
        note: current note in Markdown.
        revision: its revision, which the next change names.

    """

    def __init__(self, problem: ApiProblemError, note: str, revision: int) -> None:
        super().__init__(problem.status, problem.title, problem.detail)
        self.note = note
        self.revision = revision


class TrackingClient:
    """Changes of experiments over an API client. Thread-safe.

    Every method raises ApiUnreachableError without a response, and ApiProblemError for an error
    response or a response that breaks the contract.
    """

    def __init__(self, api: ApiClient) -> None:
        self._api = api

    def patch(self, name: str, changes: Mapping[str, Any], *, author: str) -> Mapping[str, Any]:
        """Change an experiment and return it.

        Args:
            name: name or run_id of the experiment.
            changes: state, ended_at, name (a rename), owner, note with note_revision, tags (null
                removes one) or archived, see PATCH /experiments/{name} in openapi.yaml.
            author: author of the change.

        Raises:
            ApiProblemError: status 404 for an unknown experiment. 409 for a rename to a name that
                is taken or of an experiment with models, and NoteConflictError for an old revision
                of the note.

        """
        body = self._api.request(
            "PATCH",
            f"/experiments/{quote(name, safe='')}",
            accept=(OK, CONFLICT),
            json={**changes, "author": author},
        )
        return api_parsing.parse_document(_parse_change, body)

    def set_note(self, name: str, note: str, *, revision: int, author: str) -> int:
        """Replace the note of an experiment and return its new revision.

        Args:
            name: name or run_id of the experiment.
            note: new note in Markdown.
            revision: revision of the note that the author read.
            author: author of the note.

        Raises:
            NoteConflictError: the note has a later revision.

        """
        changed = self.patch(name, {"note": note, "note_revision": revision}, author=author)
        return api_parsing.parse_document(lambda one: int(one["note_revision"]), changed)

    def set_tag(self, name: str, key: str, value: str | None, *, author: str) -> None:
        """Set a tag of an experiment, or remove it if the value is None."""
        self.patch(name, {"tags": {key: value}}, author=author)

    def artifact(self, name: str, path: str) -> bytes:
        """Fetch the content of an artifact.

        Args:
            name: name or run_id of the experiment.
            path: path within the run, such as plots/confusion.png.

        """
        return self._api.content(f"/experiments/{quote(name, safe='')}/artifacts/{quote(path)}")


def _parse_change(document: Any) -> Mapping[str, Any]:
    """Return a changed experiment, or raise the conflict."""
    if document.get("status") != CONFLICT:
        return dict(document)
    problem = ApiProblemError(
        CONFLICT, str(document.get("title") or "Conflict"), str(document.get("detail") or "")
    )
    if "note_revision" in document:
        raise NoteConflictError(problem, str(document["note"]), int(document["note_revision"]))
    raise problem
