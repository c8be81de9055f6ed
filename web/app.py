"""Frame of the dashboard: navigation, title, status strip and experiment picker.

web/server.py serves it.
"""

from collections.abc import Iterable
from pathlib import Path

import streamlit as st

from servicekit.trusted_hosts import TrustedHosts
from web.components.author import keep_author
from web.components.error_boundary import error_boundary
from web.components.experiment_picker import EVERY, Selection, pick_experiments
from web.components.experiment_picker import SHARED_VALUES as PICKED
from web.components.frame.early_reads import read_early
from web.components.frame.page_skeleton import page_skeleton
from web.components.loss_chart import OLD_LOG
from web.components.status_strip import show_status_strip
from web.formatting import pluralize
from web.sources import Sources, get_sources
from web.url_parameters import begin_page, keep_parameters, show_link_problems
from web.views.compare import page as compare
from web.views.evaluate import page as evaluate
from web.views.history import page as history
from web.views.history.labeling import IMAGE as HISTORY_IMAGE
from web.views.leaderboard import page as leaderboard
from web.views.models import page as models
from web.views.models.publication import PARAMETER as PUBLICATION
from web.views.monitor import page as monitor
from web.views.pipelines import page as pipelines
from web.views.predict import page as predict
from web.views.run import page as run

NAME = "ML Ops Starter"
HERE = Path(__file__).parent
# Parameters of each page with widgets of its own in the URL. Leaderboard, Compare, Run and History
# keep theirs by themselves.
_OWN_PARAMETERS = {
    "predict": predict.WIDGET_KEYS,
    "evaluate": evaluate.WIDGET_KEYS,
    "models": models.WIDGET_KEYS,
    "pipelines": pipelines.WIDGET_KEYS,
    "monitor": monitor.WIDGET_KEYS,
}
# Values that pages share, and which are in their links.
_SHARED_VALUES = {
    "": (*PICKED, *leaderboard.SHARED_VALUES),
    "compare": (*PICKED, *compare.SHARED_VALUES),
    "predict": PICKED,
    "run": run.SHARED_VALUES,
}
# Parameters of links besides the widgets of a page.
_OTHER_PARAMETERS = {
    "": (EVERY, OLD_LOG),
    "compare": (OLD_LOG,),
    "history": (history.BEFORE, HISTORY_IMAGE),
    "models": (PUBLICATION,),
    "run": (run.RUN_ID,),
}
UNKNOWN_HOST = (
    "Unknown host name. Open the dashboard as `localhost` or by its IP address, or add the name"
    " to `ALLOWED_HOSTS`."
)


