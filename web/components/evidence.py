"""Evidence of a comparison: the four cells and the gain with its bound, for a chosen set."""

from collections.abc import Sequence

import streamlit as st

from web.charts.gain_interval import HEIGHT_PIXELS, gain_interval
from web.data.learning.types import Comparison, Decision
from web.formatting import format_points, pluralize
from web.tables.pipeline_runs import cells_table, format_p, name_image_set


def show_cells(comparisons: Sequence[Comparison], decision: Decision) -> Comparison:
    """Show the four cells and the gain on the chosen set of images, and return its comparison."""
    left, right = st.columns(2, gap="large")
    with left:
        names = [one.image_set for one in comparisons]
        chosen = names[0]
        if len(names) > 1:
            chosen = (
                st.segmented_control(
                    "Images",
                    names,
                    default=names[0],
                    required=True,
                    format_func=name_image_set,
                    key=f"set-{decision.run_id}",
                )
                or names[0]
            )
        comparison = next(one for one in comparisons if one.image_set == chosen)
        st.markdown(cells_table(comparison, decision))
    with right:
        margin = decision.settings.get("margin")
        st.echarts_chart(
            gain_interval(
                comparison.gain * 100,
                comparison.gain_lower * 100,
                margin * 100 if isinstance(margin, int | float) else None,
                dark=st.context.theme.type == "dark",
            ),
            height=HEIGHT_PIXELS,
            alt="Gain in points with its lower 95 % bound, and the loss that still counts as not"
            " worse",
        )
        st.caption(_describe(comparison))
    return comparison


def _describe(comparison: Comparison) -> str:
    gain, lower = format_points(comparison.gain), format_points(comparison.gain_lower)
    parts = [
        pluralize(comparison.images, "image"),
        f"gain {gain} points, at least {lower}",
        f"{format_p(comparison.p_better)}, McNemar's exact test, one-sided",
    ]
    if comparison.unanswered:
        parts.append(
            f"{pluralize(comparison.unanswered, 'missing label')} counted against the candidate"
        )
    if not comparison.decides:
        parts.append("reported, decides nothing")
    return f"{', '.join(parts)}."
