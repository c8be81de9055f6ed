"""Discordant images: those that only the candidate or only the champion reads, side by side."""

from collections.abc import Sequence

import streamlit as st

from web.components.thumbnail import ThumbnailError, make_thumbnail
from web.data.learning.types import Comparison, DiscordantImage
from web.formatting import escape_markdown, pluralize
from web.sources import Sources

# Images per side, until "Show more".
FIRST, ALL = 12, 100


def show_discordant(sources: Sources, comparison: Comparison, opponent: str) -> None:
    """Show the images that exactly one of both models reads, nothing without any.

    Args:
        sources: sources of the images.
        comparison: the comparison.
        opponent: what the candidate was compared with, such as `champion`.

    """
    if not comparison.discordant:
        return
    st.header("Images that only one reads", anchor=False)
    by_candidate = [one for one in comparison.discordant if one.candidate == one.label]
    by_champion = [one for one in comparison.discordant if one.champion == one.label]
    limit = ALL if st.session_state.get("all_discordant") else FIRST
    shown = [*by_candidate[:limit], *by_champion[:limit]]
    files = dict(
        zip(
            [one.digest for one in shown],
            sources.images.get([one.digest for one in shown]),
            strict=True,
        )
    )
    left, right = st.columns(2, gap="large")
    with left:
        _show_side(
            f"**Only the candidate** reads {comparison.only_candidate:,}",
            [(one, one.champion) for one in by_candidate[:limit]],
            files,
            opponent,
        )
    with right:
        _show_side(
            f"**Only the {opponent}** reads {comparison.only_champion:,}",
            [(one, one.candidate) for one in by_champion[:limit]],
            files,
            "candidate",
        )
    missing = sum(data is None for data in files.values())
    with st.container(horizontal=True, vertical_alignment="center"):
        if missing:
            where = (
                "Set `MNIST_PATH` to see the test images."
                if sources.settings.mnist_path is None
                else "Their originals are deleted, or the API is down."
            )
            st.caption(f"{pluralize(missing, 'image')} cannot be shown. {where}")
        stored = len(comparison.discordant)
        total = comparison.only_candidate + comparison.only_champion
        if total > stored:
            st.caption(f"The run has stored the first {stored} of {pluralize(total, 'image')}.")
        if max(len(by_candidate), len(by_champion)) > limit:
            st.button("Show all", on_click=lambda: st.session_state.update(all_discordant=True))


def _show_side(
    title: str,
    images: Sequence[tuple[DiscordantImage, str]],
    files: dict[str, bytes | None],
    wrong_model: str,
) -> None:
    """Show images with their label and the wrong label of the other model."""
    st.markdown(title)
    with st.container(horizontal=True, gap="small", key=f"view-wrong-{wrong_model}"):
        for image, wrong in images:
            with st.container(width=64, gap=None):
                data = files.get(image.digest)
                try:
                    if data is None:
                        raise ThumbnailError("Not stored.")
                    st.image(
                        make_thumbnail(data),
                        width=56,
                        alt=f"{image.label}, read as {wrong} by the {wrong_model}",
                    )
                except ThumbnailError:
                    st.markdown(":material/hide_image:")
                st.caption(f"**{escape_markdown(image.label)}**, not {escape_markdown(wrong)}")
