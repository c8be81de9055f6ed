"""Which experiments the pages speak of: the newest few of a task, or a free choice.

The URL holds it, so a link restores it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

DEFAULT_LATEST = 5
# Far more than one looks at; a bound only so that a slip of the finger does not draw ten thousand
# curves.
MOST_LATEST = 1000

# A box of ten thousand names makes the browser think for half a second. A name behind these is
# typed in full.
MOST_OFFERED = 1000

# The widgets' keys are the names of the parameters in the URL: ?task=a&latest=8 or
# ?experiments=a&experiments=b
TASK = "task"
LATEST = "latest"
EXPERIMENTS = "experiments"
CHOICES = (TASK, LATEST, EXPERIMENTS)
# Where a session keeps the page that was shown last.
_PAGE = "selection_page"
# The choice of no task. It is two words, as no task of a model's card is.
ALL_TASKS = "all tasks"


@dataclass(frozen=True)
class Selection:
    """The chosen experiments.

    Attributes:
        names: those that exist, in the order in which they were chosen, or newest first.
        unknown: names from the URL that the database does not have.
        task: the one task whose newest they are; None for a choice among all.

    """

    names: tuple[str, ...]
    unknown: tuple[str, ...]
    task: str | None = None


def resolve(
    known: Mapping[str, str] | None, latest: int, chosen: Sequence[str], task: str | None = None
) -> Selection:
    """Say which experiments are meant.

    Args:
        known: the task of each experiment, newest first; None when the database has never answered,
        so that nothing can be
            said about what exists and every chosen name is taken at its word.
        latest: how many of the newest, when none is chosen.
        chosen: the free choice; it wins over latest and task.
        task: the newest of which task; None for those of all.

    """
    if known is None:
        return Selection(names=tuple(chosen), unknown=())
    if not chosen:
        of_task = [name for name in known if task in (None, known[name])]
        return Selection(names=tuple(of_task[:latest]), unknown=(), task=task)
    return Selection(
        names=tuple(name for name in chosen if name in known),
        unknown=tuple(name for name in chosen if name not in known),
    )


def rank_tasks(known: Mapping[str, str]) -> list[str]:
    """Return the tasks of the experiments (newest first), the one with the most first, between
    equals the one of the newer.
    """
    return [task for task, _ in Counter(known.values()).most_common()]


def pick(known: Mapping[str, str] | None, page: str = "") -> Selection:
    """Show the widgets and return what they select. A task is asked for only if there are several.

    Of a link from one page to another the names win over those that were chosen before: page is the
    title of the one shown.

    Streamlit drops a name from the URL that is not among the options. So that a link survives a
    database that is down, the names in the URL are always options.
    """
    linked = [name for name in st.query_params.get_all(EXPERIMENTS) if name]
    if linked and st.session_state.get(_PAGE, page) != page:
        st.session_state[EXPERIMENTS] = linked  # by itself the box keeps what it has
    st.session_state[_PAGE] = page
    held = [name for name in st.session_state.get(EXPERIMENTS, []) if isinstance(name, str)]
    offered = list(known or [])[:MOST_OFFERED]
    options = list(dict.fromkeys([*offered, *linked, *held]))
    more = len(known or []) - len(offered)
    tasks = rank_tasks(known or {})
    task = None
    with st.container(horizontal=True, vertical_alignment="bottom", key="selection"):
        free = bool(held or linked)
        if len(tasks) > 1:
            task = st.selectbox(
                "Task",
                [*tasks, ALL_TASKS],
                key=TASK,
                bind="query-params",
                width=170,
                help="What the experiments learn to tell apart. Numbers of different tasks do not compare.",
                disabled=free,
            )
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
            accept_new_options=more > 0,
            help="Leave this empty to see the newest ones."
            + (
                f" The list has the newest {MOST_OFFERED:,}; the name of one of the {more:,} others is typed in full."
                if more > 0
                else ""
            ),
        )
    return resolve(
        known, int(latest or DEFAULT_LATEST), chosen, None if task == ALL_TASKS else task
    )
