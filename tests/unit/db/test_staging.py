"""Import results: the summary that the set-up prints."""

from db.staging import ImportResult


def test_import_result_lists_counts_that_are_not_zero() -> None:
    result = ImportResult(read=4, added=1, unchanged=2, rejected=1)
    assert str(result) == "4 rows: 1 new, 2 unchanged, 1 rejected, see table import_rejects"


def test_import_result_of_unreadable_file_is_its_error() -> None:
    assert str(ImportResult(error="data.csv is empty.")) == "not imported: data.csv is empty."
