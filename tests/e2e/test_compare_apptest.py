"""Compare page in each state, without a browser."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.support.fakes import (
    DOWN,
    HOSTILE,
    FakeSources,
    find_shared,
    open_alone,
    visible_text,
)


def compare_script() -> None:
    """Run the Compare page as app.py does."""
    import web.sources  # noqa: PLC0415
    from web.components.experiment_picker import pick_experiments  # noqa: PLC0415
    from web.views.compare import page  # noqa: PLC0415

    sources = web.sources.get_sources()
    snapshot = sources.snapshot().value
    page.show(sources, pick_experiments(None if snapshot is None else snapshot.task_of))


def compare_page(**query: str | list[str]) -> AppTest:
    return open_alone(compare_script, **query)


@pytest.mark.usefixtures("sources")
def test_first_experiment_is_the_baseline() -> None:
    app = compare_page(experiments=["bare", HOSTILE])
    results, differences = (element.value for element in app.dataframe)
    assert (list(results["experiment"]), find_shared(app.selectbox, "base").value) == (
        ["bare", HOSTILE],
        "",
    )
    assert "change against bare" in visible_text(app)
    assert list(differences.loc["batch_size"]) == ["8", "2 (\N{MINUS SIGN}6)"]


@pytest.mark.usefixtures("sources")
def test_link_restores_every_control() -> None:
    app = compare_page(
        experiments=["bare", "ready_1"],
        base="ready_1",
        s="0.6",
        log="true",
        x="relative",
        diff="false",
    )
    assert (
        find_shared(app.selectbox, "base").value,
        find_shared(app.slider, "s").value,
        find_shared(app.button_group, "axis").value,
    ) == ("ready_1", 0.6, "log")
    assert list(app.dataframe[1].value.index) == [
        "learning_rate",
        "momentum",
        "batch_size",
        HOSTILE,
    ]


@pytest.mark.usefixtures("sources")
def test_unknown_name_is_reported_and_the_rest_compared() -> None:
    app = compare_page(experiments=["bare", "lost", "ready_1"])
    assert (
        "Not in the database: lost" in visible_text(app),
        list(app.dataframe[0].value["experiment"]),
    ) == (True, ["bare", "ready_1"])


@pytest.mark.usefixtures("sources")
def test_single_experiment_offers_the_most_accurate() -> None:
    app = compare_page(experiments=["bare"])
    assert "Select experiments to compare" in visible_text(app)
    app.button[0].click().run()
    assert list(app.dataframe[0].value["experiment"]) == ["ready_2", HOSTILE, "ready_1"]


def test_tasks_have_separate_charts_and_no_changes(sources: FakeSources) -> None:
    sources.tasks = {"ready_2": "parity"}
    app = compare_page(experiments=["bare", "ready_2"])
    assert len(app.get("echarts_chart")) == 2
    assert app.dataframe[0].value["accuracy_change"].isna().all()


def test_database_that_was_never_up_offers_retry(
    sources: FakeSources,
) -> None:
    sources.database_problem, sources.was_ever_up = DOWN, False
    app = compare_page(experiments=["bare", "ready_1"])
    assert ("db.example:5432" in visible_text(app), [button.label for button in app.button]) == (
        True,
        ["Retry"],
    )


def test_database_down_keeps_the_last_comparison(sources: FakeSources) -> None:
    sources.database_problem = DOWN
    app = compare_page(experiments=["bare", "ready_1"])
    assert ("Last known data" in visible_text(app), len(app.dataframe)) == (True, 2)


@pytest.mark.usefixtures("sources")
def test_pinned_baseline_is_compared_with_the_selection() -> None:
    app = compare_page(experiments=["bare"], base="ready_1")
    assert list(app.dataframe[0].value["experiment"]) == ["ready_1", "bare"]
    assert "change against ready\\_1" in visible_text(app)


@pytest.mark.usefixtures("sources")
def test_unknown_baseline_is_reported() -> None:
    app = compare_page(experiments=["bare", "ready_1"], base="lost")
    assert "The baseline is not in the database: lost" in visible_text(app)
    assert "change against bare" in visible_text(app)
