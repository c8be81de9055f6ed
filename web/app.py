"""The frame of the dashboard: navigation, title, status strip and the choice of experiments.

Run from the project root with `python -m streamlit run web/app.py`; with the bare command the
package web is not found.
"""

from collections.abc import Iterable
from pathlib import Path

import streamlit as st

from servicekit.trusted_hosts import TrustedHosts
from web.components.error_boundary import contained
from web.components.experiment_picker import CHOICES as SELECTION_CHOICES
from web.components.experiment_picker import pick
from web.components.status_strip import show_strip
from web.data.api_client import Model
from web.data.stale_cache import CachedResult
from web.formatting import count
from web.sources import sources
from web.views import compare, evaluate, leaderboard, models, predict

NAME = "ML Ops Starter"
HERE = Path(__file__).parent
FOREIGN = (
    "This dashboard does not know the name by which it was opened. Open it by an address or as `localhost`, "
    "or let whoever runs it list the name in `ALLOWED_HOSTS`."
)


def main() -> None:
    """Draw the frame, then the page that the URL names."""

    def show_leaderboard() -> None:
        leaderboard.show(found, selection, {"Compare": compare_page, "Predict": predict_page})

    def show_compare() -> None:
        compare.show(found, selection)

    def show_predict() -> None:
        predict.show(found, selection)

    def show_evaluate() -> None:
        evaluate.show(found)

    def show_models() -> None:
        models.show(found)

    leaderboard_page = st.Page(show_leaderboard, title="Leaderboard", default=True)
    compare_page = st.Page(show_compare, title="Compare", url_path="compare")
    predict_page = st.Page(show_predict, title="Predict", url_path="predict")
    evaluate_page = st.Page(show_evaluate, title="Evaluate", url_path="evaluate")
    models_page = st.Page(show_models, title="Models", url_path="models")
    choices = {
        leaderboard_page: (*SELECTION_CHOICES, *leaderboard.CHOICES),
        compare_page: (*SELECTION_CHOICES, *compare.CHOICES),
        predict_page: (*SELECTION_CHOICES, *predict.CHOICES),
        evaluate_page: evaluate.CHOICES,
        models_page: models.CHOICES,
    }
    page = st.navigation(list(choices), position="top")
    _keep({key for keys in choices.values() for key in keys}.difference(choices[page]))
    # Own pictures: for the tab of a page with an emoji or material icon Streamlit fetches one from
    # the network.
    st.set_page_config(
        page_title=f"{page.title} \N{MIDDLE DOT} {NAME}", page_icon=HERE / "icon.svg", layout="wide"
    )
    st.logo(HERE / "icon.svg", size="large")
    st.html(HERE / "style.css")
    with contained("The dashboard"):
        found = sources()
        host = (st.context.headers.get("Host") or "").encode("latin-1", "replace")
        if not TrustedHosts(found.settings.allowed_hosts).admits(host):
            st.error(FOREIGN, icon=":material/block:")
            st.stop()
        with st.container(
            horizontal=True,
            vertical_alignment="center",
            horizontal_alignment="distribute",
            key="headline",
        ):
            st.title(page.title, anchor=False, width="content")
            if page is not predict_page:
                _link_to_predict(predict_page, found.models())
        show_strip(found)
        if page in (leaderboard_page, compare_page, predict_page):
            snapshot = found.snapshot().value
            # Chosen here and not in a page: what belongs to the frame keeps its place in the URL
            # from page to page.
            selection = pick(None if snapshot is None else snapshot.task_of, page.title)
        with contained(f"The page {page.title}"):
            page.run()


def _keep(keys: Iterable[str]) -> None:
    """Keep what is chosen on other pages.

    Streamlit forgets the state of every widget that a page does not show.
    """
    for key in keys:
        if key in st.session_state:
            st.session_state[key] = st.session_state[key]


def _link_to_predict(page: st.Page, models: CachedResult[dict[str, Model]]) -> None:
    """Show the call to action.

    Who follows it asks every model, as the chosen experiments may have none.
    """
    ready = (
        0
        if models.problem
        else sum(model.state == "READY" for model in (models.value or {}).values())
    )
    promise = (
        f"{count(ready, 'model')} {'answers' if ready == 1 else 'answer'}"
        if ready
        else "see what the models say"
    )
    st.page_link(
        page,
        label=f":primary[**Draw a digit: {promise}**]",
        icon=":material/draw:",
        query_params={"all": "true"} if ready else None,
    )


main()
