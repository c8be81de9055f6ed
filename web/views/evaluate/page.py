"""Evaluate page: choice of set and models, the run, then its results."""

from collections.abc import Sequence

import streamlit as st

from web.components.outage import show_api_down
from web.data.api_types import ModelVersion
from web.evaluations.labeled_set import LabeledSet, adapt_labels, unknown_labels
from web.evaluations.runner import Run
from web.formatting import escape_markdown, join_names, pluralize
from web.link_values import check_options
from web.sources import Sources
from web.tables.model_registry import find_version, sort_versions
from web.views.evaluate import errors, images, set_picker
from web.views.evaluate.comparison import show_comparison
from web.views.evaluate.report import show_report
from web.views.evaluate.stored import show_stored

# The widgets' keys, which are also the URL parameters.
MODEL, OTHER_MODEL = "model", "vs"
WIDGET_KEYS = (set_picker.SET, MODEL, OTHER_MODEL, images.TRUE, images.PREDICTED, errors.GROUP)
# Option for no comparison
NONE = "none"
# Session key of the current run
RUN = "evaluation"
REFRESH_SECONDS = 0.5


def show(sources: Sources) -> None:
    """Draw the page."""
    result = sources.versions()
    if result.problem is not None:
        show_api_down(
            result.problem, sources.retry, consequence="Finished evaluations are still available."
        )
    versions = sort_versions(result.value or [])
    ready = [version for version in versions if version.state == "READY"]
    if not ready:
        if result.problem is None:
            st.info(
                "No models are ready. See the Models page for their states.",
                icon=":material/deployed_code:",
            )
        return
    labeled_set, model, other = _show_choice(sources, ready)
    if labeled_set is None:
        return
    adapted_set = adapt_labels(labeled_set, model.classes)
    unknown = unknown_labels(labeled_set, model.classes)
    if adapted_set is None:
        st.warning(
            f"{escape_markdown(model.short_name)} predicts {join_names(model.classes)}. The set"
            f" has {join_names(unknown)}. Choose another model or set.",
            icon=":material/help:",
            title="The model cannot predict any label of this set",
        )
        return
    models = [model] if other is None else [model, other]
    set_picker.show_set(labeled_set)
    if unknown:
        left_out = len(labeled_set.images) - len(adapted_set.images)
        st.warning(
            f"Not evaluated: {pluralize(left_out, 'image')} with the labels {join_names(unknown)}."
            f" {escape_markdown(model.short_name)} predicts {join_names(model.classes)}."
            " Correct the labels, or choose another model.",
            icon=":material/help:",
            title="The model cannot predict all labels of this set",
        )
    predictions = [sources.evaluator.cached_predictions(one, adapted_set) for one in models]
    _show_run(
        sources,
        models,
        adapted_set,
        is_complete=None not in predictions,
        is_api_up=result.problem is None,
    )
    first, second = predictions[0], predictions[-1]
    if first is None:
        show_stored(sources, models, adapted_set)
        return
    show_report(adapted_set.labels, model, first)
    if other is not None and second is not None:
        show_comparison(adapted_set.labels, (model, other), (first, second))
    inputs = sources.evaluator.model_inputs(adapted_set)
    if inputs is not None:
        errors.show_errors(adapted_set, first, inputs)
    images.show_images(adapted_set, first)


def _show_choice(
    sources: Sources, ready: Sequence[ModelVersion]
) -> tuple[LabeledSet | None, ModelVersion, ModelVersion | None]:
    """Show the choice of the set and the models, and return them."""
    names = [version.short_name for version in ready]
    # A link may name a default version as NAME@2, too.
    linked = st.query_params.get(MODEL)
    if linked is not None and linked not in names and find_version(linked, ready) is not None:
        names.append(linked)
    with st.container(horizontal=True, vertical_alignment="bottom", key="evaluate_choice"):
        set_name = set_picker.pick_set(sources.settings.mnist_path)
        check_options(MODEL, names)
        model_name = st.selectbox("Model", names, key=MODEL, bind="query-params", width=360)
        model = find_version(str(model_name), ready) or ready[0]
        others = [
            version.short_name
            for version in ready
            if version.classes == model.classes and version is not model
        ]
        check_options(OTHER_MODEL, [NONE, *others])
        if st.session_state.get(OTHER_MODEL) not in (None, NONE, *others):
            del st.session_state[OTHER_MODEL]
        other_name = st.selectbox(
            "Compare with", [NONE, *others], key=OTHER_MODEL, bind="query-params", width=360
        )
    labeled_set = set_picker.load_set(set_name, sources.settings.mnist_path)
    return labeled_set, model, find_version(str(other_name), ready)


def _show_run(
    sources: Sources,
    models: Sequence[ModelVersion],
    labeled_set: LabeledSet,
    *,
    is_complete: bool,
    is_api_up: bool,
) -> None:
    """Show the button, the progress of the run, or its problem."""
    run: Run | None = st.session_state.get(RUN)
    if run is not None and not run.ended.is_set():
        _show_progress()
        return
    if run is not None and run.problem is not None:
        st.warning(escape_markdown(run.problem), icon=":material/info:")
    if run is not None and run.warning is not None:
        st.warning(escape_markdown(run.warning), icon=":material/cloud_off:")
    if is_complete:
        st.session_state.pop(RUN, None)
        return
    if st.button("Evaluate", type="primary", icon=":material/play_arrow:", disabled=not is_api_up):
        st.session_state[RUN] = sources.evaluator.start(models, labeled_set)
        st.rerun()


@st.fragment(run_every=REFRESH_SECONDS)
def _show_progress() -> None:
    run: Run | None = st.session_state.get(RUN)
    if run is None or run.ended.is_set():
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center"):
        state = (
            "Canceling"
            if run.is_canceled
            else "Predicting"
            if run.is_started
            else "Waiting for other evaluations"
        )
        st.progress(
            run.done / max(1, run.total),
            text=f"{state}: {run.done:,} of {pluralize(run.total, 'image')}",
            width="stretch",
        )
        if st.button("Cancel", icon=":material/stop:", disabled=run.is_canceled):
            run.cancel()
            st.rerun(scope="fragment")
