"""Names of runs: short names without the usual prefix, and links to the pages of runs."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote

from web.formatting import escape_markdown

# A prefix ends behind one of these.
_SEPARATORS = re.compile(r"[_\-./:\s]+")
# Shorter prefixes are not worth a name that differs from the stored one.
MIN_PREFIX = 4
# Share of the names that have the prefix. Names stay short beside one other run.
MIN_SHARE = 2 / 3
# JavaScript regular expression for the text of a link: the short name is its fragment.
LINK_TEXT = "#(.*)$"


def usual_prefix(names: Iterable[str]) -> str:
    """Return the prefix that short names leave out, empty without one.

    Most names have it, and of such prefixes it leaves out the most characters in total. It ends
    behind a separator, so no word is cut: run_12 and run_18 share run_. Short names are as unique
    as the names.
    """
    known = set(names)
    counts = Counter(
        name[: match.end()]
        for name in known
        for match in _SEPARATORS.finditer(name, 0, len(name) - 1)
    )
    prefixes = [
        prefix
        for prefix, count in counts.items()
        if len(prefix) >= MIN_PREFIX and 1 < count >= MIN_SHARE * len(known)
    ]
    for prefix in sorted(prefixes, key=lambda one: (-counts[one] * len(one), one)):
        if len({_without(prefix, name) for name in known}) == len(known):
            return prefix
    return ""


def _without(prefix: str, name: str) -> str:
    # A name that is nothing but the prefix keeps it.
    return name if name == prefix else name.removeprefix(prefix)


def shorten_names(names: Iterable[str]) -> dict[str, str]:
    """Return the short name of each name, without the prefix that most of them have."""
    known = list(names)
    prefix = usual_prefix(known)
    return {name: _without(prefix, name) for name in known}


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
