"""Verdict of a run: the sentence, the four cells, the gain, and discordant images."""

import streamlit as st

from web.components.evidence import show_cells
from web.data.learning.types import Decision, RunDetail
from web.formatting import escape_markdown, pluralize
from web.sources import Sources
from web.tables.pipeline_runs import advise, further_reasons, name_opponent, verdict_sentence
from web.views.pipelines.discordant import show_discordant

_TITLES = {
    "PROMOTE": "Promote: the candidate is better",
    "REFUSE": "Refused: the champion stays",
    "UNDECIDED": "Undecided: more labels are needed",
}


def show_verdict(sources: Sources, detail: RunDetail) -> None:
    """Show the verdict and its evidence, nothing before the step compare."""
    decision = detail.decision
    if decision is None:
        return
    _show_sentence(detail, decision)
    if detail.comparisons:
        chosen = show_cells(detail.comparisons, decision)
        show_discordant(sources, chosen, name_opponent(decision))


def _show_sentence(detail: RunDetail, decision: Decision) -> None:
    sentence = verdict_sentence(detail)
    reasons = "\n".join(
        f"- {escape_markdown(reason)}" for reason in further_reasons(sentence, decision.reasons)
    )
    advice = advise(detail)
    parts = (escape_markdown(sentence), reasons, f"**{advice}**" if advice else "")
    text = "\n\n".join(part for part in parts if part)
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
