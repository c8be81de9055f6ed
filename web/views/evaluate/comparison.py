"""Comparison of two models on the Evaluate page, with McNemar's exact test."""

from collections.abc import Sequence

import streamlit as st

from evaluation.metrics import Predictions, evaluate
from evaluation.paired_tests import compare
from web.data.api_types import ModelVersion
from web.evaluations.tables import model_table
from web.formatting import escape_markdown, format_percent

# p-value below which two models count as different
SIGNIFICANCE_LEVEL = 0.05


def show_comparison(
    true_labels: Sequence[str],
    models: tuple[ModelVersion, ModelVersion],
    predictions: tuple[Predictions, Predictions],
) -> None:
    """Show the metrics of two models and whether their difference is significant."""
    reports = [evaluate(true_labels, one) for one in predictions]
    agreement = compare(true_labels, *predictions)
    names = [model.short_name for model in models]
    st.header("Model comparison", anchor=False)
    st.dataframe(
        model_table(names, reports, agreement),
        hide_index=True,
        alt="Metrics of both models",
        column_config={
            "Model": st.column_config.TextColumn(width=330),
            "Accuracy": st.column_config.NumberColumn(format="%.2f %%"),
            "Macro F1": st.column_config.NumberColumn(format="%.4f"),
            "Calibration error": st.column_config.NumberColumn(format="%.4f"),
            "Correct only here": st.column_config.NumberColumn(
                format="%d", help="Images that only this model predicts correctly."
            ),
        },
    )
    if agreement.images:
        share = format_percent(agreement.same_label / agreement.images, 1)
        st.markdown(
            f"Same label for {share} of the images. Both correct: {agreement.both:,}, neither:"
            f" {agreement.neither:,}."
        )
    p_value = f"p = {agreement.p_value:.2g}, McNemar's exact test"
    first, second = (escape_markdown(name) for name in names)
    if agreement.p_value < SIGNIFICANCE_LEVEL:
        better = first if agreement.only_first > agreement.only_second else second
        st.markdown(f"**{better} is better on these images** ({p_value}).")
    else:
        st.markdown(f"No significant difference between {first} and {second} ({p_value}).")
