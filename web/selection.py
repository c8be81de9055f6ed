"""Which experiments the pages speak of: the newest few, or a free choice. The URL holds it, so a link restores it."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

DEFAULT_LATEST = 5
# Far more than one looks at; a bound only so that a slip of the finger does not draw ten thousand curves.
MOST_LATEST = 1000

# The widgets' keys are the names of the parameters in the URL: ?latest=8 or ?experiments=a&experiments=b
LATEST = "latest"
EXPERIMENTS = "experiments"


@dataclass(frozen=True)
class Selection:
    """The chosen experiments.

    Attributes:
        names: those that exist, in the order in which they were chosen, or newest first.
        unknown: names from the URL that the database does not have.

    """

    names: tuple[str, ...]
    unknown: tuple[str, ...]


def resolve(known: Sequence[str] | None, latest: int, chosen: Sequence[str]) -> Selection:
    """Say which experiments are meant.

    Args:
        known: all experiments, newest first; None when the database has never answered, so that nothing can be said
            about what exists and every chosen name is taken at its word.
        latest: how many of the newest, when none is chosen.
        chosen: the free choice; it wins over latest.

    """
    if known is None:
        return Selection(names=tuple(chosen), unknown=())
    if not chosen:
        return Selection(names=tuple(known[:latest]), unknown=())
    existing = set(known)
    return Selection(
        names=tuple(name for name in chosen if name in existing),
        unknown=tuple(name for name in chosen if name not in existing),
    )


def pick(known: Sequence[str] | None) -> Selection:
    """Show the two widgets and return what they select.

    Streamlit drops a name from the URL that is not among the options. So that a link survives a database that is down,
    the names in the URL are always options.
    """
    linked = [name for name in st.query_params.get_all(EXPERIMENTS) if name]
    held = [name for name in st.session_state.get(EXPERIMENTS, []) if isinstance(name, str)]
    options = list(dict.fromkeys([*(known or []), *linked, *held]))
    with st.container(horizontal=True, vertical_alignment="bottom", key="selection"):
        free = bool(held or linked)
        latest = st.number_input(
            "Newest experiments",
            min_value=1,
            max_value=MOST_LATEST,
            value=DEFAULT_LATEST,
            step=1,
            key=LATEST,
            bind="query-params",
            width=170,
            help="How many of the newest experiments to show. A free choice takes precedence.",
            disabled=free,
        )
        chosen = st.multiselect(
            "or choose them",
            options,
            key=EXPERIMENTS,
            bind="query-params",
            placeholder="any experiments, by name",
            help="Leave this empty to see the newest ones.",
        )
    return resolve(known, int(latest or DEFAULT_LATEST), chosen)
