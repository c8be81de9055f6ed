"""Image warnings: the texts that tell a client why an answer about an image means little."""

NO_DIGIT = "no digit found"


def several_digits(count: int) -> str:
    """Return the warning about an image of `count` digits, 2 or more."""
    return f"several digits ({count})"
