"""Models.

Every version with its state, where the aliases point and did, promotion, and code to copy.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import streamlit as st

from web.data.api_client import Alias, ApiProblemError, ApiUnreachableError, Version
from web.data.stale_cache import CachedResult
from web.formatting import ago, count, plain, some
from web.sources import Sources
from web.tables.model_registry import (
    CHAMPION,
    contract_sentence,
    curl,
    move_table,
    named,
    order,
    parity_sentence,
    python,
    reconcile,
    size_sentence,
    version_table,
)

# The key of the chosen model, and its name in the URL: ?m=NAME or ?m=NAME@2
CHOSEN = "m"
CHOICES = (CHOSEN,)
# Cards of failed models that are shown in full; the table has all.
MOST_FAILED = 10
LONGEST_ALIAS, LONGEST_BY, LONGEST_REASON = 32, 100, 500


def show(sources: Sources) -> None:
    """Draw the page."""
    reading = sources.versions()
    if reading.problem is not None:
        _show_api_down(sources, reading)
    versions = order(reading.value or [])
    if reading.value is not None and not versions:
        st.info(
            "Put a model into `models/`, named as its experiment, or publish one with `make publish FILE=model.keras NAME=...`.",
            icon=":material/deployed_code:",
            title="No models yet",
        )
    elif versions:
        _show_failed(versions)
        _show_table(versions)
        _show_one(sources, versions)
        _show_aliases(sources, versions)
        _show_reconciliation(sources, versions)


def _show_api_down(sources: Sources, reading: CachedResult[list[Version]]) -> None:
    known = "" if reading.value is None else " What you see was read before that."
    st.error(
        f"{reading.problem}{known}", icon=":material/cloud_off:", title="The inference API is down"
    )
    if st.button("Retry", icon=":material/refresh:"):
        sources.retry()
        st.rerun()


def _show_failed(versions: Sequence[Version]) -> None:
    """A red card for each version that cannot serve, and for each newer content that could not take
    over.
    """
    broken = [
        (each, each.reason or "", "does not serve") for each in versions if each.state == "FAILED"
    ]
    broken += [
        (each, str(each.update.get("reason") or ""), "serves on with its older content")
        for each in versions
        if each.update is not None and each.update.get("state") == "FAILED"
    ]
    for version, reason, what in broken[:MOST_FAILED]:
        st.error(
            f"{plain(reason)} Put a whole model in its place: it is taken over by itself.",
            icon=":material/error:",
            title=f"{plain(version.name)}, version {version.version}, {what}",
        )
    if len(broken) > MOST_FAILED:
        st.caption(f"{len(broken) - MOST_FAILED} more failed; the table has all.")


def _show_table(versions: Sequence[Version]) -> None:
    ready = sum(each.state == "READY" for each in versions)
    names = len({each.name for each in versions})
    st.markdown(
        f"**{count(names, 'model')}** \N{MIDDLE DOT} {count(len(versions), 'version')} \N{MIDDLE DOT} **{ready:,}** ready"
    )

    def choose() -> None:
        rows = st.session_state["model_table"]["selection"]["rows"]
        if rows:
            st.session_state[CHOSEN] = versions[rows[0]].label

    st.dataframe(
        version_table(versions),
        hide_index=True,
        alt="Every version of every model with its state",
        placeholder="\N{EN DASH}",
        key="model_table",
        on_select=choose,
        selection_mode="single-row",
        column_config={
            "model": st.column_config.TextColumn("Model", width=330),
            "version": st.column_config.NumberColumn("Version", format="%d", width=65),
            "aliases": st.column_config.TextColumn("Aliases", width=110),
            "state": st.column_config.TextColumn("State", width=75),
            "task": st.column_config.TextColumn("Task", width=70),
            "test_accuracy": st.column_config.NumberColumn(
                "Test accuracy", format="%.2f %%", width=110, help="Of its card."
            ),
            "parity": st.column_config.TextColumn(
                "Parity", width=95, help="Whether LiteRT, which serves, answers as Keras does."
            ),
            "size": st.column_config.NumberColumn("Size", format="%.0f kB", width=80),
        },
    )


def _show_one(sources: Sources, versions: Sequence[Version]) -> None:
    by_label = {each.label: each for each in versions}
    linked = st.query_params.get(CHOSEN)
    held = st.session_state.get(CHOSEN)
    # Streamlit drops a name from the URL that is no option, so a link to a model that has gone
    # would say nothing.
    options = list(dict.fromkeys([*by_label, *(name for name in (linked, held) if name)]))
    label = st.selectbox(
        "Model",
        options,
        key=CHOSEN,
        bind="query-params",
        width=480,
        help="Or click a row of the table.",
    )
    version = named(str(label), versions)
    if version is None:
        st.warning(
            f"There is no model {plain(str(label))}; choose another one.", icon=":material/help:"
        )
        return
    with st.container(border=True):
        st.subheader(f"{plain(version.name)}, version {version.version}", anchor=False)
        facts, code = st.columns([1, 1], gap="large")
        with facts:
            _show_facts(version)
        with code:
            if version.state == "READY":
                shell, program = st.tabs(["curl", "Python"])
                shell.code(
                    curl(sources.settings.public_api_url, version.label),
                    language="bash",
                    wrap_lines=True,
                )
                program.code(
                    python(sources.settings.public_api_url, version.label),
                    language="python",
                    wrap_lines=True,
                )
            else:
                st.caption("It answers as soon as it is ready.")
        with st.expander("Card: how it was trained"):
            card = sources.card(version.name, version.version, version.digest)
            if card.value:
                st.json(dict(card.value), expanded=2)
            else:
                st.caption(card.problem or "Its card says nothing of that.")


def _show_facts(version: Version) -> None:
    state = {
        "READY": ("Ready", "green", ":material/check_circle:"),
        "FAILED": ("Failed", "red", ":material/error:"),
    }
    word, color, icon = state.get(
        version.state, (version.state.capitalize(), "orange", ":material/hourglass_top:")
    )
    with st.container(horizontal=True, gap="small"):
        st.badge(word, icon=icon, color=color)  # type: ignore[arg-type]
        for alias in version.aliases:
            st.badge(plain(alias), icon=":material/star:", color="violet")
        st.badge(f"task {plain(version.task)}", color="gray")
    if version.reason:
        st.markdown(plain(version.reason))
    if version.update is not None:
        st.markdown(f"A newer content of its files is {str(version.update.get('state')).lower()}.")
    rows = [
        ("Takes", plain(contract_sentence(version))),
        ("Classes", some(version.classes, at_most=12)),
        ("Parity", plain(parity_sentence(version.parity))),
        ("Size", plain(size_sentence(version))),
        ("Digest", f"`{version.digest}`" if version.digest else "unknown"),
    ]
    st.markdown("\n".join(f"- **{name}:** {what}" for name, what in rows))


def _show_aliases(sources: Sources, versions: Sequence[Version]) -> None:
    st.subheader(
        "Aliases",
        anchor=False,
        help="Names such as champion that a task has for one version. Requests may use them.",
    )
    reading = sources.aliases()
    if reading.problem is not None:
        st.warning(
            f"{plain(reading.problem)} Nothing moves until it does."
            if reading.value is None
            else reading.problem
        )
    for alias in reading.value or []:
        _show_alias(sources, alias)
    _show_promotion(sources, versions, reading.value or [])


def _show_alias(sources: Sources, alias: Alias) -> None:
    with st.container(border=True):
        with st.container(
            horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"
        ):
            last = alias.moves[0]
            age = max(0.0, (datetime.now(UTC) - last.at).total_seconds())
            state = (
                ""
                if alias.serving == "READY"
                else f" (**{alias.serving.replace('_', ' ').lower()}**)"
            )
            st.markdown(
                f":material/star: **{plain(alias.alias)}** of {plain(alias.task)} is "
                f"**{plain(alias.experiment)}**, version {alias.version}{state}, moved {ago(age)}",
                help=f"Moved {last.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC by {plain(last.moved_by)}: {plain(last.reason)}",
                width="stretch",
            )
            with st.popover("Roll back", icon=":material/undo:", disabled=alias.before is None):
                if alias.before is not None:
                    _show_rollback(sources, alias, *alias.before)
        with st.expander(f"History: {count(len(alias.moves), 'move')}"):
            st.dataframe(
                move_table(alias.moves),
                hide_index=True,
                alt=f"Moves of {alias.alias}, newest first",
                placeholder="\N{EN DASH}",
                column_config={
                    "at": st.column_config.DatetimeColumn("When", format="YYYY-MM-DD HH:mm:ss"),
                    "to": st.column_config.TextColumn("To", width=330),
                    "from": st.column_config.TextColumn("From", width=330),
                    "moved_by": st.column_config.TextColumn("By"),
                    "reason": st.column_config.TextColumn("Why"),
                },
            )


def _show_rollback(sources: Sources, alias: Alias, experiment: str, version: int) -> None:
    with st.form(f"rollback-{alias.task}-{alias.alias}", border=False):
        st.markdown(f"Back to **{plain(experiment)}**, version {version}.")
        moved_by = st.text_input("Who", max_chars=LONGEST_BY, placeholder="your name")
        reason = st.text_input("Why", max_chars=LONGEST_REASON, placeholder="misreads 7")
        if st.form_submit_button("Roll back", type="primary"):
            _move(
                sources,
                {"Who": moved_by, "Why": reason},
                lambda: sources.api.roll_alias_back(
                    alias.task, alias.alias, moved_by=moved_by.strip(), reason=reason.strip()
                ),
                f"{plain(alias.alias)} of {plain(alias.task)} is rolled back",
            )


def _show_promotion(
    sources: Sources, versions: Sequence[Version], aliases: Sequence[Alias]
) -> None:
    ready = {each.pinned: each for each in versions if each.state == "READY"}
    chosen = named(str(st.session_state.get(CHOSEN)), list(ready.values()))
    with (
        st.expander("Promote a version", icon=":material/trophy:"),
        st.form("promotion", border=False),
    ):
        left, right = st.columns(2)
        key = left.selectbox(
            "Version",
            list(ready),
            index=None if chosen is None else list(ready).index(chosen.pinned),
            format_func=lambda key: f"{key} \N{MIDDLE DOT} {ready[key].task}",
            placeholder="Choose one",
        )
        names = list(dict.fromkeys([CHAMPION, *(each.alias for each in aliases)]))
        alias = right.selectbox(
            "Alias",
            names,
            accept_new_options=True,
            help="Choose one, or type the name of a new one.",
        )
        moved_by = left.text_input("Who", max_chars=LONGEST_BY, placeholder="your name")
        reason = right.text_input("Why", max_chars=LONGEST_REASON, placeholder="reads 4 better")
        if not st.form_submit_button("Promote", type="primary"):
            return
        if key is None:
            st.error("Choose a version. Nothing was moved.")
            return
        version = ready[key]
        _move(
            sources,
            {"Alias": alias or "", "Who": moved_by, "Why": reason},
            lambda: sources.api.move_alias(
                version.task,
                str(alias).strip(),
                version.name,
                version.version,
                moved_by=moved_by.strip(),
                reason=reason.strip(),
            ),
            f"{plain(str(alias))} of {plain(version.task)} is now {plain(key)}",
        )


def _move(sources: Sources, needed: Mapping[str, str], move: Callable[[], None], done: str) -> None:
    """Make a move of an alias, or say what is missing or why it cannot be."""
    missing = [name for name, value in needed.items() if not value.strip()]
    if missing:
        st.error(f"Fill in {' and '.join(missing)}: every move is kept with who made it and why.")
        return
    try:
        move()
    except ApiUnreachableError:
        st.error(
            f"The inference API at `{sources.settings.api_url}` does not answer. Nothing was moved; try again."
        )
    except ApiProblemError as problem:
        st.error(plain(problem.detail or problem.title), title="Not moved")
    else:
        sources.models_changed()
        st.toast(done, icon=":material/check_circle:")
        st.rerun()


def _show_reconciliation(sources: Sources, versions: Sequence[Version]) -> None:
    snapshot = sources.snapshot()
    st.subheader("Database and directory", anchor=False)
    if snapshot.value is None:
        st.caption(f"{snapshot.problem}")
        return
    without_model, without_row = reconcile(list(snapshot.value.task_of), versions)
    if not without_model and not without_row:
        st.markdown(
            ":material/check_circle: Every experiment has a model, and every model an experiment."
        )
    if without_model:
        st.markdown(f"**{count(len(without_model), 'experiment')} without a model file**")
        st.caption(some(without_model, at_most=30))
    if without_row:
        st.markdown(f"**{count(len(without_row), 'model')} without a row of a CSV file**")
        st.caption(some(without_row, at_most=30))
