"""The inference API as the pages see it. The only module that speaks HTTP."""

import base64
import logging
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter

# Who asks, as the API logs it with each prediction.
USER_AGENT = "mlops-dashboard"
EVALUATION = "mlops-evaluation"
CONNECT_TIMEOUT_SECONDS = 2.0
READ_TIMEOUT_SECONDS = 8.0
# The API takes 16 MB at once; what frames the images stays below the rest.
MAX_CALL_BYTES = 15 * 2**20
MAX_CALL_IMAGES = 1000
MAX_CALL_ANSWERS = 100_000
# A page makes one call at a time; many pages at once still find a connection waiting.
POOLED_CONNECTIONS = 32

logger = logging.getLogger(__name__)


class ApiUnreachableError(Exception):
    """The API gave no answer: refused, timed out or broken off."""


class ApiProblemError(Exception):
    """The API answered with a problem.

    Attributes:
        status: the HTTP status; title, detail: what the answer says, in plain text.

    """

    def __init__(self, status: int, title: str, detail: str) -> None:
        super().__init__(f"{title}: {detail}" if detail else title)
        self.status = status
        self.title = title
        self.detail = detail

    @property
    def is_about_the_image(self) -> bool:
        """Whether any experiment would say the same.

        Too large, not an image, or one that cannot be used.
        """
        return self.status in (413, 415, 422)


@dataclass(frozen=True)
class Model:
    """One served model: its state is READY, LOADING or FAILED, the last with a reason.

    Only models of one task compare.

    classes: its labels.
    """

    name: str
    state: str
    reason: str | None
    digest: str | None
    task: str
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Version:
    """One version of a model, as the page Models shows it.

    Attributes:
        name, version, state, reason, digest, task: as of Model.
        is_default: whether it answers to the bare name.
        aliases: the aliases that point to it.
        classes: the labels, in the order of the output.
        contract: what it takes: height, width, scale, invert.
        output: probabilities or logits.
        bytes: size of the LiteRT model; memory_bytes: what one process has of it in memory now, 0
        if nothing.
        test_accuracy: 0..1, of its card.
        parity: images, max_abs_difference, equal_argmax; None where nobody compared.
        update: state, digest and reason of a newer content of its files that does not serve, or not
        yet.

    """

    name: str
    version: int
    state: str
    reason: str | None
    digest: str | None
    task: str
    is_default: bool
    aliases: tuple[str, ...]
    classes: tuple[str, ...]
    contract: Mapping[str, Any]
    output: str
    bytes: int | None
    memory_bytes: int
    test_accuracy: float | None
    parity: Mapping[str, Any] | None
    update: Mapping[str, Any] | None

    @property
    def label(self) -> str:
        """What names it in a request: the bare name where it answers to that, else NAME@2."""
        return self.name if self.is_default else self.pinned

    @property
    def pinned(self) -> str:
        """What names it whether or not it answers to the bare name: NAME@2."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True)
class Move:
    """A move of an alias.

    When (aware), to which version, from which one (None at the first), by whom and why.
    """

    at: datetime
    experiment: str
    version: int
    from_experiment: str | None
    from_version: int | None
    moved_by: str
    reason: str


@dataclass(frozen=True)
class Alias:
    """Where an alias of a task points, the state of that version (NO_MODEL when there is none), and
    its moves, newest first.

    before: name and version to which a rollback leads, None where it pointed nowhere before.
    """

    task: str
    alias: str
    experiment: str
    version: int
    serving: str
    moves: tuple[Move, ...]
    before: tuple[str, int] | None


@dataclass(frozen=True)
class Readiness:
    """What /readyz says.

    The status (ready, degraded, starting) and the number of models in each state.
    """

    status: str
    ready: int
    loading: int
    failed: int
    database_detail: str | None


@dataclass(frozen=True)
class Prediction:
    """What one experiment reads. probabilities: label -> 0..1, confidence: that of the label, 0..1.

    prediction_id: under which the API keeps it, None where it keeps none.
    """

    label: str
    confidence: float
    probabilities: Mapping[str, float]
    prediction_id: str | None = None


@dataclass(frozen=True)
class Answer:
    """One experiment's answer to one image: a prediction, or the problem that stands in its place."""

    experiment: str
    prediction: Prediction | None = None
    problem: ApiProblemError | None = None


