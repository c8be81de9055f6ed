"""Set picker of the Evaluate page: rendered digits, a zip file, or MNIST's test set."""

from pathlib import Path

import streamlit as st

from web.evaluations import rendered_digits
from web.evaluations.labeled_set import InvalidSetError, LabeledSet
from web.evaluations.mnist_test_set import mnist_test_set
from web.evaluations.tables import skipped_table
from web.evaluations.zip_reader import read_zip
from web.formatting import escape_markdown, pluralize
from web.link_values import check_options

SET = "set"
# The options, which are also values in the URL: ?set=your+zip
RENDERED, ZIP = rendered_digits.NAME, "your zip"
MNIST = {"MNIST 1,000": 1_000, "MNIST 10,000": 10_000}
MAX_ZIP_MEGABYTES = 32


def pick_set(mnist_path: Path | None) -> str:
    """Show the choice of the set and return its name."""
    options = [RENDERED, *(MNIST if mnist_path else ()), ZIP]
    check_options(SET, options)
    return str(st.selectbox("Labeled images", options, key=SET, bind="query-params", width=210))


def load_set(name: str, mnist_path: Path | None) -> LabeledSet | None:
    """Return a set, None without an upload or with a message about an unusable file."""
    try:
        if name in MNIST and mnist_path is not None:
            return _mnist(mnist_path, MNIST[name])
        return _uploaded() if name == ZIP else _rendered()
    except InvalidSetError as error:
        st.error(escape_markdown(str(error)), icon=":material/folder_off:", title="Unusable images")
        return None


def _uploaded() -> LabeledSet | None:
    """Show the upload and return its set, None without one. Raises InvalidSetError."""
    upload = st.file_uploader(
        "Zip file with labeled images",
        type=["zip"],
        max_upload_size=MAX_ZIP_MEGABYTES,
        key="zip",
        help="Images in folders named by their labels (4/a.png), or with a labels.csv with the"
        " columns file and label. At most 2,000 images of 16 MB, 64 MB in total. Images over 2 MB"
        " are reduced to 2048 pixels.",
    )
    if upload is None:
        st.info(
            "Upload a zip file with images in folders named by their labels, such as 4/a.png.",
            icon=":material/folder_zip:",
        )
        return None
    cached: tuple[str, LabeledSet] | None = st.session_state.get("zip_set")
    if cached is None or cached[0] != upload.file_id:
        cached = upload.file_id, read_zip(upload.name, upload.getvalue())
        st.session_state["zip_set"] = cached
    return cached[1]


@st.cache_resource(show_spinner="Rendering digits")
def _rendered() -> LabeledSet:
    return rendered_digits.rendered_digits()


@st.cache_resource(show_spinner="Reading MNIST")
def _mnist(path: Path, max_images: int) -> LabeledSet:
    return mnist_test_set(path, max_images)


def show_set(labeled_set: LabeledSet) -> None:
    """Show the size of a set and the files that are not in it."""
    note = (
        " Digits of a font, rotated, slanted and noisy. They are not handwriting, so expect a lower"
        " accuracy than on the test set."
        if labeled_set.name == RENDERED
        else ""
    )
    images = pluralize(len(labeled_set.images), "image")
    st.caption(f"{images} with {pluralize(len(labeled_set.counts), 'label')}.{note}")
    if labeled_set.skipped:
        skipped = pluralize(len(labeled_set.skipped), "file")
        with st.expander(f"{skipped} skipped", icon=":material/report:"):
            st.dataframe(
                skipped_table(labeled_set),
                hide_index=True,
                alt="Skipped files with the reason",
            )
