"""Evidence for a promotion by hand: the last comparison of the version with the champion."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import urlencode

import streamlit as st

from web.components.evidence import show_cells
from web.data.api_types import Alias, ModelVersion
from web.data.learning.types import Evidence
from web.formatting import escape_markdown, format_age
from web.sources import Sources
from web.tables.model_registry import CHAMPION
from web.tables.pipeline_runs import VERDICTS, describe_comparison
from web.tables.promotion import accuracy_rows
from web.views.models.paired import show_paired


def show_evidence(
    sources: Sources,
    version: ModelVersion,
    versions: Mapping[str, ModelVersion],
    aliases: Sequence[Alias],
    *,
    is_open: bool,
) -> None:
    """Show the last comparison of a version with a champion, and both on the same images now.

    Args:
        sources: of the comparisons.
        version: the version to promote.
        versions: ready versions by pinned name.
        aliases: all aliases.
        is_open: whether the section is open, so that an evaluation may start.

    """
    champion = next(
        (
            f"{alias.experiment}@{alias.version}"
            for alias in aliases
            if alias.task == version.task and alias.alias == CHAMPION
        ),
        None,
    )
    if champion == version.pinned_name:
        st.caption("This version is the champion.")
        return
    result = sources.learning.evidence(version.name, version.version)
    if result.value is None:
        _show_none(version, champion, result.problem)
    else:
        _show_comparison(result.value, champion)
    if champion is not None and champion in versions:
        show_paired(sources, versions[champion], version, is_open=is_open)


def _show_none(version: ModelVersion, champion: str | None, problem: str | None) -> None:
    if problem is not None:
        st.caption(f"The last comparison with the champion cannot be read. {problem}")
        return
    query = {"model": version.pinned_name, **({"vs": champion} if champion else {})}
    st.info(
        f"Run one: [compare both on Evaluate](evaluate?{urlencode(query)}), or retrain the"
        " experiment on [Pipelines](pipelines).",
        icon=":material/balance:",
        title="No comparison with the champion is stored",
    )


def _show_comparison(evidence: Evidence, champion: str | None) -> None:
    decision = evidence.decision
    age = format_age(max(0.0, (datetime.now(UTC) - decision.at).total_seconds()))
    verdict = VERDICTS[decision.verdict]
    st.markdown(
        f"**Last comparison with the champion**, {age}: [run {decision.run_id}]"
        f"(pipelines?run={decision.run_id}), verdict **{verdict}**"
    )
    if decision.champion is not None and decision.champion != champion:
        st.warning(
            f"It was compared with {escape_markdown(decision.champion)}. The champion is"
            f" {escape_markdown(champion or 'none')} now.",
            icon=":material/history:",
        )
    if evidence.comparisons:
        st.markdown(escape_markdown(describe_comparison(evidence.comparisons[0], decision)))
        comparison = show_cells(evidence.comparisons, decision)
        if decision.champion is not None and decision.candidate is not None:
            st.markdown(accuracy_rows(decision.champion, decision.candidate, comparison.cells))
    st.markdown("\n".join(f"- {escape_markdown(reason)}" for reason in decision.reasons))
