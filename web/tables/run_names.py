"""Names of runs: short names without their common prefix, and links to the pages of runs."""

import re
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote

from web.formatting import escape_markdown

# A prefix ends behind one of these.
_SEPARATORS = re.compile(r"[_\-./:\s]+")
# Shorter prefixes are not worth a name that differs from the stored one.
MIN_PREFIX = 4
# JavaScript regular expression for the text of a link: the short name is its fragment.
LINK_TEXT = "#(.*)$"


def common_prefix(names: Iterable[str]) -> str:
    """Return the prefix that short names leave out, empty without one.

    It ends behind a separator, so no word is cut: run_12 and run_18 share run_. Each name has more
    characters than the prefix, so short names are as unique as the names.
    """
    known = sorted(set(names))
    if len(known) < 2:  # noqa: PLR2004
        return ""
    first, last = known[0], known[-1]  # what these share, all share
    shared = 0
    while shared < min(len(first), len(last)) and first[shared] == last[shared]:
        shared += 1
    ends = [match.end() for match in _SEPARATORS.finditer(first) if match.end() <= shared]
    end = max((end for end in ends if end < min(map(len, known))), default=0)
    return first[:end] if end >= MIN_PREFIX else ""


def shorten_names(names: Iterable[str]) -> dict[str, str]:
    """Return the short name of each name, without their common prefix."""
    known = list(names)
    start = len(common_prefix(known))
    return {name: name[start:] for name in known}


def run_links(names: Iterable[str], short: Mapping[str, str]) -> list[str]:
    """Return the link of each run to its page, relative to the page that shows it.

    Args:
        names: names of runs.
        short: their texts, see shorten_names. A link column shows them with LINK_TEXT.

    """
    return [f"run?name={quote(name, safe='')}#{quote(short[name], safe='')}" for name in names]


def join_links(names: Sequence[str], limit: int) -> str:
    """Join links to the pages of runs for a sentence: a, b and 3 more."""
    shown = ", ".join(markdown_link(name) for name in names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"


def markdown_link(name: str, text: str | None = None) -> str:
    """Return a link to the page of a run as Markdown, by default with its full name as the text."""
    return f"[{escape_markdown(name if text is None else text)}](run?name={quote(name, safe='')})"
