"""Step register: publishes the candidate, if the verdict is PROMOTE or the run asks to keep it.

The model directory is outside of Postgres, so no lease protects it. A repeated attempt removes what
an earlier one prepared, and looks for the candidate among the versions before it publishes. So a
worker that was frozen in the middle cannot publish a second version after its run was continued.
"""

import hashlib
import io
import shutil
import zipfile
from pathlib import Path
from typing import Any

from inference.model_format.card import CARD_FILE, KERAS_FILE, LITERT_FILE, Card
from inference.models.publish import PublishError, publish, require_digits
from inference.originals.keys import key_in
from inference.originals.open_store import open_store
from inference.probe.prober import Prober
from inference.probe.report import ProbeReport
from inference.settings import from_environment
from monitoring.references.labeled_images import LabeledImages, find_file, read_test_images
from pipeline.data import base
from pipeline.models.published import open_registry, published_cards
from pipeline.settings import Settings
from pipeline.steps import unpublished
from pipeline.steps.context import PermanentError, StepContext
from training import task

FILES = (KERAS_FILE, LITERT_FILE, CARD_FILE)
SET_VERSION = """
UPDATE promotion_decisions SET candidate_version = %s
WHERE id = (SELECT max(id) FROM promotion_decisions WHERE run_id = %s)
"""


def run(context: StepContext) -> dict[str, Any]:
    """Return the published version, null without one.

    Raises PermanentError if the candidate cannot be published.
    """
    name, chosen = context.run.experiment_name, context.outputs["train"]["chosen"]
    outputs = {"experiment_name": name, "model_digest": chosen["model_digest"]}
    is_wanted = context.outputs["compare"]["verdict"] == "PROMOTE"
    if not is_wanted and not context.run.params.get("keep"):
        return {**outputs, "version": None, "published": "no"}
    models_dir = context.settings.models_dir
    for run_id, directory in list(unpublished.find(models_dir)):
        if run_id == context.run.id:
            unpublished.remove(directory)
    published = "before"
    version = find_version(context.settings, name, chosen["model_digest"])
    if version is None:
        published, version = "now", _publish(context, name, chosen)
    context.write(SET_VERSION, [version, context.run.id])
    return {**outputs, "version": version, "published": published}


def find_version(settings: Settings, name: str, digest: str) -> int | None:
    """Return the version of a model whose model.tflite has a SHA-256, None without one."""
    for version, card in published_cards(settings, name):
        record = card.files.get(LITERT_FILE)
        if record is not None and record.sha256 == digest:
            return version
    return None


def _publish(context: StepContext, name: str, chosen: dict[str, Any]) -> int:
    source = context.work / "register"
    _unpack(context, chosen["artifact_url"], source)

    def check(report: ProbeReport) -> None:
        require_digits(report)
        context.write("SELECT")  # the last moment before the version appears

    try:
        directory, card = publish(
            source,
            name,
            None,
            context.settings.models_dir,
            Prober(min_accuracy=from_environment().probe_min_accuracy),
            check,
            unpublished.attempt_name(context.run.id, context.lease_token),
            _test_images,
            open_registry(context.settings),
        )
    except PublishError as error:
        raise PermanentError(
            f"The candidate could not be published: {error} Then retry the run."
        ) from error
    shutil.rmtree(source, ignore_errors=True)
    digest = card.files[LITERT_FILE].sha256
    if digest != chosen["model_digest"]:
        raise PermanentError(
            f"Version {directory.name} was published with another model.tflite than the evaluated "
            f"one: {digest}. Remove it, then start another run."
        )
    return int(directory.name)


def _test_images(card: Card) -> LabeledImages | None:
    """Return the test images of the base dataset for the reference, None if they are not at hand.

    Raises UnusableImagesError for a file that is not MNIST.
    """
    file = find_file()
    try:
        class_of_digit = base.class_of_digit(task.read(card.task))
    except task.InvalidTaskError:
        return None
    return None if file is None else read_test_images(file, class_of_digit, card.classes)


def _unpack(context: StepContext, url: str, folder: Path) -> None:
    """Write the files of a candidate. Raises PermanentError and StorageUnavailableError."""
    key = key_in(url)
    data = open_store(context.settings.images_url).get(key)
    if data is None or _sha256(data) != Path(key).stem:
        raise PermanentError(
            f"The candidate's files {key} are missing or damaged in the storage. Start another run."
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in FILES:
            with archive.open(name) as member, (folder / name).open("wb") as file:
                shutil.copyfileobj(member, file)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
