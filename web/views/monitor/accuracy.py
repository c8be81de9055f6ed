"""Accuracy of the versions of a task: live, estimated, and on the test images."""

from collections.abc import Sequence
from datetime import datetime

import pandas as pd
import streamlit as st

from evaluation.metrics import wilson_interval
from web.charts.monitoring.accuracy_lines import HEIGHT_PIXELS, AccuracyPoint, accuracy_lines
from web.components.run_column import run_column, with_run_links
from web.sources import Sources
from web.tables.monitoring.tables import (
    CANNOT_BE_TOLD,
    RANDOM,
    accuracy_table,
    of_version,
    pinned_names,
)
from web.views.monitor.choice import Choice


def show_accuracy(sources: Sources, choice: Choice) -> None:
    """Show the section."""
    result = sources.monitoring.accuracy(choice.task, choice.days)
    evidence = sources.monitoring.evidence(choice.task, choice.days).value
    if result.value is None or evidence is None:
        st.caption(result.problem or "")
        return
    live, test = result.value
    state = sources.monitoring.state().value or choice.state
    estimates = estimated_accuracy(evidence)
    latest = {name: points[-1][1] for name, points in estimates.items()}
    table = accuracy_table(live, test, latest, state)
    if table.empty:
        st.caption("No version is watched yet, and no label in this window.")
        return
    _show_table(table)
    version = choice.version
    points = _live_points(live, version)
    estimated = estimates.get(str(version), [])
    is_drifting = any(one.is_drift for one in state.alerts_of(choice.task))
    if is_drifting:
        st.caption(f"The accuracy without labels {CANNOT_BE_TOLD}. Label images to know it.")
    if points or estimated:
        tests = dict(zip(pinned_names(test), test["test_accuracy"], strict=True))
        known = tests.get(str(version))
        st.echarts_chart(
            accuracy_lines(
                points,
                estimated,
                None if known is None or pd.isna(known) else float(known),
                dark=st.context.theme.type == "dark",
            ),
            height=HEIGHT_PIXELS,
            alt="Accuracy on labels drawn at random with its 95 % interval, and the estimate",
        )
    st.caption(
        "Only labels that were asked for at random tell the accuracy. The others are of images on"
        " which the model is wrong more often, such as volunteered corrections."
    )


def estimated_accuracy(evidence: pd.DataFrame) -> dict[str, list[tuple[datetime, float]]]:
    """Return time and estimated accuracy by version, those that could be told."""
    known = evidence[evidence["estimated_accuracy"].notna()].sort_values("at")
    estimates: dict[str, list[tuple[datetime, float]]] = {}
    rows = zip(pinned_names(known), known["at"], known["estimated_accuracy"], strict=True)
    for name, at, value in rows:
        estimates.setdefault(name, []).append((at.to_pydatetime(), float(value)))
    return estimates


def _live_points(live: pd.DataFrame, version: str | None) -> Sequence[AccuracyPoint]:
    own = of_version(live[live["source"] == RANDOM], version)
    points = []
    for hour, correct, images in zip(own["hour"], own["correct"], own["images"], strict=True):
        interval = wilson_interval(int(correct), int(images))
        share = int(correct) / int(images)
        points.append(AccuracyPoint(hour.to_pydatetime(), share, interval.low, interval.high))
    return points


def _show_table(table: pd.DataFrame) -> None:
    help_text = "Share of correct predictions, its 95 % Wilson interval, and the number of labels."
    st.dataframe(
        with_run_links(table, "version", is_short=True),
        hide_index=True,
        alt="Accuracy by version: test images, labels drawn at random, other labels, estimated",
        placeholder="\N{EN DASH}",
        column_config={
            "version": run_column("Version"),
            "test": st.column_config.NumberColumn(
                "Test images", format="%.2f %%", width=95, help="From the model card."
            ),
            "random": st.column_config.TextColumn("Random labels", width=190, help=help_text),
            "other": st.column_config.TextColumn(
                "Other labels", width=190, help=f"{help_text} Volunteered, or asked for on purpose."
            ),
            "estimated": st.column_config.TextColumn(
                "Estimated",
                width=270,
                help="What the calibrated confidence of the model suggests. It says nothing while"
                " what is sent differs from the reference.",
            ),
        },
    )
