"""Evaluate.

How good a model is on labelled images, where it errs, and how it differs from another one.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from evaluation.metrics import Predictions, Report, compare, evaluate, hardest, in_cell
from web.charts.evaluation import (
    cell_of,
    confusion_heat_map,
    confusion_height_pixels,
    reliability_diagram,
)
from web.components.thumbnail import ThumbnailError, make_thumbnail
from web.data.api_client import Version
from web.data.stale_cache import CachedResult
from web.evaluation.labeled_sets import (
    InvalidSetError,
    LabeledSet,
    fit,
    foreign,
    mnist_test_set,
    read_zip,
    rendered_digits,
)
from web.evaluation.runner import Run
from web.formatting import count, percent, plain, some
from web.sources import Sources
from web.tables.model_registry import named, order

# The sets, as the URL has them: ?set=your+zip
RENDERED, ZIP = "rendered digits", "your zip"
MNIST = {"MNIST 1,000": 1_000, "MNIST 10,000": 10_000}
NOBODY = "nobody"
# Keys of the widgets and their names in the URL; the last two are a cell of the confusion matrix.
SET, MODEL, OTHER, TRUE, READ = "set", "model", "vs", "true", "read"
CHOICES = (SET, MODEL, OTHER, TRUE, READ)
RUN = "evaluation"
MAX_ZIP_MEGABYTES = 32
LOOK_EVERY_SECONDS = 0.5
GALLERY = 24
# Of the p-value below which models are called different.
SIGNIFICANT = 0.05


def show(sources: Sources) -> None:
    """Draw the page."""
    reading = sources.versions()
    if reading.problem is not None:
        _show_api_down(sources, reading)
    ready = [version for version in order(reading.value or []) if version.state == "READY"]
    if not ready:
        if reading.problem is None:
            st.info(
                "No model is ready yet. The page Models says how they are.",
                icon=":material/deployed_code:",
            )
        return
    labelled, model, other = _show_choice(sources, ready)
    if labelled is None:
        return
    fitted = fit(labelled, model.classes)
    if fitted is None:
        st.warning(
            f"{plain(model.label)} tells {some(model.classes)} apart; the set also has {some(foreign(labelled, model.classes))}.",
            icon=":material/help:",
            title="The set has labels that the model cannot give",
        )
        return
    models = [model] if other is None else [model, other]
    _show_set(labelled)
    verdicts = [sources.evaluator.verdict(each, fitted) for each in models]
    _show_run(
        sources, models, fitted, is_complete=None not in verdicts, is_up=reading.problem is None
    )
    if verdicts[0] is not None:
        _show_report(fitted, model, verdicts[0])
        if other is not None and len(verdicts) > 1 and verdicts[1] is not None:
            _show_agreement(fitted, [model, other], [verdicts[0], verdicts[1]])
        _show_images(fitted, verdicts[0])


def _show_api_down(sources: Sources, reading: CachedResult[list[Version]]) -> None:
    st.error(
        f"{reading.problem} What was evaluated before can be looked at meanwhile.",
        icon=":material/cloud_off:",
        title="The inference API is down",
    )
    if st.button("Retry", icon=":material/refresh:"):
        sources.retry()
        st.rerun()


def _show_choice(
    sources: Sources, ready: Sequence[Version]
) -> tuple[LabeledSet | None, Version, Version | None]:
    labels = [version.label for version in ready]
    # What answers to a bare name may be linked by its version, too.
    linked = st.query_params.get(MODEL)
    if linked is not None and linked not in labels and named(linked, ready) is not None:
        labels.append(linked)
    sets = [RENDERED, *(MNIST if sources.settings.mnist_path else ()), ZIP]
    with st.container(horizontal=True, vertical_alignment="bottom", key="evaluate_choice"):
        chosen = st.selectbox("Labelled images", sets, key=SET, bind="query-params", width=210)
        model = (
            named(
                str(st.selectbox("Model", labels, key=MODEL, bind="query-params", width=360)), ready
            )
            or ready[0]
        )
        rivals = [
            each.label for each in ready if each.classes == model.classes and each is not model
        ]
        held = st.session_state.get(OTHER)
        if held is not None and held not in (NOBODY, *rivals):
            del st.session_state[OTHER]
        rival = st.selectbox(
            "Compare with", [NOBODY, *rivals], key=OTHER, bind="query-params", width=360
        )
    try:
        labelled = _labelled(str(chosen), sources.settings.mnist_path)
    except InvalidSetError as problem:
        st.error(
            plain(str(problem)), icon=":material/folder_off:", title="These images cannot be used"
        )
        labelled = None
    return labelled, model, named(str(rival), ready)


def _labelled(chosen: str, mnist_path: Path | None) -> LabeledSet | None:
    """Return the chosen set, None while no zip is uploaded. Raises InvalidSetError."""
    if chosen in MNIST and mnist_path is not None:
        return _mnist(mnist_path, MNIST[chosen])
    if chosen != ZIP:
        return _rendered()
    upload = st.file_uploader(
        "Zip file of labelled images",
        type=["zip"],
        max_upload_size=MAX_ZIP_MEGABYTES,
        key="zip",
        help="Images in folders named by their labels (4/a.png), or with a labels.csv of the columns file and label. "
        "At most 2,000 images of 2 MB, 64 MB together.",
    )
    if upload is None:
        st.info(
            "Upload a zip file: images in folders named by their labels, as 4/a.png.",
            icon=":material/folder_zip:",
        )
        return None
    kept: tuple[str, LabeledSet] | None = st.session_state.get("zip_set")
    if kept is None or kept[0] != upload.file_id:
        kept = upload.file_id, read_zip(upload.name, upload.getvalue())
        st.session_state["zip_set"] = kept
    return kept[1]


@st.cache_resource(show_spinner="Rendering digits")
def _rendered() -> LabeledSet:
    return rendered_digits()


@st.cache_resource(show_spinner="Reading MNIST")
def _mnist(path: Path, images: int) -> LabeledSet:
    return mnist_test_set(path, images)


def _show_set(labelled: LabeledSet) -> None:
    note = (
        " of our own making: a font's digits, turned, slanted and noisy. They are no handwriting, so a model may do worse on them "
        "than on its test set."
        if labelled.name == RENDERED
        else "."
    )
    st.caption(
        f"{count(len(labelled.images), 'image')} with {count(len(labelled.counts), 'label')}{note}"
    )
    if labelled.skipped:
        with st.expander(
            f"{count(len(labelled.skipped), 'file')} left out", icon=":material/report:"
        ):
            st.dataframe(
                pd.DataFrame(
                    [(each.file, each.reason) for each in labelled.skipped], columns=["File", "Why"]
                ),
                hide_index=True,
                alt="Files that are left out, with the reason",
            )


def _show_run(
    sources: Sources,
    models: Sequence[Version],
    labelled: LabeledSet,
    *,
    is_complete: bool,
    is_up: bool,
) -> None:
    """Show the button, or how far the run is, or what became of it."""
    run: Run | None = st.session_state.get(RUN)
    if run is not None and not run.ended.is_set():
        _show_progress()
        return
    if run is not None and run.problem is not None:
        st.warning(plain(run.problem), icon=":material/info:")
    if is_complete:
        st.session_state.pop(RUN, None)
        return
    if st.button("Evaluate", type="primary", icon=":material/play_arrow:", disabled=not is_up):
        st.session_state[RUN] = sources.evaluator.start(models, labelled)
        st.rerun()


@st.fragment(run_every=LOOK_EVERY_SECONDS)
def _show_progress() -> None:
    run: Run | None = st.session_state.get(RUN)
    if run is None or run.ended.is_set():
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center"):
        doing = (
            "Stops after this call"
            if run.is_cancelled
            else "Asking"
            if run.is_started
            else "Waiting for other evaluations"
        )
        st.progress(
            run.done / max(1, run.total),
            text=f"{doing}: {run.done:,} of {count(run.total, 'image')}",
            width="stretch",
        )
        if st.button("Cancel", icon=":material/stop:", disabled=run.is_cancelled):
            run.cancel()
            st.rerun(scope="fragment")


def _show_report(labelled: LabeledSet, model: Version, verdict: Predictions) -> None:
    report = evaluate(labelled.labels, verdict)
    if not report.images:
        st.error("The API could read none of these images.", icon=":material/broken_image:")
        return
    with st.container(horizontal=True, gap="large", key="evaluate_numbers"):
        interval = f"{percent(report.interval.low, 1)} to {percent(report.interval.high, 1)}"
        st.metric(
            "Accuracy",
            percent(report.accuracy, 2),
            help="Share of the images that are read rightly.",
            width="content",
        )
        st.metric(
            "95 % interval",
            interval,
            help="Wilson's score interval of the accuracy.",
            width="content",
        )
        st.metric(
            "Macro-F1",
            f"{report.macro_f1:.4f}",
            help="Mean of the labels' F1, each counted the same.",
            width="content",
        )
        st.metric(
            "Calibration error",
            f"{report.calibration_error:.4f}",
            help="Expected calibration error over 15 bins: how far confidence is from accuracy on average.",
            width="content",
        )
    without = (
        f" {count(report.without, 'image')} could not be read by the API and do not count."
        if report.without
        else ""
    )
    st.caption(
        f"{plain(model.label)}: {report.correct:,} of {count(report.images, 'image')} right.{without}"
    )
    left, right = st.columns([1, 1], gap="large")
    with left:
        st.subheader("Confusion matrix", anchor=False)
        _show_confusion(report, verdict.classes)
    with right:
        st.subheader("Calibration", anchor=False)
        st.echarts_chart(
            reliability_diagram(report.bins),
            height=confusion_height_pixels(len(verdict.classes)),
            alt="Accuracy by confidence",
        )
        with st.expander("In numbers"):
            st.dataframe(
                report.bins,
                hide_index=True,
                alt="Bins of confidence with images, mean confidence and accuracy",
            )
    st.subheader("By label", anchor=False)
    _show_per_class(report)


def _show_confusion(report: Report, classes: Sequence[str]) -> None:
    labels = list(classes)
    true, read = st.session_state.get(TRUE), st.session_state.get(READ)

    def choose() -> None:
        selected: Mapping[str, Any] = st.session_state["confusion"]["selection"]
        indices = [
            index
            for series in selected.get("selected", [])
            for index in series.get("data_indices", [])
        ]
        cell = cell_of(indices[0], labels) if indices else None
        if cell is not None:
            st.session_state[TRUE], st.session_state[READ] = cell

    st.echarts_chart(
        confusion_heat_map(
            report.confusion, dark=st.context.theme.type == "dark", chosen=(str(true), str(read))
        ),
        height=confusion_height_pixels(len(labels)),
        key="confusion",
        on_select=choose,
        alt="Images by true label and the label that was read; the select boxes below open a cell",
    )


def _show_per_class(report: Report) -> None:
    table = report.per_class.assign(
        recall=report.per_class["recall"] * 100,
        precision=report.per_class["precision"] * 100,
        interval=[
            "" if pd.isna(low) else f"{percent(low, 1)} to {percent(high, 1)}"
            for low, high in zip(report.per_class["low"], report.per_class["high"], strict=True)
        ],
    )[["label", "images", "recall", "interval", "precision", "f1"]]
    st.dataframe(
        table,
        hide_index=True,
        alt="Accuracy, precision and F1 of each label",
        placeholder="\N{EN DASH}",
        height="content",
        column_config={
            "label": st.column_config.TextColumn("Label", width=70),
            "images": st.column_config.NumberColumn("Images", format="%d", width=80),
            "recall": st.column_config.ProgressColumn(
                "Accuracy",
                format="%.1f %%",
                min_value=0,
                max_value=100,
                width=150,
                help="Share of the label's images that are read rightly.",
            ),
            "interval": st.column_config.TextColumn("95 % interval", width=140),
            "precision": st.column_config.NumberColumn("Precision", format="%.1f %%", width=90),
            "f1": st.column_config.NumberColumn("F1", format="%.4f", width=80),
        },
    )


def _show_agreement(
    labelled: LabeledSet, models: Sequence[Version], verdicts: Sequence[Predictions]
) -> None:
    reports = [evaluate(labelled.labels, verdict) for verdict in verdicts]
    agreement = compare(labelled.labels, verdicts[0], verdicts[1])
    first, second = (plain(model.label) for model in models)
    st.subheader("Agreement", anchor=False)
    st.dataframe(
        pd.DataFrame(
            {
                "Model": [model.label for model in models],
                "Accuracy": [report.accuracy * 100 for report in reports],
                "Macro-F1": [report.macro_f1 for report in reports],
                "Calibration error": [report.calibration_error for report in reports],
                "Right alone": [agreement.only_first, agreement.only_second],
            }
        ),
        hide_index=True,
        alt="Both models beside each other",
        column_config={
            "Model": st.column_config.TextColumn(width=330),
            "Accuracy": st.column_config.NumberColumn(format="%.2f %%"),
            "Macro-F1": st.column_config.NumberColumn(format="%.4f"),
            "Calibration error": st.column_config.NumberColumn(format="%.4f"),
            "Right alone": st.column_config.NumberColumn(
                format="%d", help="Images that this one reads rightly and the other does not."
            ),
        },
    )
    share = percent(agreement.same / agreement.images, 1) if agreement.images else "none"
    st.markdown(
        f"They give the same label to {share} of the images: {agreement.both:,} right by both, {agreement.neither:,} by neither."
    )
    p_value = f"p = {agreement.p_value:.2g}"
    if agreement.p_value < SIGNIFICANT:
        better = first if agreement.only_first > agreement.only_second else second
        st.markdown(f"**{better} is better on these images** ({p_value}, McNemar's exact test).")
    else:
        st.markdown(
            f"These images do not tell which of {first} and {second} is better ({p_value}, McNemar's exact test)."
        )


def _show_images(labelled: LabeledSet, verdict: Predictions) -> None:
    st.subheader("Images", anchor=False)
    any_label = "any"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for key in (TRUE, READ):
            if st.session_state.get(key) not in (None, any_label, *verdict.classes):
                del st.session_state[key]
        options = [any_label, *verdict.classes]
        true = st.selectbox("True label", options, key=TRUE, bind="query-params", width=150)
        read = st.selectbox("Read as", options, key=READ, bind="query-params", width=150)
        st.caption("Or click a cell of the confusion matrix.")
    if true == any_label and read == any_label:
        places, what = (
            hardest(labelled.labels, verdict),
            "The hardest: those whose true label gets the least probability come first.",
        )
    else:
        trues = verdict.classes if true == any_label else [str(true)]
        reads = verdict.classes if read == any_label else [str(read)]
        places = [
            place
            for one in trues
            for other in reads
            for place in in_cell(labelled.labels, verdict, one, other)
        ]
        what = "The most confident first."
    if not places:
        st.info("No image is in this cell.", icon=":material/grid_view:")
        return
    # More are shown by and by; another choice begins anew.
    asked: tuple[object, int] = st.session_state.get("gallery", ((), GALLERY))
    choice = (labelled.digest, true, read)
    shown = asked[1] if asked[0] == choice else GALLERY
    _show_gallery(labelled, verdict, places[:shown])
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{min(shown, len(places)):,} of {count(len(places), 'image')}. {what}")
        if shown < len(places) and st.button(f"Show {min(GALLERY, len(places) - shown)} more"):
            st.session_state["gallery"] = (choice, shown + GALLERY)
            st.rerun()


def _show_gallery(labelled: LabeledSet, verdict: Predictions, places: Sequence[int]) -> None:
    given = verdict.labels
    with st.container(horizontal=True, gap="small", key="gallery_images"):
        for place in places:
            with st.container(width=84, gap=None):
                try:
                    st.image(
                        make_thumbnail(labelled.images[place]),
                        width=72,
                        alt=f"An image of {labelled.labels[place]}",
                    )
                except ThumbnailError:
                    st.markdown(":material/image:")
                right = given[place] == labelled.labels[place]
                confidence = percent(float(verdict.shares[place].max()))
                st.caption(
                    f"{plain(labelled.labels[place])} {'is' if right else 'read as'} **{plain(str(given[place]))}**, {confidence}"
                    if not right
                    else f"**{plain(labelled.labels[place])}**, {confidence}"
                )
