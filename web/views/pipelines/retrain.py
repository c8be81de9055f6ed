"""Retraining form of the Pipelines page: experiment, seeds, dataset, search, author and reason."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from web.components.author import AUTHOR, author_input
from web.components.authored_action import REASON, fresh_key, reason_input, submit
from web.formatting import escape_markdown
from web.sources import Sources
from web.tables.pipeline_runs import DIGEST_CHARACTERS
from web.views.pipelines.task_picker import DEFAULT_TASK

MAX_SEEDS, DEFAULT_SEEDS = 20, 3
MAX_TRIALS = 200
LEARNING_RATES = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
BATCH_SIZES = (16, 32, 64, 128, 256)
LATEST = "latest"


def show_retrain(sources: Sources) -> None:
    """Show the button that opens the form."""
    snapshot = sources.snapshot().value
    task_of = {} if snapshot is None else snapshot.task_of
    with (
        st.popover(
            "Retrain",
            icon=":material/model_training:",
            type="primary",
            key=fresh_key("retrain_popover"),
        ),
        st.form(fresh_key("retrain"), border=False),
    ):
        experiment = st.selectbox(
            "Experiment",
            list(task_of),
            index=None,
            placeholder="Choose an experiment",
            help="Its parameters are trained again on the dataset.",
        )
        seeds = st.number_input(
            "Seeds",
            1,
            MAX_SEEDS,
            DEFAULT_SEEDS,
            help="Each is one training. The best on the validation images is the candidate.",
        )
        dataset = st.selectbox(
            "Dataset",
            [LATEST, *_digests(sources)],
            format_func=lambda one: one if one == LATEST else one[:DIGEST_CHARACTERS],
            help="The latest one adds all new labels and uploads first.",
        )
        sweep = _pick_search()
        author, reason = author_input(), reason_input("two new pens")
        st.caption("If a run of the task is open, the request joins it.")

        def start() -> str:
            started = sources.learning_api.retrain(
                task_of.get(str(experiment), DEFAULT_TASK),
                str(experiment),
                seeds=int(seeds),
                dataset=str(dataset),
                sweep=sweep,
                by=author.strip(),
                reason=reason.strip(),
            )
            st.session_state["run"] = str(started.run_id)
            return (
                f"Joined the open run {started.run_id}"
                if started.joined
                else f"Run {started.run_id} of {escape_markdown(str(experiment))} is queued"
            )

        if st.form_submit_button("Retrain", type="primary"):
            submit(
                sources,
                {"Experiment": experiment or "", AUTHOR: author, REASON: reason},
                start,
                failure="Retraining not started",
            )


def _pick_search() -> dict[str, Any] | None:
    """Show the fields of a hyperparameter search and return it, None without trials."""
    with st.expander("Hyperparameter search"):
        trials = st.number_input(
            "Trials",
            0,
            MAX_TRIALS,
            0,
            help="0 keeps the parameters of the experiment. Each trial trains 5 folds.",
        )
        low, high = st.select_slider("Learning rate", LEARNING_RATES, value=(0.01, 0.1))
        calm, fast = st.slider("Momentum", 0.0, 0.99, (0.0, 0.95), step=0.05)
        sizes = st.multiselect("Batch sizes", BATCH_SIZES, placeholder="As in the experiment")
    return make_search(int(trials), (low, high), (calm, fast), sizes) if trials else None


def make_search(
    trials: int,
    learning_rates: tuple[float, float],
    momenta: tuple[float, float],
    batch_sizes: Sequence[int],
) -> dict[str, Any]:
    """Return the search for POST /retrain. A range of one value keeps that of the experiment."""
    search: dict[str, Any] = {"trials": trials}
    if learning_rates[0] < learning_rates[1]:
        search["learning_rate"] = [*learning_rates, "log"]
    if momenta[0] < momenta[1]:
        search["momentum"] = list(momenta)
    if batch_sizes:
        search["batch_size"] = sorted(batch_sizes)
    return search


def _digests(sources: Sources) -> list[str]:
    datasets = sources.learning.datasets().value
    return [] if datasets is None else list(datasets["digest"])
