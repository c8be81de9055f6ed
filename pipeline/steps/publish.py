"""Step publish: adds an uploaded model to the model directory, and its experiment to the table.

The model directory is outside of Postgres, so no lease protects it. Each attempt works in a hidden
directory of its own, which the next attempt removes first. Before its version appears, an attempt
stores the identity of the model in its row. By this the next one recognizes a version that was
published in the last moment, and so a killed or frozen worker cannot publish a second one.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from inference.compiler.child_errors import CompilationError
from inference.model_format.card import (
    CARD_FILE,
    KERAS_FILE,
    LITERT_FILE,
    Card,
    InvalidCardError,
)
from inference.models.publish import PublishError, find_mnist, hidden_directory, publish
from inference.originals.keys import key_in
from inference.originals.open_store import open_store
from inference.probe.prober import Prober
from inference.probe.report import ProbeReport
from inference.settings import from_environment
from pipeline.models.experiment_row import experiment_values
from pipeline.models.published import open_registry, published_cards
from pipeline.models.uploaded_file import UnusableFileError, prepare, sha256
from pipeline.settings import Settings
from pipeline.steps import unpublished
from pipeline.steps.context import PermanentError, StepContext

SELECT_RENAMED = """
SELECT e.name FROM previous_names p JOIN experiments e ON e.id = p.experiment_id WHERE p.name = %s
"""
SELECT_IDENTITIES = """
SELECT progress ->> 'identity' AS identity FROM pipeline_steps
WHERE run_id = %s AND name = 'publish' AND progress ? 'identity'
"""
STORE_PROGRESS = """
UPDATE pipeline_steps SET progress = %s, heartbeat_at = now()
WHERE run_id = %s AND name = 'publish' AND state = 'RUNNING'
"""
SELECT_REQUEST = """
SELECT requested_by FROM pipeline_triggers WHERE run_id = %s ORDER BY id LIMIT 1
"""
ADD_EXPERIMENT = """
SELECT outcome, current_name FROM add_published_experiment(
    %(name)s, %(task)s, %(learning_rate)s, %(momentum)s, %(params)s, %(metrics)s, %(owner)s,
    %(started_at)s)
