"""Experiment picker: all or the newest experiments of a task, or picked ones.

The selection is in the URL, so a link restores it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import streamlit as st

from web.link_values import check_flag, check_number, check_options

DEFAULT_LATEST = 5
# Protects against a typo that would draw 10,000 curves.
MAX_LATEST = 1000
# A list of 10,000 options blocks the browser for half a second. Further names must be typed.
MAX_OPTIONS = 1000

# Keys of the widgets, which are also the URL parameters: ?task=a&latest=8 or
# ?experiments=a&experiments=b
TASK = "task"
LATEST = "latest"
EXPERIMENTS = "experiments"
WIDGET_KEYS = (TASK, LATEST, EXPERIMENTS)
# Parameter of links of an earlier version, ?every=true
EVERY = "every"
# Key of the choice between all and the newest, which follows from LATEST
_SHOW = "show_all_or_newest"
_ALL, _NEWEST = "All", f"Newest {DEFAULT_LATEST}"
# Session key of the last page.
_PAGE = "selection_page"
# Option for every task. It has a space, which the task of a model card cannot have.
ALL_TASKS = "all tasks"


@dataclass(frozen=True)
class Selection:
    """Selected experiments.

    Attributes:
        names: experiments that exist, in the order in which they were picked, or newest first.
        unknown: names from the URL that are not in the database.
        task: the task whose newest experiments these are, None for a selection of any task.
        is_all: whether these are all experiments of the task.

    """

    names: tuple[str, ...]
    unknown: tuple[str, ...]
    task: str | None = None
    is_all: bool = False


def resolve_selection(
    task_of: Mapping[str, str] | None,
    latest: int | None,
    picked: Sequence[str],
    task: str | None = None,
    other_names: Mapping[str, str] = MappingProxyType({}),
) -> Selection:
    """Return the selected experiments.

    Args:
        task_of: task of each experiment, newest first. None if the database was never up; then
            every picked name is accepted.
        latest: number of newest experiments, if none is picked. None for all.
        picked: picked experiments. They take precedence over latest and task.
        task: only experiments of this task, None for all tasks.
        other_names: experiment of each name that can be picked, but is not listed.

    """
    if task_of is None:
        return Selection(names=tuple(picked), unknown=())
    if not picked:
        of_task = [name for name in task_of if task in (None, task_of[name])]
        return Selection(tuple(of_task[:latest]), unknown=(), task=task, is_all=latest is None)
    found = {name: name if name in task_of else other_names.get(name) for name in picked}
    return Selection(
        names=tuple(dict.fromkeys(name for name in found.values() if name is not None)),
        unknown=tuple(name for name, current in found.items() if current is None),
    )


def rank_tasks(task_of: Mapping[str, str]) -> list[str]:
    """Return the tasks by number of experiments, most first; of equal ones the newest first.

    Args:
        task_of: task of each experiment, newest first.

    """
    return [task for task, _ in Counter(task_of.values()).most_common()]


def pick_experiments(
    task_of: Mapping[str, str] | None,
    page: str = "",
    *,
    shows_all: bool = False,
    other_names: Mapping[str, str] = MappingProxyType({}),
) -> Selection:
    """Show the widgets and return the selection. The task is offered only if there are several.

    Streamlit drops a name from the URL that is not among the options. Names in the URL are always
    options, so that a link survives a database outage.

    Args:
        task_of: task of each experiment, newest first. None if the database was never up.
        page: title of the current page. The names in a link from another page replace the names
            that were picked before.
        shows_all: whether the page shows all experiments by default, and else the newest.
        other_names: experiment of each name that links may have, but that is not listed.

    """
    linked = [name for name in st.query_params.get_all(EXPERIMENTS) if name]
    if linked and st.session_state.get(_PAGE, page) != page:
        st.session_state[EXPERIMENTS] = linked  # otherwise the widget keeps its old value
    st.session_state[_PAGE] = page
    current = [name for name in st.session_state.get(EXPERIMENTS, []) if isinstance(name, str)]
    listed = list(task_of or [])[:MAX_OPTIONS]
    options = list(dict.fromkeys([*listed, *linked, *current]))
    unlisted_count = len(task_of or []) - len(listed)
    tasks = rank_tasks(task_of or {})
    task = None
    with st.container(horizontal=True, vertical_alignment="bottom", key="selection"):
        is_picked = bool(current or linked)
        if tasks:
            check_options(TASK, [*tasks, *([ALL_TASKS] if len(tasks) > 1 else [])], empty=tasks[0])
        check_flag(EVERY)
        check_number(
            LATEST,
            1,
            MAX_LATEST,
            is_whole=True,
            empty="all experiments" if shows_all else f"the newest {DEFAULT_LATEST}",
        )
        if len(tasks) > 1:
            task = st.selectbox(
                "Task",
                [*tasks, ALL_TASKS],
                key=TASK,
                bind="query-params",
                width=170,
                help="Classification task. Results of different tasks are not comparable.",
                disabled=is_picked,
            )
        if shows_all:
            _show_all_or_newest(is_disabled=is_picked)
        latest = st.number_input(
            "Show newest",
            min_value=1,
            max_value=MAX_LATEST,
            value=None,
            step=1,
            key=LATEST,
            bind="query-params",
            width=170,
            placeholder="all" if shows_all else str(DEFAULT_LATEST),
            help="Number of newest experiments. Picked experiments take precedence.",
            on_change=_forget_every,
            disabled=is_picked,
        )
        limit = (
            f" The list shows the newest {MAX_OPTIONS:,}. Type the full name of one of the"
            f" {unlisted_count:,} others."
            if unlisted_count > 0
            else ""
        )
        picked = st.multiselect(
            "Or pick experiments",
            options,
            key=EXPERIMENTS,
            bind="query-params",
            placeholder="Experiment names",
            accept_new_options=unlisted_count > 0,
            help=f"Leave empty to show {'all or ' if shows_all else ''}the newest.{limit}",
        )
    latest = None if shows_all and (_is_every() or not latest) else int(latest or DEFAULT_LATEST)
    of_task = None if task == ALL_TASKS else task
    return resolve_selection(task_of, latest, picked, of_task, other_names)


def _show_all_or_newest(*, is_disabled: bool) -> None:
    """Show the choice between all and the newest experiments. It sets the number of newest."""
    latest = st.session_state.get(LATEST, st.query_params.get(LATEST))
    st.session_state[_SHOW] = _NEWEST if latest and not _is_every() else _ALL

    def apply() -> None:
        _forget_every()
        st.session_state[LATEST] = DEFAULT_LATEST if st.session_state[_SHOW] == _NEWEST else None

    st.segmented_control(
        "Show",
        [_ALL, _NEWEST],
        required=True,
        key=_SHOW,
        on_change=apply,
        disabled=is_disabled,
    )


def _is_every() -> bool:
    """Return whether a link of an earlier version asks for all experiments: ?every=true."""
    return st.query_params.get(EVERY) == "true"


def _forget_every() -> None:
    st.query_params.pop(EVERY, None)
