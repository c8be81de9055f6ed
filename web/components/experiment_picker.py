"""Experiment picker: all or the newest experiments of a task, or picked ones.

The selection is in the URL, so a link restores it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import streamlit as st

from web.formatting import join_names
from web.link_values import MAX_LISTED, check_flag
from web.shared_values import SharedNames, SharedValue

DEFAULT_LATEST = 5
# Protects against a typo that would draw 10,000 curves.
MAX_LATEST = 1000
# A list of 10,000 options blocks the browser for half a second. Further names must be typed.
MAX_OPTIONS = 1000


def _parse_latest(text: str) -> int | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number.is_integer() and 1 <= number <= MAX_LATEST else None


# In the URL: ?task=a&latest=8 or ?experiments=a&experiments=b
TASK = SharedValue("task", "", parse=str, accepted="tasks")
LATEST: SharedValue[int | None] = SharedValue(
    "latest", None, parse=_parse_latest, accepted=f"whole numbers from 1 to {MAX_LATEST:,}"
)
EXPERIMENTS = SharedNames("experiments")
SHARED_VALUES = (TASK, LATEST, EXPERIMENTS)
# Parameter of links of an earlier version, ?every=true
EVERY = "every"
# Key of the choice between all and the newest, which follows from LATEST
_SHOW = "show_all_or_newest"
_ALL, _NEWEST = "All", f"Newest {DEFAULT_LATEST}"
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
    *,
    shows_all: bool = False,
    other_names: Mapping[str, str] = MappingProxyType({}),
) -> Selection:
    """Show the widgets and return the selection. The task is offered only if there are several.

    Streamlit drops a name from the URL that is not among the options. Names in the URL are always
    options, so that a link survives a database outage.

    Args:
        task_of: task of each experiment, newest first. None if the database was never up.
        shows_all: whether the page shows all experiments by default, and else the newest.
        other_names: experiment of each name that links may have, but that is not listed.

    """
    listed = list(task_of or [])[:MAX_OPTIONS]
    options = list(dict.fromkeys([*listed, *EXPERIMENTS.value]))
    unlisted_count = len(task_of or []) - len(listed)
    tasks = rank_tasks(task_of or {})
    with st.container(horizontal=True, vertical_alignment="bottom", key="selection"):
        is_picked = bool(EXPERIMENTS.value)
        check_flag(EVERY)
        task = _pick_task(tasks, is_disabled=is_picked)
        if shows_all:
            _show_all_or_newest(is_disabled=is_picked)
        default = None if shows_all else DEFAULT_LATEST
        st.number_input(
            "Show newest",
            min_value=1,
            max_value=MAX_LATEST,
            value=LATEST.value or default,
            step=1,
            key=LATEST.key,
            width=170,
            placeholder="all",
            help="Number of newest experiments. Picked experiments take precedence.",
            on_change=_take_latest,
            args=(default,),
            disabled=is_picked,
        )
        limit = (
            f" The list shows the newest {MAX_OPTIONS:,}. Type the full name of one of the"
            f" {unlisted_count:,} others."
            if unlisted_count > 0
            else ""
        )
        st.multiselect(
            "Or pick experiments",
            options,
            default=list(EXPERIMENTS.value),
            key=EXPERIMENTS.key,
            on_change=EXPERIMENTS.take_from_widget,
            placeholder="Experiment names",
            accept_new_options=unlisted_count > 0,
            help=f"Leave empty to show {'all or ' if shows_all else ''}the newest.{limit}",
        )
    is_all = shows_all and (_is_every() or LATEST.value is None)
    latest = None if is_all else LATEST.value or DEFAULT_LATEST
    return resolve_selection(task_of, latest, EXPERIMENTS.value, task, other_names)


def _pick_task(tasks: Sequence[str], *, is_disabled: bool) -> str | None:
    """Show the choice of the task if there are several. Return it, None for all tasks."""
    if not tasks:
        return None
    options = [*tasks, ALL_TASKS] if len(tasks) > 1 else list(tasks)
    option_of = {option.casefold(): option for option in options}
    task = option_of.get(TASK.value.casefold(), tasks[0])
    TASK.check(
        lambda text: text.casefold() in option_of,
        join_names(options, limit=MAX_LISTED),
        lambda: task,
    )
    if TASK.value and TASK.value != task:
        TASK.set("" if task == tasks[0] else task)
    if len(tasks) == 1:
        return None
    st.selectbox(
        "Task",
        options,
        index=options.index(task),
        key=TASK.key,
        on_change=TASK.take_from_widget,
        args=(tasks[0],),
        width=170,
        help="Classification task. Results of different tasks are not comparable.",
        disabled=is_disabled,
    )
    return None if task == ALL_TASKS else task


def _show_all_or_newest(*, is_disabled: bool) -> None:
    """Show the choice between all and the newest experiments. It sets the number of newest."""
    st.session_state[_SHOW] = _NEWEST if LATEST.value and not _is_every() else _ALL

    def apply() -> None:
        _forget_every()
        LATEST.set(DEFAULT_LATEST if st.session_state[_SHOW] == _NEWEST else None)

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


def _take_latest(default: int | None) -> None:
    _forget_every()
    LATEST.take_from_widget(default)


def _forget_every() -> None:
    st.query_params.pop(EVERY, None)
