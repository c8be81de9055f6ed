"""Report of the Evaluate page: metrics, confusion matrix, calibration and per-class table."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from evaluation.metrics import Predictions, Report, evaluate
from web.charts import confusion_heat_map
from web.charts.reliability_diagram import reliability_diagram
from web.data.api_types import ModelVersion
from web.evaluations.tables import (
    calibration_table,
    class_table,
    format_interval,
    uncounted_images,
)
from web.formatting import format_percent, join_names, pluralize
from web.tables.run_names import markdown_link
from web.views.evaluate.images import PREDICTED, TRUE


def show_report(true_labels: Sequence[str], model: ModelVersion, predictions: Predictions) -> None:
    """Show the metrics of a model."""
    report = evaluate(true_labels, predictions)
    uncounted = join_names(uncounted_images(report, predictions))
    if not report.images:
        st.error(
            f"No image of this set can be evaluated: {uncounted}.",
            icon=":material/broken_image:",
        )
        return
    _show_metrics(report)
    unanswered = f" {uncounted} not counted." if uncounted else ""
    st.caption(
        f"{markdown_link(model.name, model.short_name)}: {report.correct:,} of"
        f" {pluralize(report.images, 'image')} correct.{unanswered}"
    )
    left, right = st.columns([1, 1], gap="large")
    with left:
        st.header("Confusion matrix", anchor=False)
        _show_confusion(report, predictions.classes)
    with right:
        st.header("Calibration", anchor=False)
        bins = calibration_table(report)
        st.echarts_chart(
            reliability_diagram(bins),
            height=confusion_heat_map.height_pixels(len(predictions.classes)),
            alt="Accuracy by confidence",
        )
        with st.expander("Calibration table"):
            st.dataframe(
                bins,
                hide_index=True,
                alt="Bins of confidence with images, mean confidence and accuracy",
            )
    st.header("By label", anchor=False)
    _show_class_table(report)


def _show_metrics(report: Report) -> None:
    with st.container(horizontal=True, gap="large", key="evaluate_numbers"):
        st.metric(
            "Accuracy",
            format_percent(report.accuracy, 2),
            help="Share of correct images.",
            width="content",
        )
        st.metric(
            "95 % interval",
            format_interval(report.interval),
            help="Wilson score interval of the accuracy.",
            width="content",
        )
        st.metric(
            "Macro F1",
            f"{report.macro_f1:.4f}",
            help="Mean F1 of all labels, with equal weights.",
            width="content",
        )
        st.metric(
            "Calibration error",
            f"{report.calibration_error:.4f}",
            help="Expected calibration error over 15 bins: the mean distance of confidence and"
            " accuracy.",
            width="content",
        )


def _show_confusion(report: Report, classes: Sequence[str]) -> None:
    true, predicted = st.session_state.get(TRUE), st.session_state.get(PREDICTED)

    def select_cell() -> None:
        selection: Mapping[str, Any] = st.session_state["confusion"]["selection"]
        indices = [
            index
            for series in selection.get("selected", [])
            for index in series.get("data_indices", [])
        ]
        labels = confusion_heat_map.cell_labels(indices[0], classes) if indices else None
        if labels is not None:
            st.session_state[TRUE], st.session_state[PREDICTED] = labels

    st.echarts_chart(
        confusion_heat_map.confusion_heat_map(
            report.confusion,
            classes,
            dark=st.context.theme.type == "dark",
            selected=(str(true), str(predicted)),
        ),
        height=confusion_heat_map.height_pixels(len(classes)),
        key="confusion",
        on_select=select_cell,
        alt="Images by true and predicted label; the select boxes below open a cell",
    )


def _show_class_table(report: Report) -> None:
    st.dataframe(
        class_table(report),
        hide_index=True,
        alt="Accuracy, precision and F1 of each label",
        placeholder="\N{EN DASH}",
        height="content",
        column_config={
            "label": st.column_config.TextColumn("Label", width=70),
            "images": st.column_config.NumberColumn("Images", format="%d", width=80),
            "recall": st.column_config.ProgressColumn(
                "Accuracy",
                format="%.1f %%",
                min_value=0,
                max_value=100,
                width=150,
                help="Share of correct images among those with this label (recall).",
            ),
            "interval": st.column_config.TextColumn("95 % interval", width=140),
            "precision": st.column_config.NumberColumn("Precision", format="%.1f %%", width=90),
            "f1": st.column_config.NumberColumn("F1", format="%.4f", width=80),
        },
    )
