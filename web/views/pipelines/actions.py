"""Actions on a run: cancel, retry, promote and roll back, each with author and reason."""

from collections.abc import Callable

import streamlit as st

from web.components.author import AUTHOR, author_input
from web.components.authored_action import REASON, fresh_key, reason_input, submit
from web.data.learning.types import PROMOTE, RunDetail
from web.formatting import escape_markdown
from web.sources import Sources
from web.tables.model_registry import CHAMPION

Action = Callable[[str, str], None]


def show_actions(sources: Sources, detail: RunDetail) -> None:
    """Show the actions that the state of the run allows."""
    run, api = detail.run, sources.learning_api
    if run.is_open:
        if run.cancel_requested_at is not None:
            st.button("Canceling", icon=":material/stop:", disabled=True)
            return
        _show_action(
            sources,
            "Cancel",
            ":material/stop:",
            f"Ends run {run.id} at its next progress report. Finished steps stay.",
            "wrong dataset",
            lambda by, reason: api.cancel(run.id, by=by, reason=reason),
            done=f"Run {run.id} is being canceled",
        )
        return
    is_promotable = run.verdict == PROMOTE and not run.is_promoted
    if is_promotable:
        candidate = detail.decision.candidate if detail.decision is not None else None
        _show_action(
            sources,
            "Promote",
            ":material/trophy:",
            f"The champion of {escape_markdown(run.task)} becomes"
            f" **{escape_markdown(candidate or 'the candidate of this run')}**.",
            "better on both sets",
            lambda by, reason: api.promote(run.id, by=by, reason=reason),
            done=f"The candidate of run {run.id} is the champion",
            is_primary=True,
        )
    before = detail.decision.champion if detail.decision is not None else None
    # Without an earlier champion, there is no version to roll back to.
    if run.is_champion and before is not None:
        _show_action(
            sources,
            "Roll back",
            ":material/undo:",
            f"The champion of {escape_markdown(run.task)} becomes the version before the last"
            f" move, **{escape_markdown(before)}** before this run.",
            "misreads 7",
            lambda by, reason: sources.api.roll_back_alias(
                run.task, CHAMPION, moved_by=by, reason=reason
            ),
            done=f"The champion of {escape_markdown(run.task)} was rolled back",
        )
    if run.state in ("FAILED", "CANCELLED") or run.needs_promotion:
        _show_action(
            sources,
            "Retry",
            ":material/replay:",
            f"Continues run {run.id} at its first step that did not succeed.",
            "storage is back",
            lambda by, reason: api.retry(run.id, by=by, reason=reason),
            done=f"Run {run.id} is queued again",
        )


def _show_action(
    sources: Sources,
    label: str,
    icon: str,
    consequence: str,
    example: str,
    action: Action,
    *,
    done: str,
    is_primary: bool = False,
) -> None:
    """Show a button that opens the form of an action.

    Args:
        sources: sources to read again afterwards.
        label: of the button.
        icon: of the button.
        consequence: sentence above the fields, in markdown.
        example: placeholder of the reason.
        action: called with author and reason.
        done: message after success, in markdown.
        is_primary: whether it is the next thing to do.

    """
    with (
        st.popover(
            label,
            icon=icon,
            type="primary" if is_primary else "secondary",
            key=fresh_key(f"popover-{label}"),
        ),
        st.form(fresh_key(f"run-{label}"), border=False),
    ):
        st.markdown(consequence)
        author, reason = author_input(), reason_input(example)

        def act() -> str:
            action(author.strip(), reason.strip())
            return done

        if st.form_submit_button(label, type="primary"):
            submit(sources, {AUTHOR: author, REASON: reason}, act, failure=f"{label}: not done")
