"""Errors of the monitoring: each has a status and says what to do."""

import pytest

from inference.database.monitoring.errors import (
    AlertConflictError,
    UnknownAlertError,
    UnknownMonitorError,
    UnknownTaskError,
)
from inference.errors import ServiceError


@pytest.mark.parametrize("error", [UnknownAlertError, UnknownMonitorError, UnknownTaskError])
def test_unknown_row_names_the_list_of_known_ones(error: type[ServiceError]) -> None:
    document = error().document()
    assert (document["status"], "See" in document["detail"]) == (404, True)


def test_conflict_has_the_detail_of_its_cause() -> None:
    document = AlertConflictError("The alert was closed before.").document()
    assert (document["status"], document["detail"]) == (409, "The alert was closed before.")
