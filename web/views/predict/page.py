"""Predict page: inputs on the left, predictions of the selected models on the right."""

from collections.abc import Mapping, Sequence
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from web.components.code_snippets import curl_many
from web.components.experiment_picker import Selection
from web.components.outage import show_api_down
from web.components.status_strip import request_rerun
from web.data.api_types import ApiProblemError, ApiUnreachableError, Model, warnings_of
from web.data.consensus import group_by_task
from web.data.prediction_cache import PredictionCache
from web.data.queries import Snapshot
from web.data.stale_cache import CachedResult
from web.formatting import join_names, pluralize
from web.link_values import check_flag
from web.sources import Sources
from web.tables.leaderboard_table import serving_state
from web.views.predict.gallery import show_gallery, show_image_problem
from web.views.predict.inputs import SAMPLE, InputImage, is_upload_open, show_inputs
from web.views.predict.results import show_results
from web.views.predict.voters import Voters, find_voters
from web.views.predict.why import WHY, show_why

# The widgets' keys, which are also the URL parameters.
ALL = "all"
WIDGET_KEYS = (ALL, SAMPLE, WHY)


def show(sources: Sources, selection: Selection) -> None:
    """Draw the page."""
    result = sources.models()
    snapshot = sources.snapshot().value
    found = result.value or {}
    archived = set() if snapshot is None else snapshot.archived
    # Archived experiments answer only if they are picked.
    models = {name: model for name, model in found.items() if name not in archived}
    ready_count = sum(model.state == "READY" for model in models.values())
    check_flag(ALL)
    use_all = st.toggle(
        _describe_all(ready_count),
        key=ALL,
        bind="query-params",
        help="Instead of the experiments selected above.",
    )
    names = _newest_first(models, snapshot) if use_all else list(selection.names)
    ready = [found[name] for name in names if name in found and found[name].state == "READY"]
    if selection.unknown and not use_all:
        st.warning(f"Not in the database: {join_names(selection.unknown)}.", icon=":material/help:")
    left, right = st.columns([2, 3], gap="large")
    below = st.container()
    with left:
        images = show_inputs()
    with right:
        if result.problem is not None:
            _show_api_down(sources, result.problem)
        elif not names and not use_all:
            st.info("Pick experiments above, or use all models.", icon=":material/checklist:")
        elif not ready:
            _show_no_models(ready_count, use_all=use_all)
        elif not images:
            _show_hint(len(ready))
        else:
            voters = find_voters(sources, ready)
            asks_all = use_all and len(models) == len(found)
            _show_predictions(sources, images, voters, below, asks_all=asks_all)
    _show_skipped(names, result)


def _newest_first(models: Mapping[str, Model], snapshot: Snapshot | None) -> list[str]:
    """Return every model in the order of the experiments, then those without one, by name."""
    known = [] if snapshot is None else list(snapshot.experiments["experiment"])
    return [name for name in known if name in models] + sorted(set(models) - set(known))


def _show_api_down(sources: Sources, problem: str) -> None:
    show_api_down(
        problem,
        sources.retry,
        consequence="Your image stays here. The predictions appear when the API is back.",
    )


def _show_no_models(ready_count: int, *, use_all: bool) -> None:
    hint = (
        f"Switch on *{_describe_all(ready_count)}*."
        if ready_count
        else "Add a model to `models/` in a folder named by its experiment."
    )
    st.info(
        f"{'No model' if use_all else 'None of the selected experiments has a model that'} is"
        f" ready. {hint}",
        icon=":material/deployed_code:",
        title="No models available",
    )


def _show_hint(model_count: int) -> None:
    st.info(
        f"{pluralize(model_count, 'model')} ready. Draw a digit from 0 to 9, upload images or pick"
        " a sample digit.",
        icon=":material/gesture:",
        title="Upload images to see predictions"
        if is_upload_open()
        else "Draw a digit to see predictions",
    )


def _show_predictions(
    sources: Sources,
    images: Sequence[InputImage],
    voters: Voters,
    below: DeltaGenerator,
    *,
    asks_all: bool,
) -> None:
    """Show the predictions, and in the full width `below` why the models answer so.

    asks_all: whether the models are all models of the service.
    """
    cache = st.session_state.setdefault(
        "prediction_cache", PredictionCache(partial(sources.api.predict, view=True))
    )
    try:
        predicted = iter(
            cache.predict([image.data for image in images if image.problem is None], voters.models)
        )
    except ApiUnreachableError as error:
        request_rerun()
        _show_api_down(sources, sources.describe_api_error(error))
        return
    results = [image.problem or next(predicted) for image in images]
    task_of = {model.name: model.task for model in voters.models}
    index = 0 if len(images) == 1 else show_gallery(images, results, task_of, voters.unfit)
    image, result = images[index], results[index]
    if isinstance(result, ApiProblemError):
        if len(images) == 1:
            show_image_problem(image, result)
        return
    show_results(
        sources,
        image,
        result,
        group_by_task(result, task_of),
        voters,
    )
    if not warnings_of(result):  # the answers to an image without a digit mean nothing
        with below:
            show_why(sources, image.data, voters.models)
    _show_code(
        sources.settings.public_api_url,
        image,
        ["all"] if asks_all else [model.name for model in voters.models],
    )


def _describe_all(count: int) -> str:
    """Return the label of the switch for all ready models."""
    if count == 1:
        return "Use the only model"
    return f"Use all {count:,} models" if count else "Use all models"


def _show_code(api_url: str, image: InputImage, names: Sequence[str]) -> None:
    with st.expander("Copy as curl", icon=":material/terminal:"):
        file = image.name or "digit.png"
        st.code(curl_many(api_url, names, [file]), language="bash", wrap_lines=True)
        st.download_button(
            "Download image",
            image.data,
            file_name=file,
            mime="application/octet-stream",
            icon=":material/download:",
            on_click="ignore",
        )


def _show_skipped(names: Sequence[str], result: CachedResult[dict[str, Model]]) -> None:
    """Show the selected experiments without a ready model. Not an error for one without a file."""
    if result.value is None or result.problem is not None:
        return
    by_state: dict[str, list[str]] = {}
    for name in names:
        state = serving_state(name, result.value)
        if state != "Ready":
            by_state.setdefault(state, []).append(name)
    for state, skipped in by_state.items():
        reason = "no model file" if state == "No model" else state.lower()
        st.caption(f"Skipped ({reason}): {join_names(skipped)}.")
