"""Results of the Predict page for one image: consensus and probabilities of each task."""

from collections.abc import Mapping, Sequence

import streamlit as st

from web.charts import probability_heat_map
from web.charts.probability_bars import probability_bars
from web.components.thumbnail import ThumbnailError, make_thumbnail
from web.data.api_types import Answer, Answers, warnings_of
from web.data.consensus import Consensus, find_consensus
from web.data.image_warnings import warning_advice, warning_title
from web.formatting import escape_markdown, format_percent, join_names
from web.sources import Sources
from web.tables.predictions import answer_table, probability_table
from web.views.predict.correction import show_correction
from web.views.predict.inputs import InputImage

# A label up to this length is shown as large as a digit. A longer one is a word.
MAX_SIGN_CHARACTERS = 2


def show_results(
    sources: Sources,
    image: InputImage,
    result: Answers | list[Answer],
    answers_by_task: Mapping[str, list[Answer]],
    classes_of: Mapping[str, Sequence[str]],
) -> None:
    """Show all results for one image, task by task.

    Args:
        sources: sources that store the correct label.
        image: the image.
        result: all answers with the model input.
        answers_by_task: answers of each task. The task is shown only if there are several.
        classes_of: class labels of each experiment.

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
                    _show_details(answers, None, task, has_table=False)
            return
        for index, (task, answers) in enumerate(answers_by_task.items()):
            consensus = find_consensus(answers)
            name = escape_markdown(task) if has_several_tasks else None
            if consensus is None:
                st.error(
                    f"No model{f' of {name}' if name else ''} returned a prediction.",
                    icon=":material/error:",
                )
            else:
                is_first = index == 0
                _show_consensus(
                    image if is_first else None,
                    view if is_first else None,
                    consensus,
                    name,
                    f"0-{index}",
                )
                show_correction(sources, task, answers, classes_of)
            _show_details(answers, consensus, task)


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


def _show_consensus(
    image: InputImage | None,
    view: bytes | None,
    consensus: Consensus,
    task: str | None,
    key: str,
) -> None:
    """Show the consensus of one task.

    Args:
        image: the image, None if it is shown above.
        view: PNG of the model input, None if it is shown above.
        consensus: the consensus.
        task: escaped name of the task, None for the only one.
        key: part of the containers' keys.

    """
    is_sign = len(consensus.label) <= MAX_SIGN_CHARACTERS
    name = None if image is None else image.name
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        if image is not None and name is not None:
            _show_thumbnail(image)
        with st.container(
            key=f"consensus-{'sign' if is_sign else 'word'}-{key}", width=110 if is_sign else 130
        ):
            st.header(escape_markdown(consensus.label), anchor=False)
        with st.container(gap=None, width="stretch"):
            if name is not None:
                st.caption(escape_markdown(name))
            if task is not None:
                st.caption(f"Task {task}")
            st.markdown(f"**{_describe_votes(consensus)}**")
            on_average = " on average" if consensus.voters > 1 else ""
            probability = f"robability {format_percent(consensus.confidence)}{on_average}"
            if consensus.is_unsure:
                st.badge(f"Unsure: p{probability}", icon=":material/help:", color="orange")
            else:
                st.markdown(f"P{probability}")
            for label, names in consensus.dissent.items():
                verb = "says" if len(names) == 1 else "say"
                st.caption(f"{join_names(names)} {verb} **{escape_markdown(label)}**")
        if view is not None:
            _show_view(view, key)


def _describe_votes(consensus: Consensus) -> str:
    if consensus.voters == 1:
        return "Prediction of one model"
    if consensus.votes == consensus.voters:
        return f"All {consensus.voters} models agree"
    return f"{consensus.votes} of {consensus.voters} models agree"


def _show_details(
    answers: Sequence[Answer], consensus: Consensus | None, task: str, *, has_table: bool = True
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
                probabilities, dark=st.context.theme.type == "dark"
            ),
            height=probability_heat_map.height_pixels(len(probabilities)),
            alt="Probability of each label by experiment; the table below has the numbers",
        )
    st.dataframe(
        answer_table(answers, consensus),
        hide_index=True,
        alt=f"Answer and confidence of each experiment, task {task}",
        placeholder="",
        column_config={
            "experiment": st.column_config.TextColumn("Experiment", width=270),
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
