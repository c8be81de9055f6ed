"""Compare without a browser: what it says in each state."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.support.fakes import DOWN, HOSTILE, FakeSources, open_alone, words


def compare_script() -> None:
    """What app.py does for the page Compare."""
    import web.sources  # noqa: PLC0415
    from web.components.experiment_picker import pick  # noqa: PLC0415
    from web.views import compare  # noqa: PLC0415

    sources = web.sources.sources()
    snapshot = sources.snapshot().value
    compare.show(sources, pick(None if snapshot is None else snapshot.task_of))


def compare_page(**query: str | list[str]) -> AppTest:
    return open_alone(compare_script, **query)


@pytest.mark.usefixtures("sources")
def test_the_chosen_experiments_are_compared_against_the_first_of_them() -> None:
    app = compare_page(experiments=["bare", HOSTILE])
    results, differences = (element.value for element in app.dataframe)
    assert (list(results["experiment"]), app.selectbox(key="base").value) == (
        ["bare", HOSTILE],
        "bare",
    )
    assert list(differences.loc["batch_size"]) == ["8", "2 (\N{MINUS SIGN}6)"]


@pytest.mark.usefixtures("sources")
def test_a_link_restores_baseline_smoothing_axis_and_all_parameters() -> None:
    app = compare_page(
        experiments=["bare", "ready_1"],
        base="ready_1",
        s="0.6",
        log="true",
        x="relative",
        diff="false",
    )
    assert (
        app.selectbox(key="base").value,
        app.slider(key="s").value,
        app.toggle(key="log").value,
    ) == ("ready_1", 0.6, True)
    assert list(app.dataframe[1].value.index) == [
        "learning_rate",
        "momentum",
        "batch_size",
        HOSTILE,
    ]


@pytest.mark.usefixtures("sources")
def test_an_unknown_name_is_said_and_the_rest_are_compared() -> None:
    app = compare_page(experiments=["bare", "lost", "ready_1"])
    assert (
        "Not in the database: lost" in words(app),
        list(app.dataframe[0].value["experiment"]),
    ) == (True, ["bare", "ready_1"])


@pytest.mark.usefixtures("sources")
def test_one_experiment_alone_leads_to_the_most_accurate() -> None:
    app = compare_page(experiments=["bare"])
    assert "Compare what with what?" in words(app)
    app.button[0].click().run()
    assert list(app.dataframe[0].value["experiment"]) == ["ready_2", HOSTILE, "ready_1"]


def test_runs_of_two_tasks_have_a_chart_each_and_no_change_across(sources: FakeSources) -> None:
    sources.tasks = {"ready_2": "parity"}
    app = compare_page(experiments=["bare", "ready_2"])
    assert len(app.get("echarts_chart")) == 2
    assert app.dataframe[0].value["accuracy_change"].isna().all()


def test_with_the_database_never_seen_the_page_says_so_and_offers_to_retry(
    sources: FakeSources,
) -> None:
    sources.database_problem, sources.ever_read = DOWN, False
    app = compare_page(experiments=["bare", "ready_1"])
    assert ("db.example:5432" in words(app), [button.label for button in app.button]) == (
        True,
        ["Retry"],
    )


def test_with_the_database_down_the_last_comparison_stays(sources: FakeSources) -> None:
    sources.database_problem = DOWN
    app = compare_page(experiments=["bare", "ready_1"])
    assert ("Last known data" in words(app), len(app.dataframe)) == (True, 2)
