"""Schedule tab of the Pipelines page: a cron expression per task."""

from datetime import UTC

import streamlit as st

from web.components.author import AUTHOR, author_input
from web.components.authored_action import submit
from web.components.outage import show_database_down, show_stale_data
from web.data.learning.data_types import Schedule
from web.formatting import escape_markdown
from web.sources import Sources
from web.tables.run_names import markdown_link
from web.views.pipelines.retrain import DEFAULT_SEEDS, MAX_SEEDS
from web.views.pipelines.task_picker import pick_task

DEFAULT_CRON = "0 3 * * 1"


def show(sources: Sources) -> None:
    """Draw the tab."""
    result = sources.learning.schedules()
    if result.value is None:
        show_database_down(result.problem, sources.retry, title="No schedule to show")
        return
    if result.is_stale:
        show_stale_data(result.problem)
    task = pick_task(sources)
    schedule = next((one for one in result.value if one.task == task), None)
    if schedule is None:
        st.info(
            "Fill in the form to retrain at fixed times. A run starts on its own, too, when enough"
            " new labels are there (`RETRAIN_AFTER_LABELS`).",
            icon=":material/event_repeat:",
            title=f"{escape_markdown(task)} has no schedule",
        )
    else:
        _show_state(schedule)
    _show_form(sources, task, schedule)


def _show_state(schedule: Schedule) -> None:
    last = (
        "It has not started a run yet."
        if schedule.last_fired_at is None
        else f"Last start: {schedule.last_fired_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC."
    )
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.badge(
            "Enabled" if schedule.enabled else "Disabled",
            icon=":material/event_available:" if schedule.enabled else ":material/event_busy:",
            color="green" if schedule.enabled else "gray",
        )
        st.markdown(
            f"`{schedule.cron}` trains **{markdown_link(schedule.experiment_name)}**",
            width="content",
        )
    st.caption(
        f"{last} Changed {schedule.changed_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC by"
        f" {escape_markdown(schedule.changed_by)}."
    )


def _show_form(sources: Sources, task: str, schedule: Schedule | None) -> None:
    snapshot = sources.snapshot().value
    task_of = {} if snapshot is None else snapshot.task_of
    experiments = [name for name, of_task in task_of.items() if of_task == task]
    current = None if schedule is None else schedule.experiment_name
    if current is not None and current not in experiments:
        experiments.insert(0, current)
    with st.form(f"schedule-{task}", width=560):
        cron = st.text_input(
            "Cron expression",
            DEFAULT_CRON if schedule is None else schedule.cron,
            max_chars=100,
            help="Minute, hour, day of month, month, day of week, in UTC. `0 3 * * 1` is Monday at"
            " 3:00.",
        )
        experiment = st.selectbox(
            "Experiment",
            experiments,
            index=None if current is None else experiments.index(current),
            placeholder="Choose an experiment",
        )
        params = {} if schedule is None else dict(schedule.params)
        seeds = st.number_input("Seeds", 1, MAX_SEEDS, int(params.get("seeds") or DEFAULT_SEEDS))
        enabled = st.toggle("Enabled", schedule is None or schedule.enabled)
        author = author_input()
        with st.container(horizontal=True):
            is_saved = st.form_submit_button("Save", type="primary")
            is_deleted = schedule is not None and st.form_submit_button(
                "Delete", icon=":material/delete:"
            )
        if is_saved:

            def save() -> str:
                sources.learning_api.set_schedule(
                    task,
                    cron=cron.strip(),
                    experiment=str(experiment),
                    enabled=enabled,
                    params={**params, "seeds": int(seeds)},
                    by=author.strip(),
                )
                return f"The schedule of {escape_markdown(task)} is stored"

            submit(
                sources,
                {"Cron expression": cron, "Experiment": experiment or "", AUTHOR: author},
                save,
                failure="Schedule not stored",
            )
        if is_deleted:

            def delete() -> str:
                sources.learning_api.delete_schedule(task)
                return f"{escape_markdown(task)} has no schedule any more"

            submit(sources, {}, delete, failure="Schedule not deleted")
