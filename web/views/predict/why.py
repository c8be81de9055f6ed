"""Why on the Predict page: the occlusion maps of the selected models side by side."""

import hashlib
from collections.abc import Sequence

import numpy as np
import streamlit as st

from web.charts.diagnostics.occlusion_picture import full_drop, occlusion_picture
from web.components.outage import show_api_down
from web.components.status_strip import request_rerun
from web.data.api_types import ApiProblemError, ApiUnreachableError, Model
from web.data.diagnostics.explanations import MAX_MODELS, Explanation, OcclusionMap, explain
from web.formatting import escape_markdown, format_percent, format_points, join_names
from web.link_values import check_flag
from web.sources import Sources

# The widget's key, which is also the URL parameter.
WHY = "why"
# Below this drop, a map has no patch worth a number.
NEGLIGIBLE = 0.005


def show_why(sources: Sources, image: bytes, models: Sequence[Model]) -> None:
    """Show the switch, and the maps of an image file if it is on."""
    check_flag(WHY)
    is_on = st.toggle(
        "Why: parts of the digit that each answer needs",
        key=WHY,
        bind="query-params",
        help="Covers 4 x 4 of the 28 x 28 pixels at 169 places, one at a time, and measures how"
        " much probability the answer loses.",
    )
    if not is_on:
        return
    try:
        explanation = _explanation(sources, image, models[:MAX_MODELS])
    except ApiUnreachableError as error:
        request_rerun()
        show_api_down(
            sources.describe_api_error(error),
            sources.retry,
            consequence="The maps appear when the API is back.",
        )
        return
    except ApiProblemError as problem:
        st.warning(
            escape_markdown(problem.detail or problem.title),
            icon=":material/help:",
            title="No maps for this image",
        )
        return
    _show_maps(explanation)
    if len(models) > MAX_MODELS:
        st.caption(f"The first {MAX_MODELS} of {len(models):,} models. Select fewer for the rest.")


def _explanation(sources: Sources, image: bytes, models: Sequence[Model]) -> Explanation:
    """Return the maps; the session keeps the last ones, so that a rerun asks for nothing again."""
    key = (
        hashlib.sha256(image).digest(),
        tuple((model.name, model.digest) for model in models),
    )
    kept: tuple[object, Explanation] | None = st.session_state.get("explanation")
    if kept is None or kept[0] != key or kept[1].problems:
        kept = key, explain(sources.api, image, [model.name for model in models])
        st.session_state["explanation"] = kept
    return kept[1]


def _show_maps(explanation: Explanation) -> None:
    full = full_drop([one.drops for one in explanation.maps])
    dark = st.context.theme.type == "dark"
    if explanation.maps:
        st.caption(
            "**Orange** carries the answer: without it, the answer loses probability. **Blue**"
            f" speaks against it. Full color is a change of {100 * full:.0f} points, for all"
            " models."
        )
    with st.container(horizontal=True, gap="small", key="why_maps"):
        for one in explanation.maps:
            with st.container(width=150, gap=None):
                st.image(
                    occlusion_picture(
                        explanation.pixels,
                        one.drops,
                        patch=explanation.patch,
                        stride=explanation.stride,
                        full=full,
                        dark=dark,
                    ),
                    width=144,
                    alt=f"Occlusion map of {one.experiment}: {describe(one)}",
                )
                st.markdown(f"**{escape_markdown(one.label)}**, {format_percent(one.confidence)}")
                name = escape_markdown(one.experiment.replace("_", "_\N{ZERO WIDTH SPACE}"))
                st.caption(f"{name}  \n{describe(one)}")
    for name, problem in explanation.problems:
        st.caption(f"{join_names([name])}: {escape_markdown(problem.detail or problem.title)}")


def describe(one: OcclusionMap) -> str:
    """Return the strongest effect of one patch, such as that of a drop by 43 points."""
    strongest = one.drops.ravel()[np.abs(one.drops).argmax()]
    if abs(strongest) < NEGLIGIBLE:
        return "no single patch matters"
    return f"one patch {format_points(-float(strongest), 0)} points"
