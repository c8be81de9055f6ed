"""Trainings of a run: seeds as dots with mean and spread, and their loss curves."""

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from web.charts.loss_curves import loss_curves
from web.charts.seed_dots import HEIGHT_PIXELS, SeedDot, seed_dots, seed_spread
from web.data.learning.types import RunDetail, Training
from web.formatting import format_duration, pluralize
from web.tables.pipeline_runs import loss_frame, name_training

# Session key of the losses of running trainings
_LOSSES = "live_losses"
ACCENT = {False: "#d9622b", True: "#f6955f"}


def show_trainings(detail: RunDetail) -> None:
    """Show the trainings of a run, nothing before the first one."""
    trainings = detail.trainings
    if not trainings:
        return
    train = detail.step("train")
    chosen = None if train is None else train.outputs.get("chosen_seed")
    dots = [
        SeedDot(
            name_training(one), one.validation_accuracy, one.trial is None and one.seed == chosen
        )
        for one in trainings
        if one.validation_accuracy is not None
    ]
    losses = loss_frame([_with_live_losses(detail, one) for one in trainings])
    left, right = st.columns(2, gap="large")
    with left:
        st.header("Seeds" if trainings[0].trial is None else "Trials", anchor=False)
        if dots:
            st.echarts_chart(
                seed_dots(
                    dots,
                    dark=st.context.theme.type == "dark",
                    accent=ACCENT[st.context.theme.type == "dark"],
                ),
                height=HEIGHT_PIXELS,
                alt="Validation accuracy of each training, with mean and standard deviation",
            )
        st.caption(_describe(trainings, dots))
    with right:
        st.header("Training loss", anchor=False)
        if losses.empty:
            st.caption("No loss yet.")
        else:
            names = list(dict.fromkeys(losses["experiment"]))
            st.echarts_chart(
                loss_curves(
                    losses,
                    names,
                    log=False,
                    metric="training loss",
                    dark=st.context.theme.type == "dark",
                ),
                height=HEIGHT_PIXELS,
                alt=f"Training loss of {pluralize(len(names), 'training')}",
            )


def _with_live_losses(detail: RunDetail, training: Training) -> Training:
    """Return a running training with the losses that this page has seen of it.

    The database has the curve of a training only at its end, and before its latest loss.
    """
    train = detail.step("train")
    if training.outcome != "RUNNING" or training.curve or train is None:
        return training
    progress = train.progress
    seen: dict[tuple[int, int], dict[float, float]] = st.session_state.setdefault(_LOSSES, {})
    losses = seen.setdefault((detail.run.id, training.seed), {})
    step, loss = progress.get("step"), progress.get("loss")
    if (
        progress.get("seed") == training.seed
        and isinstance(step, int | float)
        and isinstance(loss, int | float)
    ):
        losses[float(step)] = float(loss)
    return replace(training, curve=tuple(sorted(losses.items())))


def _describe(trainings: Sequence[Training], dots: Sequence[SeedDot]) -> str:
    """Describe mean, spread and test accuracy of the trainings."""
    running = sum(one.outcome == "RUNNING" for one in trainings)
    bad = [one for one in trainings if one.outcome in ("diverged", "failed")]
    parts = []
    if dots:
        mean, deviation = seed_spread(dots)
        spread = "" if deviation is None else f" \N{PLUS-MINUS SIGN} {deviation * 100:.2f}"
        note = "" if deviation is None else " (mean and standard deviation)"
        parts.append(f"Validation accuracy {mean * 100:.2f}{spread} %{note}")
    chosen = next((one for one in dots if one.is_chosen), None)
    if chosen is not None:
        parts.append(f"{chosen.name.capitalize()} is the candidate: the best on validation")
    if running:
        parts.append(f"{running} running")
    if bad:
        parts.append(f"{pluralize(len(bad), 'training')} diverged or failed")
    seconds = [one.seconds for one in trainings if one.seconds is not None]
    if seconds:
        parts.append(f"{format_duration(sum(seconds) / len(seconds))} each")
    return f"{'. '.join(parts)}." if parts else "The first seed is running."
