"""GET /experiments: rows of CSV files and runs, with the serving state of each model."""

from inference.api import validation
from inference.database.experiments import Experiments
from inference.database.pool import Record
from inference.errors import Document, UnknownExperimentError
from inference.models.repository import ModelRepository

NO_MODEL = "NO_MODEL"


class ExperimentsApi:
    """The operations of the resource /experiments."""

    def __init__(self, experiments: Experiments, models: ModelRepository) -> None:
        self._experiments = experiments
        self._models = models

    def list_experiments(self) -> Document:
        """Return every experiment. Raises DatabaseUnavailableError."""
        return {"experiments": [self._with_state(record) for record in self._experiments.all()]}

    def get_experiment(self, experiment_name: str) -> Document:
        """Return one experiment. Raises UnknownExperimentError and DatabaseUnavailableError."""
        return self._with_state(self._experiments.one(validation.name(experiment_name)))

    def _with_state(self, record: Record) -> Document:
        try:
            state = self._models.snapshot().find(record["name"]).state.value
        except UnknownExperimentError:
            state = NO_MODEL
        return {**record, "serving": state}
