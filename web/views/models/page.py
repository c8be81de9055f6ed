"""Models page: failures, publishing, versions, details, aliases and unmatched names."""

from collections.abc import Sequence

import streamlit as st

from web.components.outage import show_api_down
from web.components.run_column import run_column, with_run_links
from web.data.api_types import ModelVersion
from web.data.monitoring.replicas import Served
from web.formatting import escape_markdown, join_names, pluralize
from web.sources import Sources
from web.tables.model_registry import (
    describe_probe_warning,
    reconcile,
    sort_versions,
    version_table,
)
from web.tables.run_names import join_links
from web.views.models.alerts import ALERT_COLORS, alert_severities
from web.views.models.aliases import show_aliases
from web.views.models.code import CLIENT
from web.views.models.details import SELECTED, show_details
from web.views.models.publication import show_publication
from web.views.models.publish import show_form

WIDGET_KEYS = (SELECTED, CLIENT)
# Failures with a card of their own. The table has all.
MAX_FAILURE_CARDS = 10
MAX_LISTED_NAMES = 30


def show(sources: Sources) -> None:
    """Draw the page."""
    result = sources.versions()
    if result.problem is not None:
        consequence = "" if result.value is None else "This is the last known data."
        show_api_down(result.problem, sources.retry, consequence=consequence)
    versions = sort_versions(result.value or [])
    if result.value is not None and not versions:
        st.info(
            "Press *Publish a model*, run `make publish FILE=model.keras NAME=...`, or add a model"
            " to `models/` in a folder named by its experiment.",
            icon=":material/deployed_code:",
            title="No models yet",
        )
        show_form(sources, versions)
        show_publication(sources, versions)
    elif versions:
        _show_failures(versions)
        _show_probe_warnings(versions)
        _show_table(sources, versions)
        show_details(sources, versions)
        show_aliases(sources, versions)
        _show_unmatched(sources, versions)


def _show_failures(versions: Sequence[ModelVersion]) -> None:
    """Show a card for each failed version and each failed update of a version."""
    failures = [
        (version, version.reason or "", "not served")
        for version in versions
        if version.state == "FAILED"
    ]
    failures += [
        (version, str(version.update.get("reason") or ""), "update failed, older files served")
        for version in versions
        if version.update is not None and version.update.get("state") == "FAILED"
    ]
    for version, reason, consequence in failures[:MAX_FAILURE_CARDS]:
        st.error(
            f"{escape_markdown(reason)} Replace the files with a valid model. The service loads it"
            " automatically.",
            icon=":material/error:",
            title=f"{escape_markdown(version.name)}, version {version.version}: {consequence}",
        )
    if len(failures) > MAX_FAILURE_CARDS:
        st.caption(f"{len(failures) - MAX_FAILURE_CARDS} more failures are in the table.")


def _show_probe_warnings(versions: Sequence[ModelVersion]) -> None:
    """Show a card for each version that probably has a wrong model card."""
    found = [
        (version, warning)
        for version in versions
        if (warning := describe_probe_warning(version)) is not None
    ]
    for version, warning in found[:MAX_FAILURE_CARDS]:
        st.warning(
            escape_markdown(warning),
            icon=":material/warning:",
            title=f"{escape_markdown(version.name)}, version {version.version}: misreads digits",
        )
    if len(found) > MAX_FAILURE_CARDS:
        st.caption(f"{len(found) - MAX_FAILURE_CARDS} more such models are in the table.")


def _show_table(sources: Sources, versions: Sequence[ModelVersion]) -> None:
    ready_count = sum(version.state == "READY" for version in versions)
    model_count = len({version.name for version in versions})
    with st.container(
        horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"
    ):
        st.markdown(
            f"**{pluralize(model_count, 'model')}** \N{MIDDLE DOT}"
            f" {pluralize(len(versions), 'version')} \N{MIDDLE DOT} **{ready_count:,}** ready",
            width="content",
        )
        show_form(sources, versions)
    show_publication(sources, versions)

    def select() -> None:
        rows = st.session_state["model_table"]["selection"]["rows"]
        if rows:
            st.session_state[SELECTED] = versions[rows[0]].short_name

    alerts = alert_severities(sources)
    snapshot = sources.snapshot().value
    served = Served() if snapshot is None else snapshot.served
    st.dataframe(
        with_run_links(version_table(versions, alerts, served), "model", is_short=True),
        hide_index=True,
        alt="Every version of every model with its state",
        placeholder="\N{EN DASH}",
        key="model_table",
        on_select=select,
        selection_mode="single-row",
        column_config={
            "model": run_column("Model"),
            "version": st.column_config.NumberColumn("Version", format="%d", width=65),
            "alert": None
            if not alerts
            else st.column_config.MultiselectColumn(
                "Alert",
                options=list(ALERT_COLORS),
                color=list(ALERT_COLORS.values()),
                width=80,
                help="Open alert of the page Monitor.",
            ),
            "aliases": st.column_config.TextColumn("Aliases", width=110),
            "state": st.column_config.TextColumn("State", width=75),
            "replicas": None
            if not served.has_several
            else st.column_config.TextColumn(
                "Served by",
                width=110,
                help="Replicas of the service where this version is ready.",
            ),
            "task": st.column_config.TextColumn("Task", width=70),
            "test_accuracy": st.column_config.NumberColumn(
                "Test accuracy", format="%.2f %%", width=110, help="From the model card."
            ),
            "probe": st.column_config.NumberColumn(
                "Probe",
                format="%.1f %%",
                width=75,
                help="Share of digits with known labels, drawn by the service, that it reads.",
            ),
            "parity": st.column_config.TextColumn(
                "Parity", width=105, help="Whether LiteRT, which serves, matches Keras."
            ),
            "size": st.column_config.NumberColumn("Size", format="%.0f kB", width=80),
        },
    )


def _show_unmatched(sources: Sources, versions: Sequence[ModelVersion]) -> None:
    snapshot = sources.snapshot()
    st.header("Unmatched experiments and models", anchor=False)
    if snapshot.value is None:
        st.caption(f"{snapshot.problem}")
        return
    without_model, without_experiment = reconcile(snapshot.value.names, versions)
    if not without_model and not without_experiment:
        st.markdown(
            ":material/check_circle: Every experiment has a model, and every model has an"
            " experiment."
        )
    if without_model:
        st.markdown(f"**{pluralize(len(without_model), 'experiment')} without a model file**")
        st.caption(join_links(without_model, MAX_LISTED_NAMES))
    if without_experiment:
        st.markdown(f"**{pluralize(len(without_experiment), 'model')} without an experiment**")
        st.caption(join_names(without_experiment, limit=MAX_LISTED_NAMES))
