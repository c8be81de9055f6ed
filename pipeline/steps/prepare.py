"""Step prepare: writes the run's dataset as the npz file that training reads."""

from typing import Any

from pipeline.data import prepared
from pipeline.data.dataset import read_dataset
from pipeline.steps.context import StepContext


def run(context: StepContext) -> dict[str, Any]:
    """Write the file, the same bytes for the same dataset. Return its name, digest and counts.

    Raises PermanentError, StorageUnavailableError, OSError and psycopg2.Error.
    """
    outputs = prepared.write(read_dataset(context), context.work / prepared.FILE)
    context.progress(bytes=(context.work / prepared.FILE).stat().st_size)
    return outputs