def main() -> None:
    """Draw the frame and the page of the URL."""

    def show_leaderboard() -> None:
        leaderboard.show(sources, selection, {"Compare": compare_page, "Predict": predict_page})

    def show_compare() -> None:
        compare.show(sources, selection)

    def show_predict() -> None:
        predict.show(sources, selection)

    leaderboard_page = st.Page(show_leaderboard, title="Leaderboard", default=True)
    compare_page = st.Page(show_compare, title="Compare", url_path="compare")
    predict_page = st.Page(show_predict, title="Predict", url_path="predict")
    evaluate_page = st.Page(lambda: evaluate.show(sources), title="Evaluate", url_path="evaluate")
    models_page = st.Page(lambda: models.show(sources), title="Models", url_path="models")
    pipelines_page = st.Page(
        lambda: pipelines.show(sources), title="Pipelines", url_path="pipelines"
    )
    monitor_page = st.Page(lambda: monitor.show(sources), title="Monitor", url_path="monitor")
    history_page = st.Page(lambda: history.show(sources), title="History", url_path="history")
    # Links lead to it, so the navigation does not list it.
    run_page = st.Page(lambda: run.show(sources), title="Run", url_path="run", visibility="hidden")
    widget_keys = {
        leaderboard_page: leaderboard.WIDGET_KEYS,
        compare_page: compare.WIDGET_KEYS,
        predict_page: predict.WIDGET_KEYS,
        evaluate_page: evaluate.WIDGET_KEYS,
        history_page: history.WIDGET_KEYS,
        models_page: models.WIDGET_KEYS,
        pipelines_page: pipelines.WIDGET_KEYS,
        monitor_page: monitor.WIDGET_KEYS,
        run_page: run.WIDGET_KEYS,
    }
    page = st.navigation(list(widget_keys), position="top")
    shared = _SHARED_VALUES.get(page.url_path, ())
    known = (
        *widget_keys[page],
        *(value.name for value in shared),
        *_OTHER_PARAMETERS.get(page.url_path, ()),
    )
    begin_page(page, known, _OWN_PARAMETERS.get(page.url_path, ()), shared)
    all_keys = {key for keys in widget_keys.values() for key in keys}
    _keep_widget_state(all_keys.difference(widget_keys[page]))
    # Local icons: for an emoji or a material icon in the browser tab, Streamlit loads a picture
    # from the network.
    st.set_page_config(
        page_title=f"{page.title} \N{MIDDLE DOT} {NAME}", page_icon=HERE / "icon.svg", layout="wide"
    )
    st.logo(HERE / "icon.svg", size="large")
    with error_boundary("The dashboard"):
        sources = get_sources()
        _stop_at_unknown_host(sources.settings.allowed_hosts)
        read_early(sources.snapshot, sources.models, sources.readiness, sources.monitoring.state)
        if page is run_page:
            run.start_reading(sources)
        # The heading and the outline first: the rest waits for the database and the API.
        headline = st.container(
            horizontal=True,
            vertical_alignment="center",
            horizontal_alignment="distribute",
            key="headline",
        )
        headline.title(page.title, anchor=False, width="content")
        strip = st.container()
        with page_skeleton(page.url_path):
            if page is not predict_page:
                with headline:
                    _link_to_predict(predict_page, sources)
            with strip:
                show_status_strip(sources, monitor_page)
            link_problems = st.container()
            if page in (leaderboard_page, compare_page, predict_page):
                selection = _pick(sources, shows_all=page is leaderboard_page)
            with error_boundary(f"The page {page.title}"):
                page.run()
            with link_problems:
                show_link_problems(known)
        keep_author()
        keep_parameters(page.url_path)


def _stop_at_unknown_host(allowed_hosts: frozenset[str]) -> None:
    host = (st.context.headers.get("Host") or "").encode("latin-1", "replace")
    if not TrustedHosts(allowed_hosts).admits(host):
        st.error(UNKNOWN_HOST, icon=":material/block:")
        st.stop()


def _keep_widget_state(keys: Iterable[str]) -> None:
    """Keep the values of widgets on other pages, which Streamlit drops by default."""
    for key in keys:
        if key in st.session_state:
            st.session_state[key] = st.session_state[key]


def _pick(sources: Sources, *, shows_all: bool) -> Selection:
    """Show the experiment picker of a page and return the selection."""
    snapshot = sources.snapshot().value
    return pick_experiments(
        None if snapshot is None else snapshot.task_of,
        shows_all=shows_all,
        other_names={} if snapshot is None else snapshot.other_names,
    )


def _link_to_predict(page: st.Page, sources: Sources) -> None:
    """Show the link to Predict with all models, as the selected experiments may have none."""
    models, snapshot = sources.models(), sources.snapshot().value
    archived = set() if snapshot is None else snapshot.archived
    ready = sum(
        model.state == "READY" and name not in archived
        for name, model in (models.value or {}).items()
        if models.problem is None
    )
    help_text = f"{pluralize(ready, 'model')} ready to predict" if ready else None
    st.page_link(
        page,
        label=":primary[**Try it: draw a digit**]",
        icon=":material/draw:",
        query_params={"all": "true"} if ready else None,
        help=help_text,
    )


main()
