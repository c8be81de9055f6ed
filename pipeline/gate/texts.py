"""Texts of the gate: p-values, points and cells in the sentences of a verdict."""

from pipeline.gate.evidence import Cells, ClassCells, GateSettings

SMALLEST = 1e-300
MAX_DIGITS = 12


def probability(value: float, limit: float | None = None) -> str:
    """Return a probability such as .018, with enough digits to tell it from `limit`."""
    text = f"{value:.2g}"
    if limit is not None and value != limit:
        digits = 3
        while _is_ambiguous(float(text), value, limit) and digits < MAX_DIGITS:
            text, digits = f"{value:.{digits}g}", digits + 1
    return text.removeprefix("0") if text.startswith("0.") else text


def p_value(value: float, limit: float) -> str:
    """Return a p-value as an equation, such as p = .018."""
    return f"p = {probability(value, limit)}" if value > SMALLEST else f"p < {SMALLEST:g}"


def _is_ambiguous(shown: float, value: float, limit: float) -> bool:
    return shown == limit or (shown < limit) != (value < limit)


def points(share: float) -> str:
    """Return a difference of accuracies in percentage points, such as +0.16 points."""
    return f"{100 * share:+.2f} points"


def limit_points(share: float) -> str:
    """Return a setting in percentage points, such as 0.3 points."""
    return f"{100 * share:g} points"


def counted(number: int, noun: str = "image") -> str:
    """Return a number with its noun, such as 1 image."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def wins(cells: Cells | ClassCells) -> str:
    """Return the images that exactly one model reads."""
    text = (
        f"{counted(cells.only_candidate)} only the candidate reads, "
        f"{cells.only_champion:,} only the champion"
    )
    if isinstance(cells, Cells) and cells.unanswered:
        text += (
            f", and {counted(cells.unanswered, 'request')} without an answer, "
            "counted for the champion"
        )
    return text


def gain_test(name: str, cells: Cells, adjusted: float, sets: int, alpha: float) -> str:
    """Return the sentence of the test for a better candidate."""
    p_text = p_value(cells.p_better, alpha)
    if sets > 1 and adjusted != cells.p_better:
        p_text += f", {probability(adjusted, alpha)} after Holm's correction for {sets} sets"
    return f"{name}: {wins(cells)}: {p_text}; {probability(alpha)} is required."


def too_small_gain(name: str, cells: Cells, settings: GateSettings) -> str:
    """Return the sentence of a gain that is proven, but too small to be of use."""
    return (
        f"{name}: the gain is {points(cells.gain)}; at least "
        f"{limit_points(settings.min_gain)} are required."
    )


def bound(name: str, cells: Cells, settings: GateSettings, *, holds: bool) -> str:
    """Return the sentence of the bound of the gain."""
    relation = "above" if holds else "not above"
    return (
        f"{name}: {wins(cells)}: the gain is {points(cells.gain)}, at least "
        f"{points(cells.gain_lower)} with 95 % confidence, {relation} the limit of "
        f"{points(-settings.margin)}."
    )


def small_set(name: str, cells: Cells, settings: GateSettings) -> str:
    """Return the sentence of a set that is too small for the bound."""
    return (
        f"{name}: {counted(cells.images)} cannot rule out a loss of "
        f"{limit_points(settings.margin)}, for which {settings.images_needed:,} are required. "
        f"Among them: {wins(cells)}."
    )


def class_loss(name: str, label: str, cells: ClassCells, adjusted: float, limit: float) -> str:
    """Return the sentence of a class that the candidate reads worse."""
    return (
        f"{name}: the candidate is worse on the {counted(cells.images)} of the class {label}. "
        f"{wins(cells)[0].upper()}{wins(cells)[1:]}: {p_value(adjusted, limit)} after "
        f"Holm's correction for all classes; above {probability(limit)} is required."
    )