class Answers(list[Answer]):
    """The answer of every experiment to one image, and what they saw of it.

    A PNG of 28x28, None where nobody asked for it.
    """

    view: bytes | None = None


# What became of one image: the answers, or the problem of the image itself.
Outcome = Answers | list[Answer] | ApiProblemError


@dataclass(frozen=True)
class Label:
    """What a person said that an image shows: who, and when (aware)."""

    label: str
    labelled_by: str
    labelled_at: datetime


class ApiClient:
    """Calls over a pool of kept connections. Safe to share between threads.

    Every method raises ApiUnreachableError when there is no answer and ApiProblemError when the answer is an
    error or is not what the contract promises.
    """

    def __init__(
        self,
        base_url: str,
        *,
        user_agent: str = USER_AGENT,
        key: str = "",
        connect_timeout_seconds: float = CONNECT_TIMEOUT_SECONDS,
        read_timeout_seconds: float = READ_TIMEOUT_SECONDS,
    ) -> None:
        self.base_url = base_url
        self._timeout = (connect_timeout_seconds, read_timeout_seconds)
        self._session = requests.Session()
        # The API is a neighbour: a proxy for the outside world must not stand between.
        self._session.trust_env = False
        self._session.headers["User-Agent"] = user_agent
        if key:
            self._session.headers["X-API-Key"] = key
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=POOLED_CONNECTIONS)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def models(self) -> dict[str, Model]:
        """Fetch the served models by name: of several versions the one that answers to it."""
        body = self._call("GET", "/models")
        try:
            rows = [
                Model(
                    str(row["name"]),
                    str(row["state"]),
                    row.get("reason"),
                    row.get("digest"),
                    str(row["task"]),
                    tuple(map(str, row["classes"])),
                )
                for row in body["models"]
                if row["default"]
            ]
        except (KeyError, TypeError, AttributeError) as error:
            raise _off_contract() from error
        return {row.name: row for row in rows}

    def label(
        self, prediction_id: str, label: str, *, labelled_by: str, replaces: str | None = None
    ) -> None:
        """Store what the image of a prediction shows, for every version that reads it.

        replaces: the label that stands, which is to be another one now. ApiProblemError 409: another one
        stands, see current_label; 503: the prediction is not in the database yet, or there is no
        database.
        """
        body = {
            "label": label,
            "labelled_by": labelled_by,
            **({} if replaces is None else {"replaces": replaces}),
        }
        self._call("PUT", f"/predictions/{quote(prediction_id, safe='')}/label", json=body)

    def current_label(self, prediction_id: str) -> Label | None:
        """Fetch what people say that the image of a prediction shows, None if nobody did."""
        body = self._call("GET", f"/predictions/{quote(prediction_id, safe='')}")
        try:
            for given in body["labels"]:
                if given["replaced_at"] is None:
                    return Label(
                        str(given["label"]),
                        str(given["labelled_by"]),
                        datetime.fromisoformat(given["labelled_at"]),
                    )
        except (KeyError, TypeError, ValueError) as error:
            raise _off_contract() from error
        return None

    def versions(self) -> list[Version]:
        """Fetch every version of every model."""
        body = self._call("GET", "/models")
        try:
            return [_version(row) for row in body["models"]]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _off_contract() from error

    def card(self, name: str, version: int) -> Mapping[str, Any]:
        """Fetch what a version's card says of how it came to be.

        Parameters, config, metrics, data, code; empty without one.
        """
        body = self._call("GET", f"/models/{quote(name, safe='')}/versions/{version}")
        card = body.get("card") if isinstance(body, dict) else None
        return card if isinstance(card, dict) else {}

    def aliases(self) -> list[Alias]:
        """Fetch every alias with its moves."""
        body = self._call("GET", "/aliases")
        try:
            return [
                _alias(self._call("GET", _alias_path(row["task"], row["alias"])))
                for row in body["aliases"]
            ]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _off_contract() from error

    def move_alias(
        self, task: str, alias: str, experiment: str, version: int, *, moved_by: str, reason: str
    ) -> None:
        """Point an alias to a version that serves. ApiProblemError says why it cannot."""
        move = {
            "experiment_name": experiment,
            "version": version,
            "moved_by": moved_by,
            "reason": reason,
        }
        self._call("PUT", _alias_path(task, alias), json=move)

    def roll_alias_back(self, task: str, alias: str, *, moved_by: str, reason: str) -> None:
        """Point an alias to where it pointed before its last move. ApiProblemError says why it cannot."""
        self._call(
            "POST",
            _alias_path(task, alias) + "/rollback",
            json={"moved_by": moved_by, "reason": reason},
        )

    def readiness(self) -> Readiness:
        """Ask the API how it is. A 503 with a readiness document is an answer, not a problem."""
        body = self._call("GET", "/readyz", accept=(200, 503))
        try:
            models = body["dependencies"]["models"]
            database = body["dependencies"].get("database") or {}
            return Readiness(
                status=str(body["status"]),
                ready=int(models["ready"]),
                loading=int(models["loading"]),
                failed=int(models["failed"]),
                database_detail=None
                if database.get("status") == "ok"
                else str(database.get("detail") or "down"),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _off_contract() from error

    def predict(
        self, images: Sequence[bytes], experiments: Sequence[str], *, view: bool = False
    ) -> list[Outcome]:
        """Ask every experiment what each image (the bytes of a PNG, JPEG, WebP, BMP or GIF) shows,
        in as few calls as may be.

        Outcomes come in the order of the images, the answers of each in the order of the
        experiments. What is wrong with an image stands in place of its answers, what is wrong with
        an experiment within them. With `view` the answers tell what was seen. Raises ApiUnreachableError
        alone.
        """
        most = max(1, min(MAX_CALL_IMAGES, MAX_CALL_ANSWERS // max(1, len(experiments))))
        return [
            outcome
            for part in _parts(images, most)
            for outcome in self._predict_part(part, experiments, view=view)
        ]

    def _predict_part(
        self, images: Sequence[bytes], experiments: Sequence[str], *, view: bool
    ) -> list[Outcome]:
        try:
            body = self._call(
                "POST",
                "/predictions",
                params=[
                    *(("experiments", name) for name in experiments),
                    *([("view", "true")] if view else []),
                ],
                # The name a person gave the file stays here: the API needs none.
                files=[
                    ("images", ("image", image, "application/octet-stream")) for image in images
                ],
            )
            return _outcomes(body, len(images))
        except (
            ApiProblemError
        ) as problem:  # of the whole call: too large, or no experiment can answer
            if problem.is_about_the_image:
                return [problem for _ in images]
            return [[Answer(name, problem=problem) for name in experiments] for _ in images]

    def _call(
        self, method: str, path: str, *, accept: tuple[int, ...] = (200,), **arguments: Any
    ) -> Any:
        # The API's log and its SQL name the call by this, too.
        request_id = f"web-{uuid.uuid4().hex}"
        headers = {"X-Request-ID": request_id}
        try:
            response = self._session.request(
                method, self.base_url + path, timeout=self._timeout, headers=headers, **arguments
            )
        except requests.RequestException as error:
            raise ApiUnreachableError(
                f"The inference API at {self.base_url} does not answer."
            ) from error
        try:
            body = response.json()
        except requests.JSONDecodeError:
            body = None
        # The service's fault
        failed = response.status_code >= 500 and response.status_code not in accept  # noqa: PLR2004
        if failed or body is None:
            said = {"request_id": request_id}
            logger.warning(
                "%s %s was answered with %d and cannot be used.",
                method,
                path,
                response.status_code,
                extra=said,
            )
        if response.status_code not in accept:
            said = body if isinstance(body, dict) else {}
            title = str(said.get("title") or response.reason or f"HTTP {response.status_code}")
            raise ApiProblemError(response.status_code, title, str(said.get("detail") or ""))
        if body is None:
            raise _off_contract()
        return body


def _alias_path(task: str, alias: str) -> str:
    return f"/aliases/{quote(task, safe='')}/{quote(alias, safe='')}"


def _version(row: Any) -> Version:
    return Version(
        name=str(row["name"]),
        version=int(row["version"]),
        state=str(row["state"]),
        reason=row["reason"],
        digest=row["digest"],
        task=str(row["task"]),
        is_default=bool(row["default"]),
        aliases=tuple(map(str, row["aliases"])),
        classes=tuple(map(str, row["classes"])),
        contract=dict(row["input"]),
        output=str(row["output"]),
        bytes=row["bytes"],
        memory_bytes=int(row["memory_bytes"]),
        test_accuracy=row["test_accuracy"],
        parity=row["parity"],
        update=row["update"],
    )


def _alias(row: Any) -> Alias:
    moves = tuple(
        Move(
            at=datetime.fromisoformat(move["moved_at"]),
            experiment=str(move["experiment_name"]),
            version=int(move["version"]),
            from_experiment=move["from_experiment_name"],
            from_version=move["from_version"],
            moved_by=str(move["moved_by"]),
            reason=str(move["reason"]),
        )
        for move in row["history"]
    )
    before = row["before"]
    return Alias(
        task=str(row["task"]),
        alias=str(row["alias"]),
        experiment=str(row["experiment_name"]),
        version=int(row["version"]),
        serving=str(row["serving"]),
        moves=moves,
        before=None if before is None else (str(before["experiment_name"]), int(before["version"])),
    )


def _parts(images: Sequence[bytes], most: int) -> Iterator[list[bytes]]:
    """Yield the images in order, as many together as one call may carry.

    One that is larger goes alone, to be refused alone.
    """
    part: list[bytes] = []
    size = 0
    for image in images:
        if part and (size + len(image) > MAX_CALL_BYTES or len(part) == most):
            yield part
            part, size = [], 0
        part.append(image)
        size += len(image)
    if part:
        yield part


def _outcomes(body: Any, images: int) -> list[Outcome]:
    try:
        outcomes = [_outcome(entry) for entry in body["predictions"]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _off_contract() from error
    if len(outcomes) != images:
        raise _off_contract()
    return outcomes


def _outcome(entry: Any) -> Outcome:
    if "problem" in entry:
        return _problem(entry["problem"])
    answers = Answers(
        Answer(str(row["experiment_name"]), problem=_problem(row["problem"]))
        if "problem" in row
        else Answer(str(row["experiment_name"]), prediction=_prediction(row))
        for row in entry["answers"]
    )
    if "view" in entry:
        answers.view = base64.b64decode(entry["view"], validate=True)
    return answers


def _prediction(row: Any) -> Prediction:
    prediction_id = row.get("prediction_id")
    return Prediction(
        prediction_id=None if prediction_id is None else str(prediction_id),
        label=str(row["class"]),
        confidence=float(row["confidence"]),
        probabilities={str(label): float(value) for label, value in row["probabilities"].items()},
    )


def _problem(document: Any) -> ApiProblemError:
    return ApiProblemError(
        int(document["status"]), str(document["title"]), str(document.get("detail") or "")
    )


def _off_contract() -> ApiProblemError:
    return ApiProblemError(
        502, "Unexpected answer", "What answers at the address of the API is not the inference API."
    )