"""
SET_TASK = "UPDATE pipeline_runs SET task = %s WHERE id = %s"


class _PublishedBeforeError(Exception):
    """A version of the experiment is the same model."""

    def __init__(self, version: int, card: Card) -> None:
        super().__init__()
        self.version, self.card = version, card


@dataclass(frozen=True)
class _Published:
    """A version, whether this attempt published it, and the sentence of its probe, if it ran."""

    version: int
    card: Card
    is_new: bool
    probe: str | None = None


def run(context: StepContext) -> dict[str, Any]:
    """Return the published version, its card's task, and what became of the experiment.

    Raises PermanentError if the model cannot be published, StorageUnavailableError, psycopg2.Error,
    CancelledError and SupersededError.
    """
    started_at = datetime.now(UTC)
    name, models_dir = context.run.experiment_name, context.settings.models_dir
    renamed = context.database.query(SELECT_RENAMED, [name])
    if renamed:
        raise PermanentError(
            f"The experiment {name} is now {renamed[0]['name']}. Publish the model as its version."
        )
    for run_id, directory in list(unpublished.find(models_dir)):
        if run_id == context.run.id:
            unpublished.remove(directory)
    published = _find_interrupted(context) or _publish(context)
    card = published.card
    added = _add_experiment(context, card, started_at)
    return {
        "experiment_name": name,
        "version": published.version,
        "published": "now" if published.is_new else "before",
        "experiment": added["outcome"],
        "task": card.task,
        "model_digest": card.files[LITERT_FILE].sha256,
        "probe": published.probe,
        "sentence": _describe(name, published, added),
    }


def find_identity(settings: Settings, name: str, identities: set[str]) -> tuple[int, Card] | None:
    """Return the latest version of a model with one of the identities, None without one."""
    if not identities:
        return None
    for version, card in reversed(list(published_cards(settings, name))):
        if identity(card) in identities:
            return version, card
    return None


def identity(card: Card) -> str:
    """Return a digest of a card with its model files; references are written later and left out."""
    document = {
        **asdict(card),
        "files": {
            name: asdict(record)
            for name, record in card.files.items()
            if name in (KERAS_FILE, LITERT_FILE)
        },
    }
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _find_interrupted(context: StepContext) -> _Published | None:
    """Return the version that an interrupted attempt of this run published in its last moment."""
    rows = context.database.query(SELECT_IDENTITIES, [context.run.id])
    identities = {row["identity"] for row in rows}
    found = find_identity(context.settings, context.run.experiment_name, identities)
    return None if found is None else _Published(*found, is_new=True)


def _publish(context: StepContext) -> _Published:
    source = context.work / "publish"
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    name, models_dir = context.run.experiment_name, context.settings.models_dir
    attempt = unpublished.attempt_name(context.run.id, context.lease_token)
    incoming = hidden_directory(models_dir, name, attempt)
    reports: list[ProbeReport] = []

    def check(report: ProbeReport) -> None:
        reports.append(report)
        context.progress(phase="probe")
        _require_digits(context, report)
        own = identity(Card.read(incoming / CARD_FILE))
        found = find_identity(context.settings, name, {own})
        if found is not None:
            raise _PublishedBeforeError(*found)
        # The last moment before the version appears.
        _store_progress(context, {"phase": "install", "identity": own})

    try:
        _prepare(context, source)
        context.progress(phase="compile")
        directory, card = publish(
            source,
            name,
            None,
            models_dir,
            Prober(min_accuracy=from_environment().probe_min_accuracy),
            check,
            attempt,
            find_mnist,
            open_registry(context.settings),
        )
    except _PublishedBeforeError as found:
        sentence = reports[0].reading.sentence
        return _Published(found.version, found.card, is_new=False, probe=sentence)
    except (PublishError, UnusableFileError, CompilationError, InvalidCardError) as error:
        raise PermanentError(str(error)) from error
    shutil.rmtree(source, ignore_errors=True)
    sentence = reports[0].reading.sentence
    return _Published(int(directory.name), card, is_new=True, probe=sentence)


def _prepare(context: StepContext, source: Path) -> None:
    """Write the files of the model. Raises PermanentError, StorageUnavailableError and others."""
    _store_progress(context, {"phase": "read"})
    file, card = context.run.params["file"], context.run.params.get("card") or {}
    content = open_store(context.settings.images_url).get(key_in(file["url"]))
    if content is None or sha256(content) != file["digest"]:
        raise PermanentError(
            "The uploaded file is missing or damaged in the storage. Publish it again."
        )
    prepare(content, card, source)


def _require_digits(context: StepContext, report: ProbeReport) -> None:
    """Refuse a model that reads too few probe digits, unless the request says force.

    The row of the attempt gets the keys of a better card, if one is known.
    """
    if report.passed is not False or context.run.params.get("force"):
        return
    best = report.reading.best
    better = None if best is None else best.card()
    _store_progress(context, {"phase": "probe", "refused": "probe", "better_card": better})
    advice = (
        "State its input or the order of its classes in the card"
        if better is None
        else f"Add {json.dumps(better)} to its card"
    )
    raise PermanentError(
        f"The model reads {report.reading.sentence}. {advice}, or publish it as it is with force."
    )


def _add_experiment(context: StepContext, card: Card, started_at: datetime) -> Mapping[str, Any]:
    [request] = context.database.query(SELECT_REQUEST, [context.run.id])
    arguments = {
        **experiment_values(card),
        "name": context.run.experiment_name,
        "owner": request["requested_by"],
        "started_at": started_at,
    }
    context.write(SET_TASK, [card.task, context.run.id])
    [added] = context.write(ADD_EXPERIMENT, arguments)
    return added


def _describe(name: str, published: _Published, added: Mapping[str, Any]) -> str:
    state = "Published as" if published.is_new else "The same model is already"
    text = f"{state} version {published.version} of {name}."
    if added["outcome"] == "added":
        return f"{text} Its experiment is new."
    if added["outcome"] == "renamed":
        return f"{text} Its experiment was renamed to {added['current_name']} meanwhile."
    return text


def _store_progress(context: StepContext, values: Mapping[str, Any]) -> None:
    context.write(STORE_PROGRESS, [json.dumps(values), context.run.id])
