"""Evidence of the detectors of a version over the images, and the detectors as a table."""

from datetime import UTC, datetime

import pandas as pd
import streamlit as st

from web.charts.monitoring.evidence_lines import HEIGHT_PIXELS, EvidenceLine, evidence_lines
from web.formatting import pluralize
from web.sources import Sources
from web.tables.monitoring.sentences import name_family
from web.tables.monitoring.tables import detector_table, of_version
from web.views.monitor.choice import Choice

DANGER = {False: "#c62828", True: "#ff8a80"}


def show_evidence(sources: Sources, choice: Choice) -> None:
    """Show the section."""
    state = sources.monitoring.state().value or choice.state
    live = Choice(choice.task, choice.days, choice.version, state)
    result = sources.monitoring.evidence(choice.task, choice.days)
    if result.value is None:
        st.caption(result.problem or "")
        return
    lines = version_lines(result.value, live)
    if not lines:
        st.caption("No check in this window. The monitor stores one per 100 images or minute.")
    else:
        dark = st.context.theme.type == "dark"
        st.echarts_chart(
            evidence_lines(lines, _alert_images(live), danger=DANGER[dark]),
            height=HEIGHT_PIXELS,
            alt=f"Evidence of {pluralize(len(lines), 'detector')} over the examined images, with"
            " the thresholds at which they warn",
        )
        st.caption(
            "A detector warns when its evidence reaches its threshold. Without a change, evidence"
            " of 10^7 comes once in 10,000,000 images or less."
        )
    if live.detectors:
        with st.expander(f"{pluralize(len(live.detectors), 'detector')} of this version"):
            _show_detectors(live)


def version_lines(evidence: pd.DataFrame, choice: Choice) -> list[EvidenceLine]:
    """Return the lines of the chosen version's detectors.

    Checks are stored every 100 images or minute. So a line also has the evidence as it stands, and
    that of the open alert: at an alert, a detector begins again.
    """
    own = of_version(evidence, choice.version)
    has_paths = len({one.path for one in choice.detectors} - {"all"}) > 1
    lines = []
    for one in choice.detectors:
        rows = own[own["monitor_id"] == one.id]
        points = {
            int(images): float(value)
            for images, value in zip(rows["images"], rows["evidence"], strict=True)
        }
        if one.evidence is not None and one.images:
            points.setdefault(one.images, one.evidence)
        for alert in choice.alerts:
            if (alert.pinned_name, alert.family, alert.path) == (
                one.pinned_name,
                one.family,
                one.path,
            ):
                points[alert.image_number] = max(
                    alert.evidence, points.get(alert.image_number, alert.evidence)
                )
        if points:
            images = sorted(points)
            name = name_family(one.family, one.path, has_paths=has_paths)
            values = [points[number] for number in images]
            lines.append(EvidenceLine(name, images, values, one.threshold))
    return lines


def _alert_images(choice: Choice) -> list[int]:
    return [one.image_number for one in choice.alerts if one.pinned_name == choice.version]


def _show_detectors(choice: Choice) -> None:
    st.dataframe(
        detector_table(choice.detectors, datetime.now(UTC)),
        hide_index=True,
        alt="Detectors with images, evidence, threshold and reference",
        placeholder="\N{EN DASH}",
        column_config={
            "version": None,
            "family": st.column_config.TextColumn("Family", width=90),
            "path": st.column_config.TextColumn("Images sent as", width=110),
            "state": st.column_config.TextColumn("State", width=80),
            "images": st.column_config.NumberColumn("Images", format="localized", width=80),
            "evidence": st.column_config.TextColumn("Evidence", width=80),
            "threshold": st.column_config.TextColumn("Warns at", width=80),
            "top_feature": st.column_config.TextColumn("Top feature", width=100),
            "reference": st.column_config.TextColumn("Reference", width=170),
            "skipped": st.column_config.NumberColumn(
                "Skipped", format="localized", width=75, help="Not examined: too many at a time."
            ),
            "examined": st.column_config.TextColumn("Last check", width=100),
        },
    )
