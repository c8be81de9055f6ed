"""Results of the Predict page for one image: consensus and probabilities of each task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from web.charts import probability_heat_map
from web.charts.probability_bars import probability_bars
from web.components.run_column import run_column, with_run_links
from web.components.thumbnail import ThumbnailError, make_thumbnail
from web.data.api_types import Answer, Answers, warnings_of
from web.data.consensus import Consensus, find_consensus, is_unsure
from web.data.image_warnings import warning_advice, warning_title
from web.formatting import escape_markdown, format_percent, join_names
from web.sources import Sources
from web.tables.predictions import answer_table, probability_table
from web.tables.run_names import shorten_names
from web.views.predict.correction import show_correction
from web.views.predict.inputs import InputImage
from web.views.predict.voters import Voters

# A label up to this length is shown as large as a digit. A longer one is a word.
MAX_SIGN_CHARACTERS = 2


def show_results(
    sources: Sources,
    image: InputImage,
    result: Answers | list[Answer],
    answers_by_task: Mapping[str, list[Answer]],
    voters: Voters,
) -> None:
    """Show all results for one image, task by task.

    Args:
        sources: sources that store the correct label.
        image: the image.
        result: all answers with the model input.
        answers_by_task: answers of each task. The task is shown only if there are several.
        voters: the models that were asked.

    """
    view = result.view if isinstance(result, Answers) else None
    warnings = warnings_of(result)
    has_several_tasks = len(answers_by_task) > 1
    with st.container(border=True):
        if warnings:
            _show_warnings(image, view, warnings)
            with st.expander("Answers of the models (not counted)"):
                for task, answers in answers_by_task.items():
                    if has_several_tasks:
                        st.caption(f"Task {escape_markdown(task)}")
                    _show_details(answers, None, task, voters.champions.get(task), has_table=False)
            return
        for index, (task, answers) in enumerate(answers_by_task.items()):
            consensus = find_consensus(answers, unfit=voters.unfit)
            name = escape_markdown(task) if has_several_tasks else None
            if consensus is None:
                st.error(
                    f"No model{f' of {name}' if name else ''} returned a prediction.",
                    icon=":material/error:",
                )
            else:
                is_first = index == 0
                champion = find_answer(answers, voters.champions.get(task))
                _show_verdict(
                    image if is_first else None,
                    view if is_first else None,
                    Verdict(consensus, champion, name),
                    f"0-{index}",
                )
                _show_left_out(consensus, voters.unfit)
                show_correction(
                    sources,
                    task,
                    answers,
                    {one.name: one.classes for one in voters.models},
                    asks_author=is_first,
                )
            _show_details(answers, consensus, task, voters.champions.get(task))


def _show_warnings(image: InputImage, view: bytes | None, warnings: Sequence[str]) -> None:
    """Show why the answers are not a prediction. The image takes no correct label."""
    st.warning(
        warning_advice(warnings),
        icon=":material/image_search:",
        title=escape_markdown(warning_title(warnings)),
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        if image.name is not None:
            _show_thumbnail(image)
            st.caption(escape_markdown(image.name), width="stretch")
        if view is not None:
            _show_view(view, "warned")


def _show_thumbnail(image: InputImage) -> None:
    try:
        st.image(make_thumbnail(image.data), width=96, alt="Uploaded image")
    except ThumbnailError:
        st.markdown(":material/image:")


def _show_view(view: bytes, key: str) -> None:
    with st.container(width=104, gap=None, key=f"view-{key}"):
        st.image(view, width=96, alt="Model input, 28 by 28 pixels")
        st.caption("Model input")


@dataclass(frozen=True)
class Verdict:
    """Answer of the champion of one task, and the consensus of the models.

    Attributes:
        consensus: the consensus.
        champion: answer of the champion, None without one.
        task: escaped name of the task, None for the only one.

    """

    consensus: Consensus
    champion: Answer | None
    task: str | None

    @property
    def label(self) -> str:
        """Label to show first: of the champion, else of the consensus."""
        prediction = self.champion.prediction if self.champion else None
        return self.consensus.label if prediction is None else prediction.label


def find_answer(answers: Sequence[Answer], name: str | None) -> Answer | None:
    """Return the answer of a model with a prediction, None without one."""
    return next(
        (one for one in answers if one.experiment == name and one.prediction is not None), None
    )


def _show_verdict(image: InputImage | None, view: bytes | None, verdict: Verdict, key: str) -> None:
    """Show the champion's answer large, then the consensus.

    Args:
        image: the image, None if it is shown above.
        view: PNG of the model input, None if it is shown above.
        verdict: champion and consensus of one task.
        key: part of the containers' keys.

    """
    is_sign = len(verdict.label) <= MAX_SIGN_CHARACTERS
    name = None if image is None else image.name
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        if image is not None and name is not None:
            _show_thumbnail(image)
        with st.container(
            key=f"answer-{'sign' if is_sign else 'word'}-{key}", width=110 if is_sign else 130
        ):
            st.header(escape_markdown(verdict.label), anchor=False)
        with st.container(gap=None, width="stretch"):
            if name is not None:
                st.caption(escape_markdown(name))
            if verdict.task is not None:
                st.caption(f"Task {verdict.task}")
            if verdict.champion is not None:
                _show_champion(verdict.champion)
            _show_consensus(verdict.consensus, is_second=verdict.champion is not None)
        if view is not None:
            _show_view(view, key)


def _show_champion(answer: Answer) -> None:
    assert answer.prediction is not None  # noqa: S101  # see find_answer
    st.markdown(f":material/star: **Champion** {escape_markdown(answer.experiment)}")
    _show_probability(answer.prediction.confidence, "")


def _show_consensus(consensus: Consensus, *, is_second: bool) -> None:
    votes = _describe_votes(consensus)
    on_average = " on average" if consensus.voters > 1 else ""
    if is_second:
        label = escape_markdown(consensus.label)
        probability = format_percent(consensus.confidence)
        st.markdown(f"**Consensus {label}**: {votes}, {probability}{on_average}")
    else:
        st.markdown(f"**{votes}**")
        _show_probability(consensus.confidence, on_average)
    for label, names in consensus.dissent.items():
        verb = "says" if len(names) == 1 else "say"
        st.caption(f"{join_names(names)} {verb} **{escape_markdown(label)}**")


def _show_probability(confidence: float, on_average: str) -> None:
    probability = f"robability {format_percent(confidence)}{on_average}"
    if is_unsure(confidence):
        st.badge(f"Unsure: p{probability}", icon=":material/help:", color="orange")
    else:
        st.markdown(f"P{probability}")


def _show_left_out(consensus: Consensus, unfit: Mapping[str, str]) -> None:
    """Show the models that do not vote, with the reason."""
    if consensus.left_out:
        names = [f"{escape_markdown(name)} ({unfit[name]})" for name in consensus.left_out]
        st.caption(f"Not in the consensus: {', '.join(names)}.")


def _describe_votes(consensus: Consensus) -> str:
    if consensus.voters == 1:
        return "Prediction of one model"
    if consensus.votes == consensus.voters:
        return f"All {consensus.voters} models agree"
    return f"{consensus.votes} of {consensus.voters} models agree"


def _show_details(
    answers: Sequence[Answer],
    consensus: Consensus | None,
    task: str,
    champion: str | None,
    *,
    has_table: bool = True,
) -> None:
    """Show the probabilities and the answers. The task tells screen readers the tables apart."""
    probabilities = {
        answer.experiment: answer.prediction.probabilities
        for answer in answers
        if answer.prediction is not None
    }
    if len(probabilities) == 1:
        st.echarts_chart(
            probability_bars(next(iter(probabilities.values()))),
            height=220,
            alt="Probability of each label",
        )
    elif probabilities:
        st.echarts_chart(
            probability_heat_map.probability_heat_map(
                probabilities,
                shorten_names(probabilities),
                dark=st.context.theme.type == "dark",
            ),
            height=probability_heat_map.height_pixels(len(probabilities)),
            alt="Probability of each label by experiment; the table below has the numbers",
        )
    st.dataframe(
        with_run_links(answer_table(answers, consensus, champion), "experiment", is_short=True),
        hide_index=True,
        alt=f"Answer and confidence of each experiment, task {task}",
        placeholder="",
        column_config={
            "experiment": run_column("Experiment", width=270),
            "answer": st.column_config.TextColumn("Answer", width=70),
            "confidence": st.column_config.ProgressColumn(
                "Confidence", format="%.1f %%", min_value=0, max_value=100, width=130
            ),
            "note": st.column_config.TextColumn("Note", width=120),
        },
    )
    if probabilities and has_table:
        _show_probability_table(probabilities, task)


def _show_probability_table(probabilities: Mapping[str, Mapping[str, float]], task: str) -> None:
    with st.expander("Probability table"):
        table = probability_table(probabilities)
        st.dataframe(
            table,
            hide_index=True,
            alt=f"Probability of each label by experiment, task {task}",
            placeholder="",
            column_config={
                column: st.column_config.NumberColumn(column, format="%.4f", width=70)
                for column in table.columns[1:]
            },
        )
