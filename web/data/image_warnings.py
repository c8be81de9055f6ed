"""Words for the warnings of an image.

The API's texts are in inference/preprocessing/image_warnings.py.
"""

from collections.abc import Sequence

NO_DIGIT = "no digit found"
SEVERAL_DIGITS = "several digits"


def warning_title(warnings: Sequence[str]) -> str:
    """Return the warnings of an image as the title of a message."""
    return ". ".join(map(_title, warnings))


def short_warning(warnings: Sequence[str]) -> str:
    """Return the warnings of an image for a cell of a table."""
    return "; ".join(warning[:1].upper() + warning[1:] for warning in warnings)


def warning_advice(warnings: Sequence[str]) -> str:
    """Return what the warnings mean for the answers of the models, and what to do."""
    advice = (
        "Use a picture of a single digit that stands out from its paper."
        if NO_DIGIT in warnings
        else "Use a picture of each digit."
    )
    return (
        "Each model answers with one of its labels whatever it sees, so its answer does not count."
        f" {advice}"
    )


def _title(warning: str) -> str:
    text = warning[:1].upper() + warning[1:]
    if warning == NO_DIGIT:
        return f"{text} in this image"
    if warning.startswith(SEVERAL_DIGITS):
        return f"{text}: the models read one of them"
    return text
