"""Loss curves of the leaderboard: the selected rows or the first ones, and the baseline."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from web.components.loss_chart import METRICS, pick_axis, pick_metric, show_loss_chart
from web.data.leaderboard.changes import Revision
from web.formatting import escape_markdown
from web.sources import Sources


def show_curves(
    sources: Sources,
    names_by_task: Mapping[str, Sequence[str]],
    max_curves: int,
    baseline: Mapping[str, Any] | None,
    revision: Revision | None,
) -> None:
    """Show one chart per task, as losses of different tasks are not comparable.

    Args:
        sources: source of the curves.
        names_by_task: the experiments.
        max_curves: number of curves per task.
        baseline: the pinned baseline, whose curve is always in the chart of its task.
        revision: state of the experiments, another one if a running run has logged.

    """
    st.header("Loss curves", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        metric = pick_metric()
        axis = pick_axis()
    for task, names in names_by_task.items():
        if len(names_by_task) > 1:
            st.markdown(f"**{escape_markdown(task)}**")
        reference = None if baseline is None or baseline["task"] != task else baseline["experiment"]
        shown = list(names[:max_curves])
        if reference is not None and reference not in shown:
            shown = [reference, *shown]
        curves = sources.curves(metric, shown, revision)
        if curves.value is None:
            st.info(f"{curves.problem} The {METRICS[metric].lower()} curves are not available.")
        else:
            show_loss_chart(curves.value, shown, metric, axis=axis, baseline=reference)
        if len(names) > max_curves:
            st.caption(
                f"Curves of the first {max_curves} of {len(names)} rows. Select rows to see others."
            )
