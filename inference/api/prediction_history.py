"""GET /predictions and labels: stored predictions, page by page and one by one."""

from typing import Any

from inference.api import validation
from inference.api.validation import MAX_LABEL, MAX_PERSON
from inference.database.predictions import Filter, History
from inference.errors import Document


class PredictionHistoryApi:
    """The reading and labeling operations of the resource /predictions."""

    def __init__(self, history: History) -> None:
        self._history = history

    def list_predictions(
        self,
        limit: int = 50,
        cursor: str | None = None,
        experiment_name: str | None = None,
        since: str | None = None,
        until: str | None = None,
        disagreement: bool | None = None,  # noqa: FBT001  # Connexion passes parameters by name
        corrected: bool | None = None,  # noqa: FBT001
        wrong: bool | None = None,  # noqa: FBT001
        **keyword_parameters: str,
    ) -> Document:
        """Return a page of predictions, newest first.

        The parameter `class` is a keyword of Python and arrives in `keyword_parameters`. Raises
        MalformedRequestError and DatabaseUnavailableError.
        """
        name, version = None, None
        if experiment_name is not None:
            name, version = validation.pinned_name(experiment_name)
        has_label = keyword_parameters.get("class") is not None
        criteria = Filter(
            name,
            version,
            validation.text(keyword_parameters, "class", MAX_LABEL) if has_label else None,
            validation.time(since, "since") if since is not None else None,
            validation.time(until, "until") if until is not None else None,
            disagreement,
            corrected,
            wrong,
        )
        predictions, next_cursor = self._history.page(criteria, limit, cursor)
        return {"predictions": predictions, "next": next_cursor}

    def get_prediction(self, prediction_id: str) -> Document:
        """Return one prediction with its image, labels and latest events."""
        return self._history.one(validation.identity(prediction_id, "prediction_id"))

    def label_prediction(self, prediction_id: str, document: Any) -> Document:
        """Store the true label of a prediction's image."""
        prediction_id = validation.identity(prediction_id, "prediction_id")
        validation.record(document, ("label", "labelled_by", "replaces"))
        label = validation.text(document, "label", MAX_LABEL)
        labelled_by = validation.text(document, "labelled_by", MAX_PERSON)
        replaces = None
        if document.get("replaces") is not None:
            replaces = validation.text(document, "replaces", MAX_LABEL)
        return self._history.label(prediction_id, label, labelled_by, replaces)
