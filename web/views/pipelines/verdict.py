"""Verdict of a run: the sentence, the four cells, the gain, and discordant images."""

from collections.abc import Sequence

import streamlit as st

from web.charts.gain_interval import HEIGHT_PIXELS, gain_interval
from web.data.learning.types import Comparison, Decision, RunDetail
from web.formatting import escape_markdown, format_points, pluralize
from web.sources import Sources
from web.tables.pipeline_runs import (
    advise,
    cells_table,
    name_image_set,
    verdict_sentence,
)
from web.views.pipelines.discordant import show_discordant

_TITLES = {
    "PROMOTE": "Promote: the candidate is better",
    "REFUSE": "Refused: the champion stays",
    "UNDECIDED": "Undecided: the images prove nothing",
}


def show_verdict(sources: Sources, detail: RunDetail) -> None:
    """Show the verdict and its evidence, nothing before the step compare."""
    decision = detail.decision
    if decision is None:
        return
    _show_sentence(detail, decision)
    if detail.comparisons:
        chosen = show_cells(detail.comparisons, decision)
        show_discordant(sources, chosen)


def _show_sentence(detail: RunDetail, decision: Decision) -> None:
    sentence = escape_markdown(verdict_sentence(detail))
    reasons = "\n".join(f"- {escape_markdown(reason)}" for reason in decision.reasons)
    text = "\n\n".join(
        part
        for part in (sentence, reasons, f"**{advise(detail)}**" if advise(detail) else "")
        if part
    )
    title = _TITLES[decision.verdict]
    if decision.verdict == "PROMOTE":
        st.success(text, icon=":material/thumb_up:", title=title)
    elif decision.verdict == "REFUSE":
        st.error(text, icon=":material/block:", title=title)
    else:
        st.warning(text, icon=":material/balance:", title=title)
    if detail.label_requests:
        st.progress(
            detail.labels_answered / detail.label_requests,
            text=f"{detail.labels_answered:,} of {pluralize(detail.label_requests, 'label')}"
            " answered",
        )


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
        st.markdown(cells_table(comparison))
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
        f"p = {comparison.p_better:.2g}, McNemar's exact test, one-sided",
    ]
    if comparison.unanswered:
        parts.append(
            f"{pluralize(comparison.unanswered, 'missing label')} counted against the candidate"
        )
    if not comparison.decides:
        parts.append("reported, decides nothing")
    return f"{', '.join(parts)}."
