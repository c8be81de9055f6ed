"""Artifacts of the Run page: images and text that training code logged."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from web.components.thumbnail import ThumbnailError, make_thumbnail
from web.data.api_types import ApiProblemError, ApiUnreachableError
from web.data.tracking.types import Artifact, Run
from web.formatting import escape_markdown, format_size
from web.sources import Sources

# Images that show at once. Others are chosen.
MAX_IMAGES = 6
IMAGE_SIDE = 640
SHOWN_PIXELS = 320
# Characters of a text that show. The download has all.
MAX_CHARACTERS = 20_000


def show_artifacts(sources: Sources, run: Run) -> None:
    """Show the images, one chosen file, and the list with the refused ones."""
    result = sources.tracking.artifacts(run.id)
    artifacts = result.value
    if artifacts is None:
        st.caption(result.problem or "")
        return
    if not artifacts:
        st.caption("The training code logged no files.")
        return
    stored = [one for one in artifacts if one.refused is None]
    images = [one for one in stored if one.media_type.startswith("image/")][:MAX_IMAGES]
    with st.container(horizontal=True, gap="small"):
        for one in images:
            with st.container(width=SHOWN_PIXELS, gap=None):
                _show_image(sources, run, one)
    _show_chosen(sources, run, [one for one in stored if one not in images])
    refused = [one for one in artifacts if one.refused is not None]
    if refused:
        st.markdown("**Not stored**")
        st.dataframe(
            pd.DataFrame(
                [(one.path, format_size(one.bytes), one.refused) for one in refused],
                columns=["path", "size", "reason"],
            ),
            hide_index=True,
            alt="Files that were not stored, with the reason",
            column_config={
                "path": st.column_config.TextColumn("File", width=200),
                "size": st.column_config.TextColumn("Size", width=90),
                "reason": st.column_config.TextColumn("Reason"),
            },
        )


def _show_chosen(sources: Sources, run: Run, files: Sequence[Artifact]) -> None:
    if not files:
        return
    sizes = {one.path: one for one in files}
    path = st.selectbox(
        "File",
        list(sizes),
        format_func=lambda one: f"{one} ({format_size(sizes[one].bytes)})",
        width=480,
        key=f"artifact-{run.id}",
    )
    if path is None:
        return
    if sizes[path].media_type.startswith("image/"):
        _show_image(sources, run, sizes[path])
        return
    content = _read(sources, run, path)
    if content is not None:
        text = content.decode("utf-8", "replace")
        st.code(text[:MAX_CHARACTERS], language=None, wrap_lines=True)
        if len(text) > MAX_CHARACTERS:
            st.caption(f"The first {MAX_CHARACTERS:,} of {len(text):,} characters.")


def _show_image(sources: Sources, run: Run, artifact: Artifact) -> None:
    content = _read(sources, run, artifact.path)
    if content is None:
        return
    try:
        st.image(make_thumbnail(content, IMAGE_SIDE), alt=f"Artifact {artifact.path}")
    except ThumbnailError as error:
        st.caption(escape_markdown(str(error)))
    st.caption(escape_markdown(artifact.path))


def _read(sources: Sources, run: Run, path: str) -> bytes | None:
    """Return the content of a file, or show the reason why it is not stored."""
    try:
        return sources.tracking_api.artifact(run.name, path)
    except (ApiUnreachableError, ApiProblemError) as error:
        st.caption(f"{escape_markdown(path)}: {escape_markdown(str(error))}")
        return None
