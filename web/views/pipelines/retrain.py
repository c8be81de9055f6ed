"""Retraining form of the Pipelines page: experiment, seeds, dataset, search, author and reason."""

from typing import Any

import streamlit as st

from web.components.authored_action import AUTHOR, REASON, author_input, reason_input, submit
from web.formatting import escape_markdown
from web.sources import Sources
from web.tables.pipeline_runs import DIGEST_CHARACTERS
from web.views.pipelines.task_picker import DEFAULT_TASK

MAX_SEEDS, DEFAULT_SEEDS = 20, 3
MAX_TRIALS = 50
LATEST = "latest"


def show_retrain(sources: Sources) -> None:
    """Show the button that opens the form."""
    snapshot = sources.snapshot().value
    task_of = {} if snapshot is None else snapshot.task_of
    with (
        st.popover("Retrain", icon=":material/model_training:", type="primary"),
        st.form("retrain", border=False),
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
        trials = st.number_input(
            "Trials of a hyperparameter search",
            0,
            MAX_TRIALS,
            0,
            help="0 keeps the parameters of the experiment. Each trial trains 5 folds.",
        )
        author, reason = author_input(), reason_input("two new pens")
        st.caption("If a run of the task is open, the request joins it.")

        def start() -> str:
            sweep: dict[str, Any] | None = {"trials": int(trials)} if trials else None
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


def _digests(sources: Sources) -> list[str]:
    datasets = sources.learning.datasets().value
    return [] if datasets is None else list(datasets["digest"])
