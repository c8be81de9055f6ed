"""Predict: draw a digit or upload images, and see what each chosen experiment reads."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import streamlit as st

from web.charts import options
from web.components.canvas import draw_digit
from web.components.correction import Correction, correct
from web.components.correction import State as CorrectionState
from web.components.experiment_picker import Selection
from web.components.sample_digits import EXAMPLES, draw_example
from web.components.status_strip import look_again
from web.components.thumbnail import ThumbnailError, make_thumbnail
from web.data.api_client import (
    Answer,
    Answers,
    ApiProblemError,
    ApiUnreachableError,
    Model,
    Outcome,
)
from web.data.consensus import (
    Consensus,
    Read,
    answer_table,
    by_task,
    find_consensus,
    gallery_table,
    probability_table,
)
from web.data.prediction_cache import PredictionCache
from web.data.queries import Snapshot
from web.data.stale_cache import CachedResult
from web.formatting import count, percent, plain, some
from web.sources import Sources
from web.tables.leaderboard_table import serving_state
from web.tables.model_registry import curl_many

# The keys of what is chosen here, and their names in the URL.
CHOICES = ("all", "example")
TABS = (":material/draw: Draw", ":material/upload: Upload", ":material/grid_view: Examples")
# The formats of inference/preprocessing/decoding.py.
UPLOAD_TYPES = ["png", "jpg", "jpeg", "webp", "bmp", "gif"]
MAX_UPLOAD_MEGABYTES = 2
# The rest is named, never silently dropped.
MAX_UPLOADS = 200
GALLERY_SIDE, GALLERY_ROW_PIXELS = 48, 52
# Readable on both themes.
RED_ROW = "background-color: rgba(214, 69, 65, 0.25)"
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
            st.info(
                "Choose experiments above, or ask every model that is ready.",
                icon=":material/checklist:",
            )
        elif not ready:
            _show_nobody_serves(models, everyone=everyone)
        elif not pictures:
            _show_hint(len(ready))
        else:
            _show_answers(sources, pictures, ready, everyone=everyone)
    _show_silent(chosen, reading)


def _newest_first(models: Mapping[str, Model], snapshot: Snapshot | None) -> list[str]:
    """Every model in the order of the experiments.

    Those that the database does not know come last, by name.
    """
    known = [] if snapshot is None else list(snapshot.experiments["experiment"])
    return [name for name in known if name in models] + sorted(set(models) - set(known))


def _show_inputs() -> list[Picture]:
    """Show canvas, upload and examples, and return the pictures of the one that is open."""
    draw_tab, upload_tab, example_tab = st.tabs(
        TABS,
        default=TABS[2] if "example" in st.query_params else None,
        key="input",
        on_change="rerun",
    )
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
    if example_tab.open:
        with example_tab:
            return _show_examples()
    if upload_tab.open:
        if len(uploads) > MAX_UPLOADS:
            st.warning(
                f"The first {MAX_UPLOADS} of {len(uploads)} images are asked about. Remove some to see the others."
            )
        return [Picture(upload.name, upload.getvalue()) for upload in uploads[:MAX_UPLOADS]]
    return [] if drawing is None else [Picture(None, drawing)]


def _show_examples() -> list[Picture]:
    """Show ten digits of our own making, and return the one that is chosen."""
    chosen = st.pills("Digits of our own making", EXAMPLES, key="example", bind="query-params")
    with st.container(horizontal=True, gap="small", key="examples"):
        for digit in EXAMPLES:
            st.image(draw_example(digit), width=72, alt=f"Example digit {digit}")
    return [] if chosen is None else [Picture(f"{chosen}.png", draw_example(chosen))]


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


def _show_answers(
    sources: Sources, pictures: Sequence[Picture], ready: Sequence[Model], *, everyone: bool
) -> None:
    book = st.session_state.setdefault(
        "answer_book", PredictionCache(partial(sources.api.predict, view=True))
    )
    try:
        outcomes = book.ask([picture.data for picture in pictures], ready)
    except ApiUnreachableError:
        look_again()
        _show_api_down(
            sources, f"The inference API at `{sources.settings.api_url}` does not answer."
        )
        return
    tasks = {model.name: model.task for model in ready}
    place = 0 if len(pictures) == 1 else _show_gallery(pictures, outcomes, tasks)
    picture, outcome = pictures[place], outcomes[place]
    if isinstance(outcome, ApiProblemError):
        if len(pictures) == 1:
            _show_refused(picture, outcome)
        return
    _show_picture(
        sources,
        picture,
        outcome,
        by_task(outcome, tasks),
        {model.name: model.classes for model in ready},
    )
    _show_code(sources, picture, ["all"] if everyone else [model.name for model in ready])


def _show_gallery(
    pictures: Sequence[Picture], outcomes: Sequence[Outcome], tasks: Mapping[str, str]
) -> int:
    """Show a row for each of several pictures, those that cannot be read in red, and return the
    place of the chosen one.
    """
    read = []
    for picture, outcome in zip(pictures, outcomes, strict=True):
        if isinstance(outcome, ApiProblemError):
            _show_refused(picture, outcome)
            read.append(Read(str(picture.name), None, outcome.detail or outcome.title))
        else:
            # The task that most of the models are of: a row has room for one.
            first = next(iter(by_task(outcome, tasks).values()), [])
            read.append(Read(str(picture.name), find_consensus(first)))
    table = gallery_table(read)
    table.insert(0, "picture", [_data_url(picture.data) for picture in pictures])
    bad = [each.consensus is None for each in read]
    chosen = st.dataframe(
        table.style.apply(lambda row: [RED_ROW if bad[int(row.name)] else ""] * len(row), axis=1),
        hide_index=True,
        alt="What the experiments agree on for each picture",
        placeholder="",
        key="gallery_table",
        on_select="rerun",
        selection_mode="single-row",
        row_height=GALLERY_ROW_PIXELS,
        column_config={
            "picture": st.column_config.ImageColumn("Picture", width=60),
            "file": st.column_config.TextColumn("File", width=150),
            "answer": st.column_config.TextColumn("Answer", width=65),
            "agree": st.column_config.TextColumn("Agree", width=80),
            "confidence": st.column_config.ProgressColumn(
                "Confidence", format="%.1f %%", min_value=0, max_value=100, width=130
            ),
            "note": st.column_config.TextColumn("Note", width=220),
        },
    )
    good = sum(not each for each in bad)
    st.caption(
        f"{good:,} of {count(len(bad), 'picture')} read. Tick a row to see every answer to it."
    )
    rows = chosen["selection"]["rows"]
    return (
        int(rows[0]) if rows else next((place for place, is_bad in enumerate(bad) if not is_bad), 0)
    )


def _data_url(data: bytes) -> str | None:
    try:
        return (
            "data:image/png;base64,"
            + base64.b64encode(make_thumbnail(data, side=GALLERY_SIDE)).decode()
        )
    except ThumbnailError:
        return None


def _show_refused(picture: Picture, problem: ApiProblemError) -> None:
    st.error(
        plain(problem.detail or problem.title),
        icon=":material/broken_image:",
        title=plain(picture.name or "The drawing cannot be read"),
    )


def _show_picture(
    sources: Sources,
    picture: Picture,
    outcome: Answers | list[Answer],
    answers: Mapping[str, list[Answer]],
    classes: Mapping[str, Sequence[str]],
) -> None:
    """Show all about one picture, task by task.

    answers: by task. What a task is called matters only where there are several. classes: the
    labels of each experiment.
    """
    view = outcome.view if isinstance(outcome, Answers) else None
    agreed = {task: find_consensus(its_answers) for task, its_answers in answers.items()}
    with st.container(border=True):
        for place, (task, consensus) in enumerate(agreed.items()):
            name = plain(task) if len(agreed) > 1 else None
            if consensus is None:
                st.error(
                    f"No experiment{f' of {name}' if name else ''} could answer.",
                    icon=":material/error:",
                )
            else:
                is_first = place == 0
                _show_consensus(
                    picture if is_first else None,
                    view if is_first else None,
                    consensus,
                    name,
                    f"0-{place}",
                )
                _show_correction(sources, answers[task], classes)
            _show_details(answers[task], consensus)


def _show_correction(
    sources: Sources, answers: Sequence[Answer], classes: Mapping[str, Sequence[str]]
) -> None:
    """Let one click say what the picture shows.

    The label counts for every model of the task that reads it.
    """
    kept = (
        (each.experiment, each.prediction.prediction_id)
        for each in answers
        if each.prediction and each.prediction.prediction_id
    )
    experiment, prediction_id = next(kept, ("", ""))
    if not prediction_id:
        return  # the API keeps no predictions
    corrections: dict[str, Correction] = st.session_state.setdefault("corrections", {})
    key = f"label-{prediction_id}"

    def store(replaces: str | None = None, label: str | None = None) -> None:
        label = label or st.session_state.get(key)
        if label is not None:
            before = corrections.get(prediction_id)
            if replaces is None and before is not None and before.state is CorrectionState.STORED:
                replaces = before.label  # one's own, a moment ago
            corrections[prediction_id] = correct(
                sources.api.label, sources.api.current_label, prediction_id, label, replaces
            )

    st.pills("What is it really?", list(classes[experiment]), key=key, on_change=store)
    last = corrections.get(prediction_id)
    if last is None:
        return
    if last.state is CorrectionState.STORED:
        st.badge(f"Labelled {plain(last.label)}", icon=":material/check_circle:", color="green")
    elif last.state is CorrectionState.FAILED:
        st.warning(last.problem or "", icon=":material/error:", title="Not labelled")
    elif last.standing is not None:
        standing = last.standing
        st.warning(
            f"{plain(standing.labelled_by)} said **{plain(standing.label)}** on {standing.labelled_at:%Y-%m-%d at %H:%M} UTC.",
            icon=":material/help:",
            title="Another label stands",
        )
        st.button(
            f"Replace {plain(standing.label)} by {plain(last.label)}",
            key=f"replace-{prediction_id}",
            on_click=store,
            kwargs={"replaces": standing.label, "label": last.label},
        )


def _show_code(sources: Sources, picture: Picture, names: Sequence[str]) -> None:
    with st.expander("Copy as curl", icon=":material/terminal:"):
        file = picture.name or "digit.png"
        st.code(
            curl_many(sources.settings.public_api_url, names, [file]),
            language="bash",
            wrap_lines=True,
        )
        st.download_button(
            "The picture",
            picture.data,
            file_name=file,
            mime="application/octet-stream",
            icon=":material/download:",
            on_click="ignore",
        )


def _show_consensus(
    picture: Picture | None, view: bytes | None, agreed: Consensus, task: str | None, key: str
) -> None:
    """Show what one task's experiments agree on.

    picture, view (what the models see of it): None where they stand above; task: its name, None for
    the only one.
    """
    is_sign = len(agreed.label) <= LONGEST_SIGN
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        if picture is not None and picture.name is not None:
            try:
                st.image(make_thumbnail(picture.data), width=96, alt="The picture")
            except ThumbnailError:
                st.markdown(":material/image:")
        with st.container(
            key=f"consensus-{'sign' if is_sign else 'word'}-{key}", width=110 if is_sign else 130
        ):
            st.header(plain(agreed.label), anchor=False)
        with st.container(gap=None, width="stretch"):
            if picture is not None and picture.name is not None:
                st.caption(plain(picture.name))
            if task is not None:
                st.caption(f"Task {task}")
            st.markdown(_verdict(agreed))
            if agreed.is_unsure:
                st.badge(
                    f"Unsure: probability {percent(agreed.confidence)} on average",
                    icon=":material/help:",
                    color="orange",
                )
            else:
                st.markdown(
                    f"Probability {percent(agreed.confidence)}{' on average' if agreed.voters > 1 else ''}"
                )
            for label, names in agreed.dissent.items():
                st.caption(f"**{plain(label)}** according to {some(names)}")
        if view is not None:
            with st.container(width=104, gap=None, key=f"view-{key}"):
                st.image(view, width=96, alt="What the models see, 28 by 28 pixels")
                st.caption("The models see")


def _verdict(agreed: Consensus) -> str:
    if agreed.voters == 1:
        return "**One experiment answered**"
    if agreed.votes == agreed.voters:
        return f"**All {agreed.voters} experiments agree**"
    return f"**{agreed.votes} of {agreed.voters} experiments agree**"


def _show_details(answers: Sequence[Answer], agreed: Consensus | None) -> None:
    given = {
        answer.experiment: answer.prediction for answer in answers if answer.prediction is not None
    }
    probabilities = {name: prediction.probabilities for name, prediction in given.items()}
    if len(given) == 1:
        st.echarts_chart(
            options.probability_bars(next(iter(probabilities.values()))),
            height=220,
            alt="Probability of each label",
        )
    elif given:
        st.echarts_chart(
            options.probability_heat_map(probabilities, dark=st.context.theme.type == "dark"),
            height=options.heat_map_height_pixels(len(given)),
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
            "confidence": st.column_config.ProgressColumn(
                "Confidence", format="%.1f %%", min_value=0, max_value=100, width=130
            ),
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
                    column: st.column_config.NumberColumn(column, format="%.4f", width=70)
                    for column in table.columns[1:]
                },
            )


def _show_silent(chosen: Sequence[str], reading: CachedResult[dict[str, Model]]) -> None:
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
