"""Errors of the export: each message says what is wrong, then what to do."""


class ExportError(Exception):
    """The export ended early. Files that were stored are whole. The manifest was not written."""
