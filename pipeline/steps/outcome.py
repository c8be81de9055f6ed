"""Outcomes of a step besides success and failure."""


class LeftOpenError(Exception):
    """The step could not be done now, and the run succeeds without it; a retry does it later.

    The message says what is missing.
    """
