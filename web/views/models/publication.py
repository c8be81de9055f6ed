"""Publication of the Models page: the run of the last one, live, and its version or refusal."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from web.components.outage import show_missing_worker
from web.data.api_types import ApiProblemError, ApiUnreachableError, ModelVersion
from web.data.learning.types import PUBLISH, RunDetail
from web.formatting import escape_markdown, format_duration
from web.link_values import check_text
from web.sources import Sources
from web.tables.publication import better_card, describe_failure, describe_phase, merge_cards
from web.views.models.details import SELECTED

# Parameter of the URL with the run, so that a reload keeps its progress.
PARAMETER = "publication"
LIVE_SECONDS = 1.0
# Session keys: the last publication, and the failure of its repetition.
_PUBLICATION, _FAILURE = "publication", "publication_failure"


@dataclass(frozen=True)
class Publication:
    """Request of a publication, which a refusal may repeat with another card.

    Attributes:
        run_id: its run.
        experiment, file_name, data, card: what was sent.
        by, reason: author and reason.

    """

    run_id: int
    experiment: str
    file_name: str
    data: bytes
    card: Mapping[str, Any]
    by: str
    reason: str


def send(sources: Sources, request: Publication, *, force: bool = False) -> None:
    """Request a publication and follow its run. Raises the errors of the client."""
    started = sources.learning_api.publish(
        request.experiment,
        request.file_name,
        request.data,
        card=request.card,
        force=force,
        by=request.by,
        reason=request.reason,
    )
    st.session_state[_PUBLICATION] = replace(request, run_id=started.run_id)
    st.query_params[PARAMETER] = str(started.run_id)


def show_publication(sources: Sources, versions: Sequence[ModelVersion]) -> None:
    """Show the run of the last publication: its progress, its version or the refusal."""
    check_text(
        PARAMETER,
        is_valid=str.isdecimal,
        accepted="the number of a run that publishes a model",
        shown="no publication",
    )
    run_id = st.query_params.get(PARAMETER, "")
    if not run_id.isdecimal():
        return
    result = sources.learning.run(int(run_id))
    detail = result.value
    if detail is None or detail.run.kind != PUBLISH:
        if result.problem is None:
            st.warning(f"Run {escape_markdown(run_id)} publishes no model.", icon=":material/help:")
            _show_close()
        return
    is_live = (detail.run.is_open or _is_loading(detail, versions)) and result.problem is None
    with st.container(border=True, key="publication"):
        st.fragment(_show_live, run_every=LIVE_SECONDS if is_live else None)(
            sources, detail.run.id, _state(detail, versions)
        )
        if not detail.run.is_open:
            _show_end(sources, detail, versions)


def _show_live(sources: Sources, run_id: int, drawn: Hashable) -> None:
    """Show the head and the progress. Rerun the page when the run ends or its version appears."""
    detail = sources.learning.run(run_id).value
    versions = sources.versions().value
    if detail is None or versions is None:
        return
    if _state(detail, versions) != drawn:
        sources.expire_models()
        st.rerun()
    run = detail.run
    st.markdown(
        f":material/upload: **{escape_markdown(run.experiment_name)}** \N{MIDDLE DOT}"
        f" [run {run.id}](pipelines?run={run.id})"
    )
    if not run.is_open:
        return
    listed = sources.learning.runs(1).value
    if listed is not None:
        show_missing_worker(listed, waiting="The model waits for it.")
    step = detail.step(PUBLISH)
    passed = ""
    if step is not None and step.state == "RUNNING":
        seconds = max(0.0, (datetime.now(UTC) - step.started_at).total_seconds())
        passed = f" \N{MIDDLE DOT} {format_duration(seconds)}"
    words, share = describe_phase(detail)
    st.progress(share, text=words + passed)


def _show_end(sources: Sources, detail: RunDetail, versions: Sequence[ModelVersion]) -> None:
    """Show the published version, or the reason of the refusal and what to do."""
    run = detail.run
    if run.state == "SUCCEEDED":
        waiting = " The service loads it." if _is_loading(detail, versions) else ""
        st.success(f"{escape_markdown(run.reason or '')}{waiting}", icon=":material/check_circle:")
    elif run.state == "FAILED":
        st.error(
            escape_markdown(describe_failure(detail)),
            icon=":material/error:",
            title="Not published",
        )
    else:
        st.warning(escape_markdown(run.reason or ""), icon=":material/stop_circle:")
    failure = st.session_state.pop(_FAILURE, None)
    if failure is not None:
        st.error(failure)
    with st.container(horizontal=True):
        version = _published_version(detail)
        if version is not None and not _is_loading(detail, versions):
            st.button(
                f"Show version {version}",
                icon=":material/deployed_code:",
                on_click=_select,
                args=(f"{run.experiment_name}@{version}", versions),
            )
        _show_repetitions(sources, detail)
        _show_close()


def _show_repetitions(sources: Sources, detail: RunDetail) -> None:
    """Offer the better card of the probe, and to publish a refused model as it is."""
    is_refused, suggested = better_card(detail)
    if not is_refused:
        return
    request = st.session_state.get(_PUBLICATION)
    if not isinstance(request, Publication) or request.run_id != detail.run.id:
        st.caption("To change the card or to publish it as it is, choose the file again.")
        return
    if suggested:
        st.button(
            "Publish with the better card",
            type="primary",
            icon=":material/auto_fix_high:",
            on_click=_repeat,
            args=(sources, replace(request, card=merge_cards(request.card, suggested))),
        )
    st.button(
        "Publish as it is",
        icon=":material/warning:",
        on_click=_repeat,
        args=(sources, request),
        kwargs={"force": True},
        help="The service then answers with a model that misreads most digits.",
    )


def _repeat(sources: Sources, request: Publication, *, force: bool = False) -> None:
    """Request a publication again: the callback of a button."""
    try:
        send(sources, request, force=force)
    except ApiUnreachableError:
        st.session_state[_FAILURE] = "The inference API does not respond. Try again."
    except ApiProblemError as problem:
        st.session_state[_FAILURE] = escape_markdown(problem.detail or problem.title)


def _show_close() -> None:
    st.button("Close", key="close_publication", on_click=_close)


def _close() -> None:
    st.session_state.pop(_PUBLICATION, None)
    st.query_params.pop(PARAMETER, None)


def _select(name: str, versions: Sequence[ModelVersion]) -> None:
    """Select a version below the table, by the name that the page uses for it."""
    found = next((one for one in versions if f"{one.name}@{one.version}" == name), None)
    st.session_state[SELECTED] = name if found is None else found.short_name


def _published_version(detail: RunDetail) -> int | None:
    step = detail.step(PUBLISH)
    version = None if step is None else step.outputs.get("version")
    return version if isinstance(version, int) else None


def _is_loading(detail: RunDetail, versions: Sequence[ModelVersion]) -> bool:
    """Return whether the service does not know the published version yet."""
    version = _published_version(detail)
    return version is not None and not any(
        (one.name, one.version) == (detail.run.experiment_name, version)
        and one.state in ("READY", "FAILED")
        for one in versions
    )


def _state(detail: RunDetail, versions: Sequence[ModelVersion]) -> Hashable:
    """Return the values whose change reruns the page."""
    return detail.run.state, _is_loading(detail, versions)
