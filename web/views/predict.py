"""Predict: draw a digit or upload images, and see what each chosen experiment reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from web import charts
from web.answers import AnswerBook
from web.cache import Reading
from web.canvas import draw_digit
from web.client import Answer, ApiProblem, ApiUnreachable, Model
from web.consensus import Consensus, answer_table, by_task, find_consensus, probability_table
from web.queries import Snapshot
from web.selection import Selection
from web.sources import Sources
from web.status import look_again
from web.table import serving_state
from web.thumbnail import NoThumbnail, make_thumbnail
from web.wording import count, percent, plain, some

UPLOAD_TYPES = ["png", "jpg", "jpeg", "webp", "bmp", "gif"]
MAX_UPLOAD_MEGABYTES = 2
# One page of answers; the rest is named, never silently dropped.
MAX_UPLOADS = 24
# A label of so many characters is shown as large as a digit; a longer one is a word.
LONGEST_SIGN = 2


@dataclass(frozen=True)
class Picture:
    """What is asked about: an upload has a name, a drawing has none."""

    name: str | None
    data: bytes


def show(sources: Sources, selection: Selection) -> None:
    """Draw the page."""
    reading = sources.models()
    models = reading.value or {}
    everyone = st.toggle(
        f"Ask every model that is ready ({sum(model.state == 'READY' for model in models.values())})"
        if models
        else "Ask every model that is ready",
        key="all",
        bind="query-params",
        help="Instead of the experiments chosen above.",
    )
    chosen = _newest_first(models, sources.snapshot().value) if everyone else list(selection.names)
    ready = [models[name] for name in chosen if name in models and models[name].state == "READY"]
    if selection.unknown and not everyone:
        st.warning(f"Not in the database: {some(selection.unknown)}.", icon=":material/help:")
    left, right = st.columns([2, 3], gap="large")
    with left:
        pictures = _show_inputs()
    with right:
        if reading.problem is not None:
            _show_api_down(sources, reading.problem)
        elif not chosen and not everyone:
            st.info("Choose experiments above, or ask every model that is ready.", icon=":material/checklist:")
        elif not ready:
            _show_nobody_serves(models, everyone=everyone)
        elif not pictures:
            _show_hint(len(ready))
        else:
            _show_answers(sources, pictures, ready)
    _show_silent(chosen, reading)


def _newest_first(models: Mapping[str, Model], snapshot: Snapshot | None) -> list[str]:
    """Every model in the order of the experiments; those that the database does not know come last, by name."""
    known = [] if snapshot is None else list(snapshot.experiments["experiment"])
    return [name for name in known if name in models] + sorted(set(models) - set(known))


def _show_inputs() -> list[Picture]:
    """Show canvas and upload, and return the pictures of the one that is open."""
    draw_tab, upload_tab = st.tabs([":material/draw: Draw", ":material/upload: Upload"], key="input", on_change="rerun")
    with draw_tab:
        drawing = draw_digit("canvas")
    with upload_tab:
        uploads = st.file_uploader(
            "Images of one digit each",
            type=UPLOAD_TYPES,
            accept_multiple_files=True,
            max_upload_size=MAX_UPLOAD_MEGABYTES,
            key="uploads",
            help="Dark on light or light on dark, any size up to 4096 pixels: the digit is found, cut out and centred.",
        )
    if upload_tab.open:
        if len(uploads) > MAX_UPLOADS:
            st.warning(f"The first {MAX_UPLOADS} of {len(uploads)} images are shown. Remove some to see the others.")
        return [Picture(upload.name, upload.getvalue()) for upload in uploads[:MAX_UPLOADS]]
    return [] if drawing is None else [Picture(None, drawing)]


def _show_api_down(sources: Sources, problem: str) -> None:
    st.error(
        f"{problem} Your picture stays here; the answers come as soon as the API is back.",
        icon=":material/cloud_off:",
        title="The inference API is down",
    )
    if st.button("Retry", icon=":material/refresh:", type="primary"):
        sources.retry()
        st.rerun()


def _show_nobody_serves(models: Mapping[str, Model], *, everyone: bool) -> None:
    ready = sum(model.state == "READY" for model in models.values())
    hint = (
        f"Ask all {count(ready, 'model')} instead: switch on *Ask every model that is ready*."
        if ready
        else "Put a model into `models/`, named as its experiment, and start the inference service again."
    )
    st.info(
        f"{'No model' if everyone else 'None of the chosen experiments has a model that'} is ready. {hint}",
        icon=":material/deployed_code:",
        title="Nobody to ask",
    )


def _show_hint(voters: int) -> None:
    st.info(
        f"Draw a digit from 0 to 9, or upload images. {count(voters, 'experiment').capitalize()} "
        f"{'answers' if voters == 1 else 'answer'} as soon as you lift the pen.",
        icon=":material/gesture:",
        title="What will they read?",
    )


def _show_answers(sources: Sources, pictures: Sequence[Picture], ready: Sequence[Model]) -> None:
    book = st.session_state.setdefault("answer_book", AnswerBook(sources.api.predict))
    try:
        outcomes = book.ask([picture.data for picture in pictures], ready)
    except ApiUnreachable:
        look_again()
        _show_api_down(sources, f"The inference API at `{sources.settings.api_url}` does not answer.")
        return
    tasks = {model.name: model.task for model in ready}
    for number, (picture, outcome) in enumerate(zip(pictures, outcomes, strict=True)):
        if isinstance(outcome, ApiProblem):
            _show_refused(picture, outcome)
        else:
            _show_picture(picture, by_task(outcome, tasks), None if len(pictures) == 1 else number)


def _show_refused(picture: Picture, problem: ApiProblem) -> None:
    st.error(
        plain(problem.detail or problem.title),
        icon=":material/broken_image:",
        title=plain(picture.name or "The drawing cannot be read"),
    )


def _show_picture(picture: Picture, answers: Mapping[str, list[Answer]], number: int | None) -> None:
    """Show all about the only picture (number is None), or about one of several in little, task by task.

    answers: by task. What a task is called matters only where there are several.
    """
    agreed = {task: find_consensus(its_answers) for task, its_answers in answers.items()}
    with st.container(border=True):
        for place, (task, consensus) in enumerate(agreed.items()):
            name = plain(task) if len(agreed) > 1 else None
            if consensus is None:
                st.error(f"No experiment{f' of {name}' if name else ''} could answer.", icon=":material/error:")
            else:
                _show_consensus(picture if place == 0 else None, consensus, name, f"{number or 0}-{place}", large=number is None)
            if number is None:
                _show_details(answers[task], consensus)
        if number is not None:
            with st.expander("Every answer"):
                for task, consensus in agreed.items():
                    if len(agreed) > 1:
                        st.markdown(f"**{plain(task)}**")
                    _show_details(answers[task], consensus)


def _show_consensus(picture: Picture | None, agreed: Consensus, task: str | None, key: str, *, large: bool) -> None:
    """Show what one task's experiments agree on. picture: None where it stands above; task: its name, None for the only one."""
    is_sign = len(agreed.label) <= LONGEST_SIGN
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        if picture is not None and picture.name is not None:
            try:
                st.image(make_thumbnail(picture.data), width=112 if large else 72, alt="The uploaded image")
            except NoThumbnail:
                st.markdown(":material/image:")
        kind = f"{'consensus' if large else 'digit'}-{'sign' if is_sign else 'word'}"
        with st.container(key=f"{kind}-{key}", width=(110 if large else 64) if is_sign else (130 if large else 84)):
            st.header(plain(agreed.label), anchor=False)
        with st.container(gap=None, width="stretch"):
            if picture is not None and picture.name is not None:
                st.caption(plain(picture.name))
            if task is not None:
                st.caption(f"Task {task}")
            st.markdown(_verdict(agreed))
            if agreed.is_unsure:
                st.badge(f"Unsure: probability {percent(agreed.confidence)} on average", icon=":material/help:", color="orange")
            else:
                st.markdown(f"Probability {percent(agreed.confidence)}{' on average' if agreed.voters > 1 else ''}")
            for label, names in agreed.dissent.items():
                st.caption(f"**{plain(label)}** according to {some(names)}")


