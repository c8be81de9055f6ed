"""/retrain, /score and /runs: start a run of the pipeline, follow it, and carry out its verdict."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from inference.api import validation
from inference.api.learning import fields
from inference.api.learning.responses import Located
from inference.database.learning.datasets import Datasets
from inference.database.learning.errors import UnknownDatasetError, UnknownRunError
from inference.database.learning.run_requests import RunRequests
from inference.database.learning.runs import Runs
from inference.errors import Document, MalformedRequestError
from inference.models.aliases import Target
from inference.originals.keys import folder_of

TRIGGERS = ("api", "manual")
MAX_PREFIX = 500
MAX_EXPERIMENTS = 100
BASE = "base"  # the base dataset without additions
CHAMPION = "champion"

RecordMove = Callable[[str, str, Target], None]


class RunsApi:
    """The operations of the resources /retrain, /score and /runs."""

    def __init__(
        self,
        runs: Runs,
        requests: RunRequests,
        datasets: Datasets,
        experiment_tasks: Callable[[], dict[str, str]],
        record_move: RecordMove,
    ) -> None:
        """`experiment_tasks` returns the task of each experiment in the database.

        `record_move` makes the move of an alias known to this process at once.
        """
        self._runs = runs
        self._requests = requests
        self._datasets = datasets
        self._experiment_tasks = experiment_tasks
        self._record_move = record_move

    def retrain(self, document: Any) -> Located:
        """Start a run, or join the task's open one."""
        fields.only(
            document,
            ("task", "experiment_name", *fields.PARAMETERS, "trigger", "by", "reason"),
        )
        task = fields.task(validation.text(document, "task", 32))
        name = validation.name(validation.text(document, "experiment_name", 128))
        parameters = fields.run_parameters(document)
        kind = fields.choice(document, "trigger", TRIGGERS, "api")
        author = fields.author(document)
        fields.known_experiment(name, task, self._experiment_tasks())
        self._check_dataset(task, parameters["dataset"])
        run_id, joined = self._requests.retrain(task, name, parameters, kind, author)
        return self._accepted(run_id, joined=joined)

    def score(self, document: Any) -> Located:
        """Start a run that predicts the images of a dataset or of a prefix of the storage."""
        fields.only(document, ("task", "dataset", "prefix", "experiments", "by", "reason"))
        task = fields.task(validation.text(document, "task", 32))
        names = fields.selection(document, "experiments", [CHAMPION], MAX_EXPERIMENTS)
        author = fields.author(document)
        if document.get("prefix") is None:
            dataset = document.get("dataset")
            if dataset != BASE:
                dataset = fields.digest_or_latest(document, "dataset")
                self._check_dataset(task, dataset)
            images = {"dataset": dataset}
        elif document.get("dataset") is None:
            images = {"prefix": _prefix(validation.text(document, "prefix", MAX_PREFIX))}
        else:
            raise MalformedRequestError("Send either dataset or prefix, not both.", "prefix")
        run_id = self._requests.score(task, {**images, "experiments": names}, author)
        return self._accepted(run_id, joined=False)

    def list_runs(
        self,
        task: str | None = None,
        state: str | None = None,
        kind: str | None = None,
        limit: int = 50,
        cursor: int | None = None,
    ) -> Document:
        """Return a page of runs, latest first."""
        criteria = {"task": fields.optional_task(task), "state": state, "kind": kind}
        runs, following = self._runs.page(criteria, limit, fields.before(cursor))
        return {"runs": runs, "next": following, "no_worker": self._runs.no_worker()}

    def get_run(self, run_id: int) -> Document:
        """Return a run with triggers, steps, trainings, evaluations, comparisons and verdict."""
        return self._runs.one(_id(run_id))

    def list_run_steps(self, run_id: int) -> Document:
        """Return all attempts of a run's steps."""
        return {"run_id": run_id, "steps": self._runs.steps(_id(run_id))}

    def cancel_run(self, run_id: int, document: Any) -> tuple[Document, int]:
        """Cancel a run: 200 if it is over, 202 if its worker has to stop first."""
        author = fields.author(fields.only(document, ("by", "reason")))
        outcome = self._requests.cancel(_id(run_id), author)
        is_over = outcome == "cancelled"
        return self._outcome(run_id, outcome), _status(is_over=is_over)

    def retry_run(self, run_id: int, document: Any) -> tuple[Document, int]:
        """Continue a run at its first unfinished step."""
        author = fields.author(fields.only(document, ("by", "reason")))
        outcome = self._requests.retry(_id(run_id), author)
        return self._outcome(run_id, outcome), _status(is_over=False)

    def promote_run(self, run_id: int, document: Any) -> Document:
        """Move the champion to the candidate of a run whose verdict is PROMOTE."""
        author = fields.author(fields.only(document, ("by", "reason")))
        outcome, move = self._requests.promote(_id(run_id), author)
        if outcome == "moved":
            target = Target(move["experiment_name"], move["version"], move["event_id"])
            self._record_move(move["task"], move["alias"], target)
        return {"run_id": run_id, "outcome": outcome, **move}

    def _check_dataset(self, task: str, digest: str) -> None:
        if digest != fields.LATEST and not self._datasets.exists(task, digest):
            raise UnknownDatasetError(path="dataset")

    def _accepted(self, run_id: int, *, joined: bool) -> Located:
        document = {"run_id": run_id, "joined": joined, **self._runs.state(run_id)}
        return Located(document, HTTPStatus.ACCEPTED.value, f"/runs/{run_id}")

    def _outcome(self, run_id: int, outcome: str) -> Document:
        return {"run_id": run_id, "outcome": outcome, **self._runs.state(run_id)}


def _id(run_id: int) -> int:
    return fields.row_id(run_id, UnknownRunError)


def _status(*, is_over: bool) -> int:
    return (HTTPStatus.OK if is_over else HTTPStatus.ACCEPTED).value


def _prefix(value: str) -> str:
    try:
        return folder_of(value)
    except ValueError:
        raise MalformedRequestError(
            "prefix must be a folder of the storage, such as scans/2026: parts between single"
            " slashes that do not begin with a dot.",
            "prefix",
        ) from None
