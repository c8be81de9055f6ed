"""One run of the Pipelines page: its head, step graph, progress, verdict and trainings."""

from collections.abc import Hashable, Sequence
from datetime import UTC, datetime

import streamlit as st

from web.charts import step_graph
from web.data.learning.types import PUBLISH, RunDetail, Step, Trigger
from web.formatting import escape_markdown, format_age, format_duration, pluralize
from web.sources import Sources
from web.tables.pipeline_runs import (
    DIGEST_CHARACTERS,
    STATES,
    TRIGGERS,
    advise,
    describe_verdict,
)
from web.tables.run_names import markdown_link
from web.tables.run_progress import (
    describe_progress,
    progress_share,
    seed_states,
    step_boxes,
    step_table,
)
from web.views.pipelines.actions import show_actions
from web.views.pipelines.trainings import show_trainings
from web.views.pipelines.verdict import show_verdict

_BADGES = {
    "QUEUED": ("gray", ":material/schedule:"),
    "RUNNING": ("blue", ":material/play_circle:"),
    "SUCCEEDED": ("green", ":material/check_circle:"),
    "FAILED": ("red", ":material/error:"),
    "CANCELLED": ("orange", ":material/stop_circle:"),
}
_VERDICT_BADGES = {
    "Promoted": ("green", ":material/trophy:"),
    "Promote": ("green", ":material/thumb_up:"),
    "Refuse": ("red", ":material/block:"),
    "Undecided": ("orange", ":material/balance:"),
    "Rolled back": ("orange", ":material/undo:"),
}


def run_state(detail: RunDetail | None) -> Hashable:
    """Return what the head of a run shows. Its change reruns the page."""
    if detail is None:
        return None
    run = detail.run
    return (
        run.id,
        run.state,
        run.verdict,
        run.is_champion,
        run.cancel_requested_at is None,
        detail.labels_answered,
    )


def show_run(sources: Sources, run: int, live_seconds: float) -> Hashable:
    """Show a run and return its state. While it is open, its progress refreshes.

    Args:
        sources: sources of the page.
        run: its number.
        live_seconds: time between two refreshes.

    """
    result = sources.learning.run(run)
    detail = result.value
    if detail is None:
        text = f"Run {run} is not in the database. Choose another one."
        st.warning(result.problem or text, icon=":material/help:", title=f"No run {run}")
        return None
    is_live = detail.run.is_open and result.problem is None
    with st.container(border=True):
        _show_head(sources, detail)
        st.fragment(_show_live, run_every=live_seconds if is_live else None)(sources, run)
        show_verdict(sources, detail)
        if not is_live:
            show_trainings(detail)
            _show_steps(detail)
    return run_state(detail)


def _show_head(sources: Sources, detail: RunDetail) -> None:
    run = detail.run
    with st.container(
        horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"
    ):
        st.header(
            f"Run {run.id}: {escape_markdown(run.experiment_name)}", anchor=False, width="content"
        )
        with st.container(horizontal=True, gap="small", width="content"):
            show_actions(sources, detail)
    with st.container(horizontal=True, gap="small"):
        color, icon = _BADGES[run.state]
        st.badge(STATES[run.state], icon=icon, color=color)  # type: ignore[arg-type]
        for verdict in describe_verdict(run):
            color, icon = _VERDICT_BADGES[verdict]
            st.badge(verdict, icon=icon, color=color)  # type: ignore[arg-type]
        st.badge(f"Task {escape_markdown(run.task)}", color="gray")
        if run.kind != "retrain":
            st.badge(f"Kind {run.kind}", color="gray")
        if run.dataset_digest is not None:
            images = "" if run.dataset_images is None else f", {run.dataset_images:,} images"
            st.badge(f"Dataset {run.dataset_digest[:DIGEST_CHARACTERS]}{images}", color="gray")
        if run.deaths:
            st.badge(
                f"{pluralize(run.deaths, 'worker')} died",
                icon=":material/heart_broken:",
                color="orange",
                help="Another worker took the run over. The third death ends it.",
            )
    st.caption(f"Recipe of {markdown_link(run.experiment_name)}")
    if run.parent_run_id is not None:
        st.markdown(
            f"Compares the candidate of [run {run.parent_run_id}](?run={run.parent_run_id}) again,"
            " with more labels."
        )


