"""Aliases of the Models page: targets, history, rollback and promotion."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import streamlit as st

from web.data.api_types import Alias, ApiProblemError, ApiUnreachableError, ModelVersion
from web.formatting import escape_markdown, format_age, pluralize
from web.sources import Sources
from web.tables.model_registry import CHAMPION, alias_move_table, find_version
from web.views.models.details import SELECTED

# Limits of the API, in characters.
MAX_AUTHOR_CHARACTERS, MAX_REASON_CHARACTERS = 100, 500
AUTHOR, REASON = "Your name", "Reason"


def show_aliases(sources: Sources, versions: Sequence[ModelVersion]) -> None:
    """Show every alias and the promotion form."""
    st.subheader(
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
                "Roll back", icon=":material/undo:", disabled=alias.rollback_target is None
            ):
                if alias.rollback_target is not None:
                    _show_rollback(sources, alias, *alias.rollback_target)
        with st.expander(f"History: {pluralize(len(alias.moves), 'move')}"):
            st.dataframe(
                alias_move_table(alias.moves),
                hide_index=True,
                alt=f"Moves of {alias.alias}, newest first",
                placeholder="\N{EN DASH}",
                column_config={
                    "at": st.column_config.DatetimeColumn("Time", format="YYYY-MM-DD HH:mm:ss"),
                    "to": st.column_config.TextColumn("To", width=330),
                    "from": st.column_config.TextColumn("From", width=330),
                    "moved_by": st.column_config.TextColumn("By"),
                    "reason": st.column_config.TextColumn("Reason"),
                },
            )


def _show_target(alias: Alias) -> None:
    last = alias.moves[0]
    age = max(0.0, (datetime.now(UTC) - last.at).total_seconds())
    state = "" if alias.serving == "READY" else f" (**{alias.serving.replace('_', ' ').lower()}**)"
    st.markdown(
        f":material/star: **{escape_markdown(alias.alias)}** of {escape_markdown(alias.task)} is"
        f" **{escape_markdown(alias.experiment)}**, version {alias.version}{state}, moved"
        f" {format_age(age)}",
        help=f"Moved {last.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC by"
        f" {escape_markdown(last.moved_by)}: {escape_markdown(last.reason)}",
        width="stretch",
    )


def _show_rollback(sources: Sources, alias: Alias, experiment: str, version: int) -> None:
    with st.form(f"rollback-{alias.task}-{alias.alias}", border=False):
        st.markdown(f"Back to **{escape_markdown(experiment)}**, version {version}.")
        author = st.text_input(AUTHOR, max_chars=MAX_AUTHOR_CHARACTERS)
        reason = st.text_input(REASON, max_chars=MAX_REASON_CHARACTERS, placeholder="misreads 7")
        if st.form_submit_button("Roll back", type="primary"):
            _submit(
                sources,
                {AUTHOR: author, REASON: reason},
                lambda: sources.api.roll_back_alias(
                    alias.task, alias.alias, moved_by=author.strip(), reason=reason.strip()
                ),
                f"{escape_markdown(alias.alias)} of {escape_markdown(alias.task)} rolled back",
            )


def _show_promotion(
    sources: Sources, versions: Sequence[ModelVersion], aliases: Sequence[Alias]
) -> None:
    ready = {version.pinned_name: version for version in versions if version.state == "READY"}
    selected = find_version(str(st.session_state.get(SELECTED)), list(ready.values()))
    with (
        st.expander("Promote a version", icon=":material/trophy:"),
        st.form("promotion", border=False),
    ):
        left, right = st.columns(2)
        name = left.selectbox(
            "Version",
            list(ready),
            index=None if selected is None else list(ready).index(selected.pinned_name),
            format_func=lambda name: f"{name} \N{MIDDLE DOT} {ready[name].task}",
            placeholder="Choose a version",
        )
        alias_names = list(dict.fromkeys([CHAMPION, *(alias.alias for alias in aliases)]))
        alias = right.selectbox(
            "Alias",
            alias_names,
            accept_new_options=True,
            help="Choose an alias or type a new one.",
        )
        author = left.text_input(AUTHOR, max_chars=MAX_AUTHOR_CHARACTERS)
        reason = right.text_input(
            REASON, max_chars=MAX_REASON_CHARACTERS, placeholder="reads 4 better"
        )
        if not st.form_submit_button("Promote", type="primary"):
            return
        if name is None:
            st.error("Choose a version first.")
            return
        version = ready[name]
        _submit(
            sources,
            {"Alias": alias or "", AUTHOR: author, REASON: reason},
            lambda: sources.api.move_alias(
                version.task,
                str(alias).strip(),
                version.name,
                version.version,
                moved_by=author.strip(),
                reason=reason.strip(),
            ),
            f"{escape_markdown(str(alias))} of {escape_markdown(version.task)} is now"
            f" {escape_markdown(name)}",
        )


def _submit(
    sources: Sources, fields: Mapping[str, str], move: Callable[[], None], message: str
) -> None:
    """Move an alias, or show which fields are empty or why it failed.

    Args:
        sources: sources to read again afterwards.
        fields: required texts by label.
        move: sends the request.
        message: shown after success.

    """
    empty = [name for name, value in fields.items() if not value.strip()]
    if empty:
        st.error(f"Fill in: {', '.join(empty)}. The history stores both author and reason.")
        return
    try:
        move()
    except ApiUnreachableError:
        st.error(
            f"The inference API at `{sources.settings.api_url}` does not respond. The alias was not"
            " moved. Try again."
        )
    except ApiProblemError as problem:
        st.error(escape_markdown(problem.detail or problem.title), title="Alias not moved")
    else:
        sources.expire_models()
        st.toast(message, icon=":material/check_circle:")
        st.rerun()
