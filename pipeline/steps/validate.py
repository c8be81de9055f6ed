"""Step validate: checks the run's dataset before anything is trained on it. Reads only."""

from typing import Any

from pipeline.data import checks
from pipeline.data.dataset import read_dataset
from pipeline.steps.context import PermanentError, StepContext


def run(context: StepContext) -> dict[str, Any]:
    """Return the training images per class, the contamination (0) and warnings.

    Raises PermanentError for a dataset that must not be trained on, StorageUnavailableError and
    psycopg2.Error.
    """
    dataset = read_dataset(context)
    context.progress(check="classes")
    try:
        per_class = checks.check_classes(dataset)
        context.progress(check="contamination")
        checks.check_contamination(dataset)
    except checks.InvalidDataError as error:
        raise PermanentError(str(error)) from error
    context.progress(check="drift")
    warnings = checks.find_warnings(dataset, per_class)
    return {"per_class": per_class, "contamination": 0, "warnings": warnings}