def _verdict(agreed: Consensus) -> str:
    if agreed.voters == 1:
        return "**One experiment answered**"
    if agreed.votes == agreed.voters:
        return f"**All {agreed.voters} experiments agree**"
    return f"**{agreed.votes} of {agreed.voters} experiments agree**"


def _show_details(answers: Sequence[Answer], agreed: Consensus | None) -> None:
    given = {answer.experiment: answer.prediction for answer in answers if answer.prediction is not None}
    probabilities = {name: prediction.probabilities for name, prediction in given.items()}
    if len(given) == 1:
        st.echarts_chart(charts.probability_bars(next(iter(probabilities.values()))), height=220, alt="Probability of each label")
    elif given:
        st.echarts_chart(
            charts.probability_heat_map(probabilities, dark=st.context.theme.type == "dark"),
            height=charts.heat_map_height_pixels(len(given)),
            alt="Probability of each label by experiment; the table below has the numbers",
        )
    st.dataframe(
        answer_table(answers, agreed),
        hide_index=True,
        alt="Each experiment's answer and confidence",
        placeholder="",
        column_config={
            "experiment": st.column_config.TextColumn("Experiment", width=270),
            "answer": st.column_config.TextColumn("Answer", width=70),
            "confidence": st.column_config.ProgressColumn("Confidence", format="%.1f %%", min_value=0, max_value=100, width=130),
            "note": st.column_config.TextColumn("Note", width=120),
        },
    )
    if given:
        with st.expander("Probabilities in numbers"):
            table = probability_table(probabilities)
            st.dataframe(
                table,
                hide_index=True,
                alt="Probability of each label by experiment",
                placeholder="",
                column_config={
                    column: st.column_config.NumberColumn(column, format="%.4f", width=70) for column in table.columns[1:]
                },
            )


def _show_silent(chosen: Sequence[str], reading: Reading[dict[str, Model]]) -> None:
    """Name the chosen experiments that cannot answer, and why: normal for one without a model file."""
    if reading.value is None or reading.problem is not None:
        return
    silent: dict[str, list[str]] = {}
    for name in chosen:
        state = serving_state(name, reading.value)
        if state != "Ready":
            silent.setdefault(state.lower(), []).append(name)
    for state, names in silent.items():
        st.caption(f"Not asked, {state}: {some(names)}.")
