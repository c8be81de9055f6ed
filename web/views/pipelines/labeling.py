"""Label tab of the Pipelines page: one image at a time, one key or tap a label."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from web.components.author import AUTHOR, author_input, remember_author
from web.components.authored_action import fresh_key, submit
from web.components.label_keys import SKIP, UNDO, show_label_keys
from web.components.outage import show_database_down, show_stale_data
from web.components.thumbnail import ThumbnailError, make_thumbnail
from web.data.api_types import ApiProblemError, ApiUnreachableError
from web.data.learning.data_types import LabelQueue, LabelRequest
from web.formatting import escape_markdown, pluralize
from web.sources import Sources
from web.tables.pipeline_data import describe_waiting
from web.views.pipelines.task_picker import pick_task

# Key of the widget
AUTHOR_KEY = "label_author"
WHY = {
    "disagreement": "Champion and candidate disagree on it",
    "random": "Drawn at random",
    "novel": "Unlike the training images",
}
DEFAULT_IMAGES, MAX_IMAGES = 50, 1000
IMAGE_SIDE = 280
# Images read ahead, so that the next one shows at once.
READ_AHEAD = 4
# Session keys: labels that can be undone, requests done in this session, and the last failure.
_DONE, _FAILURE = "labels_done", "label_failure"


@dataclass(frozen=True)
class _Answer:
    """Label of this session."""

    request: LabelRequest
    label: str


def show(sources: Sources) -> None:
    """Draw the tab."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        task = pick_task(sources)
        author = author_input(AUTHOR_KEY, width=160)
        remember_author(author)
        _show_ask(sources, task)
    result = sources.learning.label_queue(task)
    queue = result.value
    if queue is None:
        show_database_down(result.problem, sources.retry, title="No label requests to show")
        return
    if result.is_stale:
        show_stale_data(result.problem)
    _show_progress(queue)
    if not queue.requests:
        st.info(
            "Press *Ask for images* to label predicted images at random. A run asks by itself for"
            " images on which champion and candidate disagree.",
            icon=":material/label:",
            title="No images to label",
        )
    if not author.strip():
        if queue.requests:
            st.info("Fill in your name to start.", icon=":material/person:")
        return
    _show_image(sources, queue, author.strip())


def _show_progress(queue: LabelQueue) -> None:
    total = queue.open + queue.answered + queue.skipped
    if total:
        skipped = f", {queue.skipped:,} skipped" if queue.skipped else ""
        st.progress(
            (queue.answered + queue.skipped) / total,
            text=f"**{queue.answered:,} of {total:,}** labeled{skipped}",
        )
    if queue.waiting:
        st.caption(f"{describe_waiting(queue.waiting)}.")


def _show_image(sources: Sources, queue: LabelQueue, author: str) -> None:
    done: list[_Answer] = st.session_state.setdefault(_DONE, [])
    failure = st.session_state.pop(_FAILURE, None)
    if failure is not None:
        st.warning(failure, icon=":material/error:", title="Not stored")
    if not queue.requests and not done:
        return
    request = queue.requests[0] if queue.requests else None
    image, keys = st.columns([1, 1], gap="large")
    if request is not None:
        with image:
            _show_picture(sources, queue.requests, request)
    with keys:
        pressed = show_label_keys(
            "label_keys",
            request.classes if request is not None else (),
            request=0 if request is None else request.id,
            can_undo=bool(done),
        )
        if done:
            st.caption(f"Last: **{escape_markdown(done[-1].label)}**")
    if pressed is not None:
        _act(sources, request, done, pressed, author)


def _show_picture(
    sources: Sources, requests: Sequence[LabelRequest], request: LabelRequest
) -> None:
    files = sources.images.get([one.image_digest for one in requests[:READ_AHEAD]])
    with st.container(key="view-label", gap="small"):
        try:
            if files[0] is None:
                raise ThumbnailError("Not stored.")
            st.image(make_thumbnail(files[0]), width=IMAGE_SIDE, alt="Image to label")
        except ThumbnailError:
            st.info("The original is not available. Skip it.", icon=":material/hide_image:")
        st.caption(WHY.get(request.why, request.why))


def _act(
    sources: Sources,
    request: LabelRequest | None,
    done: list[_Answer],
    pressed: str,
    author: str,
) -> None:
    """Store, skip or undo a label, and show the next image."""
    api = sources.learning_api
    try:
        if pressed == UNDO:
            if done:
                api.withdraw(done[-1].request.prediction_id, by=author)
                done.pop()
        elif request is not None and pressed == SKIP:
            api.skip(request.id, by=author)
        elif request is not None and pressed in request.classes:
            api.answer(request.prediction_id, pressed, labelled_by=author, request=request.id)
            done.append(_Answer(request, pressed))
    except ApiUnreachableError:
        st.session_state[_FAILURE] = (
            "The inference API does not respond. Press again when it is back."
        )
    except ApiProblemError as problem:
        st.session_state[_FAILURE] = (
            f"{escape_markdown(problem.detail or problem.title)} Skip the image, or press again."
        )
    sources.learning.expire()
    st.rerun()


def _show_ask(sources: Sources, task: str) -> None:
    with (
        st.popover(
            "Ask for images",
            icon=":material/add_photo_alternate:",
            key=fresh_key("ask_popover"),
        ),
        st.form(fresh_key("ask"), border=False),
    ):
        st.markdown("Draws predicted images at random, without a label, that are stored.")
        images = st.number_input("Images", 1, MAX_IMAGES, DEFAULT_IMAGES)
        author = author_input()

        def ask() -> str:
            asked = sources.learning_api.request_labels(task, int(images), by=author.strip())
            return (
                f"{pluralize(asked, 'image')} to label"
                if asked
                else "No further images: each stored one has a label or was asked for"
            )

        if st.form_submit_button("Ask", type="primary"):
            submit(sources, {AUTHOR: author}, ask, failure="No images asked for")
