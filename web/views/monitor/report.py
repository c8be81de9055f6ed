"""Report of a task as one HTML file: the button, and the collection of its content."""

from datetime import UTC, datetime

import streamlit as st

from web.sources import Sources
from web.tables.monitoring.report import Report, ReportTable, file_name, render
from web.tables.monitoring.tables import (
    accuracy_table,
    alert_table,
    detector_table,
    latency_table,
    plain_alert,
    skew_table,
)
from web.views.monitor.accuracy import estimated_accuracy
from web.views.monitor.choice import Choice
from web.views.monitor.evidence import version_lines


def show_report(sources: Sources, choice: Choice) -> None:
    """Show the button. The report is made when it is clicked."""
    st.download_button(
        "Report",
        lambda: render(collect(sources, choice)),
        file_name=file_name(_empty(choice)),
        mime="text/html",
        icon=":material/download:",
        on_click="ignore",
        help="One HTML file with all sections, to keep or to send. It loads nothing.",
    )


def collect(sources: Sources, choice: Choice) -> Report:
    """Return the content of the report, from what the page shows."""
    now = datetime.now(UTC)
    reader, task, days = sources.monitoring, choice.task, choice.days
    state = reader.state().value or choice.state
    alerts = state.alerts_of(task)
    examples = reader.examples(alerts[0].id).value if alerts else None
    evidence = reader.evidence(task, days).value
    tables = [
        ReportTable("Detectors", detector_table(state.of_task(task), now), "No detector."),
        ReportTable("Alerts", alert_table(reader.alerts(task).value or (), now), "No alert."),
    ]
    accuracy = reader.accuracy(task, days).value
    if accuracy is not None and evidence is not None:
        latest = {name: points[-1][1] for name, points in estimated_accuracy(evidence).items()}
        table = accuracy_table(*accuracy, latest, state)
        tables.append(ReportTable("Accuracy", table, "No label and no watched version."))
    latency = reader.latency(task, days).value
    if latency is not None:
        tables.append(ReportTable("Latency", latency_table(latency[0]), "No answer."))
    skew = reader.skew(task).value
    if skew is not None:
        text = "No traffic was accepted as normal."
        tables.append(ReportTable("Training-serving skew", skew_table(skew), text))
    return Report(
        task=task,
        days=days,
        at=now,
        sentences=[plain_alert(one, now) for one in alerts] or ["No open alert."],
        strange=() if examples is None else examples.strange,
        ordinary=() if examples is None else examples.ordinary,
        lines=[]
        if evidence is None
        else version_lines(evidence, Choice(task, days, choice.version, state)),
        tables=tables,
    )


def _empty(choice: Choice) -> Report:
    return Report(choice.task, choice.days, datetime.now(UTC), (), (), (), (), ())
