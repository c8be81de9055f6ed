"""Direct comparison of a version with the champion before a promotion, on labeled images."""

from urllib.parse import urlencode

import streamlit as st

from evaluation.paired_tests import Agreement, compare
from web.data.api_types import ModelVersion
from web.evaluations.labeled_set import LabeledSet, adapt_labels
from web.evaluations.runner import Run
from web.formatting import escape_markdown, pluralize
from web.sources import Sources
from web.tables.pipeline_runs import four_cells
from web.tables.promotion import accuracy_rows
from web.views.evaluate.set_picker import MNIST, RENDERED, load_set

# Session key of the runs by models and images.
_RUNS = "promotion_evaluations"
REFRESH_SECONDS = 0.5


def show_paired(
    sources: Sources, champion: ModelVersion, candidate: ModelVersion, *, is_open: bool
) -> None:
    """Show the figures of both versions on the same images.

    Evaluates them if needed, once per session and only where a reader looks: `is_open`.
    """
    labeled_set = _find_set(sources, candidate)
    if labeled_set is None or champion.classes != candidate.classes:
        return
    models = (champion, candidate)
    first, second = (sources.evaluator.cached_predictions(one, labeled_set) for one in models)
    if first is not None and second is not None:
        _show_figures(models, labeled_set, compare(labeled_set.labels, first, second))
        return
    runs: dict[tuple[str | None, ...], Run] = st.session_state.setdefault(_RUNS, {})
    key = (labeled_set.digest, champion.digest, candidate.digest)
    if key not in runs and is_open:
        runs[key] = sources.evaluator.start(models, labeled_set)
    if (run := runs.get(key)) is None:
        return
    if not run.ended.is_set():
        _show_progress(run)
    elif run.problem is not None:
        st.warning(escape_markdown(run.problem), icon=":material/info:")
        if st.button("Compare again", icon=":material/refresh:"):
            del runs[key]
            st.rerun()


def _find_set(sources: Sources, model: ModelVersion) -> LabeledSet | None:
    """Return MNIST's test images if there are any, else rendered digits; None for other labels."""
    path = sources.settings.mnist_path
    labeled_set = load_set(next(iter(MNIST)) if path is not None else RENDERED, path)
    return None if labeled_set is None else adapt_labels(labeled_set, model.classes)


@st.fragment(run_every=REFRESH_SECONDS)
def _show_progress(run: Run) -> None:
    if run.ended.is_set():
        st.rerun()  # in a run of the fragment: a run of the page would lose its click
    st.progress(
        run.done / max(1, run.total),
        text=f"Comparing with the champion: {run.done:,} of {pluralize(run.total, 'image')}",
    )


def _show_figures(
    models: tuple[ModelVersion, ModelVersion], labeled_set: LabeledSet, agreement: Agreement
) -> None:
    champion, candidate = (model.pinned_name for model in models)
    cells = (agreement.both, agreement.only_first, agreement.only_second, agreement.neither)
    query = urlencode({"set": labeled_set.name, "model": candidate, "vs": champion})
    st.markdown(
        f"**Compared now** on {pluralize(agreement.images, 'image')} of"
        f" {escape_markdown(labeled_set.name)}, McNemar's exact test p ="
        f" {agreement.p_value:.2g} ([details](evaluate?{query}))"
    )
    st.markdown(accuracy_rows(champion, candidate, cells))
    st.markdown(four_cells(cells, "Champion"))
