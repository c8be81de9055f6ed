"""API calls of the learning loop: runs, uploads, label requests, schedules and evaluations."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from web.data import api_parsing
from web.data.api_client import READ_TIMEOUT_SECONDS, ApiClient

OK, CREATED, ACCEPTED = 200, 201, 202
# The API writes an upload to its storage before it responds.
UPLOAD_TIMEOUT_SECONDS = 120.0
# Parameters of the runs of a schedule
SCHEDULED = ("seeds", "dataset", "sweep", "keep")


@dataclass(frozen=True)
class StartedRun:
    """Result of a request for a run.

    Attributes:
        run_id: its number.
        joined: whether a run was open already, which the request joined.

    """

    run_id: int
    joined: bool


class LearningClient:
    """Writes of the learning loop over an API client. Thread-safe.

    Every method raises ApiUnreachableError without a response, and ApiProblemError for an error
    response or a response that breaks the contract.
    """

    def __init__(self, api: ApiClient) -> None:
        self._api = api

    def retrain(
        self,
        task: str,
        experiment: str,
        *,
        seeds: int,
        dataset: str,
        sweep: Mapping[str, Any] | None,
        by: str,
        reason: str,
    ) -> StartedRun:
        """Request a run, or join the open one of the task.

        Args:
            task: the task.
            experiment: the experiment to train.
            seeds: number of seeds.
            dataset: `latest`, or the digest of a dataset.
            sweep: trials and search space, None for the parameters of the experiment.
            by: author, which the run stores.
            reason: reason, which the run stores.

        """
        body: dict[str, Any] = {
            "task": task,
            "experiment_name": experiment,
            "seeds": seeds,
            "dataset": dataset,
            "trigger": "manual",
            "by": by,
            "reason": reason,
        }
        if sweep is not None:
            body["sweep"] = dict(sweep)
        document = self._api.request("POST", "/retrain", accept=(ACCEPTED,), json=body)
        return api_parsing.parse_document(
            lambda one: StartedRun(int(one["run_id"]), bool(one["joined"])), document
        )

    def cancel(self, run: int, *, by: str, reason: str) -> None:
        """Cancel an open run. A running one ends at its next progress report."""
        self._act(run, "cancel", by, reason)

    def retry(self, run: int, *, by: str, reason: str) -> None:
        """Continue an ended run at its first step that did not succeed."""
        self._act(run, "retry", by, reason)

    def promote(self, run: int, *, by: str, reason: str) -> None:
        """Point the champion to the candidate of a run with the verdict PROMOTE."""
        self._act(run, "promote", by, reason)

    def _act(self, run: int, action: str, by: str, reason: str) -> None:
        self._api.request(
            "POST",
            f"/runs/{run}/{action}",
            accept=(OK, ACCEPTED),
            json={"by": by, "reason": reason},
        )

    def upload(self, task: str, name: str, data: bytes, *, by: str) -> int:
        """Store a file with labeled images, which the next run reads. Return its number.

        The same bytes again have the same number.
        """
        document = self._api.request(
            "POST",
            "/load_new_data",
            accept=(OK, ACCEPTED),
            params={"task": task},
            files={"file": (name, data, "application/octet-stream")},
            data={"name": name, "by": by},
            timeout=(READ_TIMEOUT_SECONDS, UPLOAD_TIMEOUT_SECONDS),
        )
        return api_parsing.parse_document(lambda one: int(one["upload_id"]), document)

    def publish(
        self,
        experiment: str,
        file_name: str,
        data: bytes,
        *,
        card: Mapping[str, Any],
        force: bool,
        by: str,
        reason: str,
    ) -> StartedRun:
        """Store a model and request the run that publishes it, or join the open one for it.

        Args:
            experiment: the experiment, new or existing.
            file_name: name of the file.
            data: the file.
            card: fields of its card, which replace those of the file. Empty for none.
            force: whether to publish a model that misreads the probe digits.
            by: author, which the run stores.
            reason: reason, which the run stores.

        """
        fields = {"by": by, "reason": reason, "force": "true" if force else "false"}
        document = self._api.request(
            "POST",
            f"/models/{quote(experiment, safe='')}",
            accept=(ACCEPTED,),
            files={"file": (file_name, data, "application/octet-stream")},
            data={**fields, "card": json.dumps(card)} if card else fields,
            timeout=(READ_TIMEOUT_SECONDS, UPLOAD_TIMEOUT_SECONDS),
        )
        return api_parsing.parse_document(
            lambda one: StartedRun(int(one["run_id"]), bool(one["joined"])), document
        )

    def request_labels(self, task: str, images: int, *, by: str) -> int:
        """Ask for labels of images drawn at random from the log. Return the number of images."""
        document = self._api.request(
            "POST",
            "/label-requests",
            accept=(CREATED,),
            json={"task": task, "images": images, "by": by},
        )
        return api_parsing.parse_document(lambda one: int(one["asked"]), document)

    def answer(self, prediction_id: str, label: str, *, labelled_by: str, request: int) -> None:
        """Store the label that a request asks for."""
        self._api.request(
            "PUT",
            f"/predictions/{quote(prediction_id, safe='')}/label",
            json={"label": label, "labelled_by": labelled_by, "answers_request": request},
        )

    def withdraw(self, prediction_id: str, *, by: str) -> None:
        """Withdraw the current label of an image."""
        self._api.request(
            "DELETE",
            f"/predictions/{quote(prediction_id, safe='')}/label",
            params={"withdrawn_by": by},
        )

    def skip(self, request: int, *, by: str) -> None:
        """Leave a request without a label."""
        self._api.request(
            "POST",
            f"/label-requests/{request}/skip",
            json={"by": by},
        )

    def set_schedule(
        self,
        task: str,
        *,
        cron: str,
        experiment: str,
        enabled: bool,
        params: Mapping[str, Any],
        by: str,
    ) -> None:
        """Set the schedule of a task. The API rejects an invalid cron expression.

        Args:
            task: the task.
            cron: five fields: minute, hour, day of month, month, day of week.
            experiment: the experiment to train.
            enabled: whether it starts runs.
            params: seeds, dataset, sweep and keep of the runs.
            by: author.

        """
        self._api.request(
            "PUT",
            f"/schedules/{quote(task, safe='')}",
            json={
                **{name: params[name] for name in SCHEDULED if params.get(name) is not None},
                "cron": cron,
                "experiment_name": experiment,
                "enabled": enabled,
                "by": by,
            },
        )

    def delete_schedule(self, task: str) -> None:
        """Delete the schedule of a task."""
        self._api.request("DELETE", f"/schedules/{quote(task, safe='')}")

    def store_evaluation(self, evaluation: Mapping[str, Any]) -> None:
        """Store the result of an evaluation, see NewEvaluation in openapi.yaml."""
        self._api.request("POST", "/evaluations", accept=(CREATED,), json=dict(evaluation))
