"""Aliases of the Models page: targets, history, rollback and promotion."""

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from web.components.author import AUTHOR, author_input
from web.components.authored_action import REASON, fresh_key, reason_input, submit
from web.components.run_column import run_column, with_run_links
from web.data.api_types import Alias, ModelVersion
from web.formatting import escape_markdown, format_age, pluralize
from web.sources import Sources
from web.tables.model_registry import CHAMPION, alias_move_table, find_version
from web.tables.run_names import markdown_link
from web.views.models.details import SELECTED
from web.views.models.evidence import show_evidence


def show_aliases(sources: Sources, versions: Sequence[ModelVersion]) -> None:
    """Show every alias and the promotion form."""
    st.header(
        "Aliases",
        anchor=False,
        help="Names such as champion that point to one version of a task. Requests can use them.",
    )
    result = sources.aliases()
    if result.problem is not None:
        st.warning(
            f"{escape_markdown(result.problem)} Aliases cannot be moved."
            if result.value is None
            else result.problem
        )
    for alias in result.value or []:
        _show_alias(sources, alias)
    _show_promotion(sources, versions, result.value or [])


def _show_alias(sources: Sources, alias: Alias) -> None:
    with st.container(border=True):
        with st.container(
            horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"
        ):
            _show_target(alias)
            with st.popover(
                "Roll back",
                icon=":material/undo:",
                disabled=alias.rollback_target is None,
                key=fresh_key(f"rollback-popover-{alias.task}-{alias.alias}"),
            ):
                if alias.rollback_target is not None:
                    _show_rollback(sources, alias, *alias.rollback_target)
        moves = alias_move_table(alias.moves, sources.learning.runs_of_moves().value or {})
        with st.expander(f"History: {pluralize(len(alias.moves), 'move')}"):
            st.dataframe(
                with_run_links(with_run_links(moves, "to"), "from"),
                hide_index=True,
                alt=f"Moves of {alias.alias} of {alias.task}, newest first",
                placeholder="\N{EN DASH}",
                column_config={
                    "at": st.column_config.DatetimeColumn("Time", format="YYYY-MM-DD HH:mm:ss"),
                    "to": run_column("To", 330),
                    "from": run_column("From", 330),
                    "moved_by": st.column_config.TextColumn("By"),
                    "reason": st.column_config.TextColumn("Reason"),
                    "run": st.column_config.LinkColumn(
                        "Run",
                        display_text=r"run=(\d+)",
                        width=60,
                        help="Run of the pipeline whose verdict the move carries out or undoes.",
                    ),
                },
            )


def _show_target(alias: Alias) -> None:
    last = alias.moves[0]
    age = max(0.0, (datetime.now(UTC) - last.at).total_seconds())
    state = "" if alias.serving == "READY" else f" (**{alias.serving.replace('_', ' ').lower()}**)"
    st.markdown(
        f":material/star: **{escape_markdown(alias.alias)}** of {escape_markdown(alias.task)} is"
        f" **{markdown_link(alias.experiment)}**, version {alias.version}{state}, moved"
        f" {format_age(age)}",
        help=f"Moved {last.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC by"
        f" {escape_markdown(last.moved_by)}: {escape_markdown(last.reason)}",
        width="stretch",
    )


def _show_rollback(sources: Sources, alias: Alias, experiment: str, version: int) -> None:
    with st.form(fresh_key(f"rollback-{alias.task}-{alias.alias}"), border=False):
        st.markdown(f"Back to **{escape_markdown(experiment)}**, version {version}.")
        author, reason = author_input(), reason_input("misreads 7")

        def roll_back() -> str:
            sources.api.roll_back_alias(
                alias.task, alias.alias, moved_by=author.strip(), reason=reason.strip()
            )
            return f"{escape_markdown(alias.alias)} of {escape_markdown(alias.task)} rolled back"

        if st.form_submit_button("Roll back", type="primary"):
            submit(sources, {AUTHOR: author, REASON: reason}, roll_back, failure="Alias not moved")


def _show_promotion(
    sources: Sources, versions: Sequence[ModelVersion], aliases: Sequence[Alias]
) -> None:
    ready = {version.pinned_name: version for version in versions if version.state == "READY"}
    selected = find_version(str(st.session_state.get(SELECTED)), list(ready.values()))
    section = st.expander(
        "Promote a version", icon=":material/trophy:", key="promotion-section", on_change="rerun"
    )
    with section:
        name = st.selectbox(
            "Version",
            list(ready),
            index=None if selected is None else list(ready).index(selected.pinned_name),
            format_func=lambda name: f"{name} \N{MIDDLE DOT} {ready[name].task}",
            placeholder="Choose a version",
        )
        if name is not None:
            show_evidence(sources, ready[name], ready, aliases, is_open=bool(section.open))
        _show_form(sources, None if name is None else ready[name], aliases)


def _show_form(sources: Sources, version: ModelVersion | None, aliases: Sequence[Alias]) -> None:
    with st.form("promotion", border=False):
        alias = st.selectbox(
            "Alias",
            list(dict.fromkeys([CHAMPION, *(alias.alias for alias in aliases)])),
            accept_new_options=True,
            help="Choose an alias or type a new one.",
        )
        left, right = st.columns(2)
        with left:
            author = author_input()
        with right:
            reason = reason_input("reads 4 better")
        if not st.form_submit_button("Promote", type="primary"):
            return
        if version is None:
            st.error("Choose a version first.")
            return

        def promote() -> str:
            sources.api.move_alias(
                version.task,
                str(alias).strip(),
                version.name,
                version.version,
                moved_by=author.strip(),
                reason=reason.strip(),
            )
            return (
                f"{escape_markdown(str(alias))} of {escape_markdown(version.task)} is now"
                f" {escape_markdown(version.pinned_name)}"
            )

        submit(
            sources,
            {"Alias": alias or "", AUTHOR: author, REASON: reason},
            promote,
            failure="Alias not moved",
        )
