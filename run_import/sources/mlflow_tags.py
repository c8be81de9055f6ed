"""Tags of MLflow: those of persons and scripts, beside those that MLflow sets itself."""

from collections.abc import Mapping
from typing import Final

NAME_TAG: Final = "mlflow.runName"
NOTE_TAG: Final = "mlflow.note.content"
SYSTEM_PREFIX: Final = "mlflow."


def user_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that MLflow has not set itself."""
    return {key: text for key, text in tags.items() if not key.startswith(SYSTEM_PREFIX)}
