"""Robustness on the Models page: accuracy on corrupted images, beside the champion of the task."""

from collections.abc import Sequence

import streamlit as st

from web.charts.diagnostics.robustness_chart import HEIGHT_PIXELS, robustness_chart
from web.data.api_types import ModelVersion
from web.data.diagnostics.robustness import Robustness
from web.formatting import format_percent, format_points, pluralize
from web.sources import Sources
from web.tables.robustness_table import describe_amount, robustness_table, weakest

CHAMPION = "champion"


def show_robustness(
    sources: Sources, version: ModelVersion, versions: Sequence[ModelVersion]
) -> None:
    """Show the robustness of a version, compared with the champion of its task."""
    if version.state != "READY":
        return
    st.markdown("**Robustness**")
    result = sources.robustness(version.pinned_name, version.digest)
    own = result.value
    if own is None:
        st.caption(result.problem or "The inference API does not respond.")
        return
    if not own.scores:
        st.caption(
            "Not measured. Run `make robustness` with `MNIST_PATH` set to an `mnist.npz` file."
        )
        return
    champion = _champion(sources, version, versions, own)
    _show_numbers(own, champion)
    st.echarts_chart(
        robustness_chart(own, champion),
        height=HEIGHT_PIXELS,
        alt="Accuracy by corruption and severity; the table below has the numbers",
    )
    with st.expander("Robustness table"):
        _show_table(own, champion)


def _champion(
    sources: Sources, version: ModelVersion, versions: Sequence[ModelVersion], own: Robustness
) -> Robustness | None:
    """Return the champion's results on the same images, None for the champion itself."""
    for other in versions:
        if CHAMPION in other.aliases and other.task == version.task and other is not version:
            found = sources.robustness(other.pinned_name, other.digest).value
            if found is not None and found.images_digest == own.images_digest:
                return found
    return None


def _show_numbers(own: Robustness, champion: Robustness | None) -> None:
    worst = weakest(own)

    def difference(value: float, other: float) -> str | None:
        return None if champion is None else f"{format_points(value - other, 1)} points"

    with st.container(horizontal=True, gap="large", key="robustness_numbers"):
        st.metric(
            "Mean robustness",
            format_percent(own.mean_accuracy, 1),
            difference(own.mean_accuracy, 0.0 if champion is None else champion.mean_accuracy),
            help="Mean accuracy of 7 corruptions in 4 severities. It hides differences: see the"
            " chart.",
            width="content",
        )
        st.metric(
            "Without corruption",
            format_percent(own.accuracy, 1),
            difference(own.accuracy, 0.0 if champion is None else champion.accuracy),
            help="Accuracy on the same images as they are.",
            width="content",
        )
        st.metric(
            "Weakest",
            format_percent(worst.accuracy, 0),
            f"{worst.corruption}, {describe_amount(worst)}",
            delta_color="off",
            delta_arrow="off",
            width="content",
        )
    compared = " Differences are to the champion of the task." if champion is not None else ""
    st.caption(
        f"On {pluralize(own.images, 'test image')}.{compared} Below: accuracy in percent, by the"
        " amount of each corruption."
    )


def _show_table(own: Robustness, champion: Robustness | None) -> None:
    st.dataframe(
        robustness_table(own, champion),
        hide_index=True,
        alt="Accuracy by corruption and severity",
        placeholder="\N{EN DASH}",
        column_config={
            "corruption": st.column_config.TextColumn("Corruption", width=100),
            "amount": st.column_config.TextColumn("Amount", width=170),
            "accuracy": st.column_config.ProgressColumn(
                "Accuracy", format="%.1f %%", min_value=0, max_value=100, width=140
            ),
            "champion": st.column_config.NumberColumn("Champion", format="%.1f %%", width=90),
            "difference": st.column_config.NumberColumn("Points", format="%+.1f", width=80),
        },
    )