def _show_triggers(triggers: Sequence[Trigger]) -> None:
    if not triggers:
        return
    st.caption(_describe(triggers[0], "Started"))
    if len(triggers) > 1:
        with st.expander(f"{pluralize(len(triggers) - 1, 'more trigger')} joined"):
            for trigger in triggers[1:]:
                st.caption(_describe(trigger, "Joined"))


def _describe(trigger: Trigger, verb: str) -> str:
    age = format_age(max(0.0, (datetime.now(UTC) - trigger.at).total_seconds()))
    return (
        f"{verb} {age} ({TRIGGERS.get(trigger.kind, trigger.kind)}) by"
        f" {escape_markdown(trigger.requested_by)}: {escape_markdown(trigger.reason)}"
    )


def _show_live(sources: Sources, run: int) -> None:
    """Show what changes while a run is open: graph, progress, and the curves so far."""
    detail = sources.learning.run(run).value
    if detail is None:
        return
    now = datetime.now(UTC)
    _show_triggers(detail.run.triggers)
    boxes = step_boxes(detail, now)
    done = sum(box.state in ("SUCCEEDED", "SKIPPED") for box in boxes)
    st.echarts_chart(
        step_graph.step_graph(boxes, seed_states(detail), dark=st.context.theme.type == "dark"),
        height=step_graph.HEIGHT_PIXELS,
        alt=f"Steps of run {run}, {done} of {len(boxes)} done: "
        + ", ".join(f"{box.name} {box.state.lower()} {box.note}".strip() for box in boxes),
    )
    for step in detail.steps:
        if step.state == "RUNNING" and detail.run.is_open:
            _show_progress(step, now)
    _show_end(detail)
    if detail.run.is_open:
        show_trainings(detail)
        _show_steps(detail)


def _show_progress(step: Step, now: datetime) -> None:
    passed = max(0.0, (now - step.started_at).total_seconds())
    parts = [f"**{step.name}**", describe_progress(step.progress), format_duration(passed)]
    if step.typical_seconds is not None:
        parts.append(f"usually {format_duration(step.typical_seconds)}")
    text = " \N{MIDDLE DOT} ".join(
        escape_markdown(part) if "*" not in part else part for part in parts if part
    )
    share = progress_share(step.progress)
    if share is None and step.typical_seconds:
        share = min(0.99, passed / step.typical_seconds)
    st.progress(share or 0.0, text=text)


def _show_end(detail: RunDetail) -> None:
    """Show what a run published, or why it failed or was canceled and what to do next."""
    run = detail.run
    if run.state == "QUEUED":
        st.info("The run waits for a worker.", icon=":material/schedule:")
    elif run.state == "FAILED":
        failed = next((step for step in detail.steps if step.state == "FAILED"), None)
        where = "The run failed" if failed is None else f"The step {failed.name} failed"
        st.error(
            f"{escape_markdown(run.reason or '')} {advise(detail)}",
            icon=":material/error:",
            title=where,
        )
    elif run.state == "SUCCEEDED" and run.kind == PUBLISH:
        st.success(escape_markdown(run.reason or ""), icon=":material/deployed_code:")
    elif run.state == "CANCELLED":
        st.warning(
            f"{escape_markdown(run.reason or '')}. {advise(detail)}",
            icon=":material/stop_circle:",
            title="Canceled",
        )


def _show_steps(detail: RunDetail) -> None:
    if not detail.steps:
        return
    with st.expander("Steps", icon=":material/list:"):
        st.dataframe(
            step_table(detail.steps, datetime.now(UTC)),
            hide_index=True,
            alt="Steps with state, time, attempt, worker and error",
            placeholder="\N{EN DASH}",
            column_config={
                "step": st.column_config.TextColumn("Step", width=90),
                "state": st.column_config.TextColumn("State", width=90),
                "took": st.column_config.TextColumn("Took", width=100),
                "typical": st.column_config.TextColumn(
                    "Usually", width=100, help="Median of the last 30 runs."
                ),
                "attempt": st.column_config.NumberColumn("Attempt", format="%d", width=70),
                "worker": st.column_config.TextColumn("Worker", width=120),
                "error": st.column_config.TextColumn("Error", width=360),
            },
        )
        st.json({step.name: dict(step.outputs) for step in detail.steps}, expanded=1)
