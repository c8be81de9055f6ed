"""Figures of a promotion: accuracy with its interval for both versions."""

from evaluation.metrics import wilson_interval
from web.evaluations.tables import format_interval
from web.formatting import escape_markdown, format_percent


def accuracy_rows(champion: str, candidate: str, cells: tuple[int, int, int, int]) -> str:
    """Return the accuracy of both versions on the same images as a markdown table.

    Args:
        champion: pinned name.
        candidate: pinned name.
        cells: images that both read, only the champion, only the candidate, and neither.

    """
    both, only_champion, only_candidate, neither = cells
    images = both + only_champion + only_candidate + neither
    rows = ["| | Correct | Accuracy | 95 % interval |", "|---|---:|---:|---|"]
    for role, name, correct in (
        ("Champion", champion, both + only_champion),
        ("Candidate", candidate, both + only_candidate),
    ):
        share = format_percent(correct / images, 2) if images else "\N{EN DASH}"
        interval = format_interval(wilson_interval(correct, images))
        rows.append(
            f"| **{role}** {escape_markdown(name)} | {correct:,} of {images:,} | **{share}**"
            f" | {interval} |"
        )
    return "\n".join(rows)
