"""Features of the last images of a version against their reference, by predicted class."""

import streamlit as st

from web.charts.monitoring.feature_boxes import HEIGHT_PIXELS, feature_boxes
from web.data.monitoring.types import Reference
from web.formatting import pluralize
from web.link_values import check_options
from web.sources import Sources
from web.tables.monitoring.features import (
    EXPECTED_OUTSIDE,
    MEANINGS,
    FeatureBands,
    feature_bands,
    feature_table,
    most_unusual,
)
from web.tables.monitoring.sentences import name_path
from web.views.monitor.choice import FEATURE, Choice

# By "is the theme dark": reference and recent images
COLORS = {False: ("#7d8f92", "#d9622b"), True: ("#9fb3b6", "#f6955f")}


def show_features(sources: Sources, choice: Choice) -> None:
    """Show the section."""
    if choice.version is None:
        st.caption("No version is watched yet.")
        return
    name, _, version = choice.version.rpartition("@")
    result = sources.monitoring.references(name, int(version))
    if result.value is None:
        st.caption(result.problem or "")
        return
    if not result.value:
        st.caption("This version has no reference yet.")
        return
    shown = False
    for reference in result.value:
        recent = sources.monitoring.recent(name, int(version), reference.path).value
        if recent is None or not recent.labels:
            continue
        bands = feature_bands(reference, recent)
        if bands is not None:
            _show_path(choice, reference, bands, is_first=not shown)
            shown = True
    if not shown:
        st.caption("No image of this version has stored pixels yet.")


def _show_path(
    choice: Choice, reference: Reference, bands: FeatureBands, *, is_first: bool
) -> None:
    count = len(bands.predicted)
    st.markdown(
        f"**Images sent as {name_path(reference.path)}:** the last {pluralize(count, 'image')}"
        f" against {reference.images:,} images of {reference.origin}"
    )
    changed = [
        one.feature
        for alert in choice.alerts
        if alert.path in (reference.path, "all")
        for one in alert.features
    ]
    left, right = st.columns([2, 3], gap="large")
    with left:
        _show_table(bands)
    with right:
        default = most_unusual(bands, changed)
        key = FEATURE if is_first else f"{FEATURE}-{reference.path}"
        if is_first:
            check_options(FEATURE, bands.names)
        if st.session_state.get(key) not in (None, *bands.names):
            del st.session_state[key]
        feature = st.selectbox(
            "Feature",
            list(bands.names),
            index=list(bands.names).index(default),
            key=key,
            width=220,
            bind="query-params" if is_first else None,
        )
        index = bands.names.index(str(feature))
        st.echarts_chart(
            feature_boxes(
                bands.classes,
                bands.bands[index].tolist(),
                bands.recent(index),
                meaning=MEANINGS.get(str(feature), str(feature)),
                colors=COLORS[st.context.theme.type == "dark"],
            ),
            height=HEIGHT_PIXELS,
            alt=f"{feature} of the last images beside its reference, by predicted label; whiskers"
            " from 5 to 95 %",
        )


def _show_table(bands: FeatureBands) -> None:
    st.dataframe(
        feature_table(bands),
        hide_index=True,
        alt="Features with the share of images outside of the reference, most unusual first",
        height=400,
        column_config={
            "feature": st.column_config.TextColumn("Feature", width=95),
            "meaning": None,
            "outside": st.column_config.ProgressColumn(
                "Outside",
                format="%.0f %%",
                min_value=0,
                max_value=100,
                width=100,
                help="Share of the images outside of 5-95 % of their predicted label. Without a"
                f" change about {EXPECTED_OUTSIDE:.0%}.",
            ),
            "reference": st.column_config.NumberColumn("Reference", format="%.3f", width=80),
            "recent": st.column_config.NumberColumn("Recent", format="%.3f", width=80),
        },
    )
