"""Frame and leaderboard in each state, without a browser."""

from pathlib import Path

import pytest

import web.sources
from tests.support.fakes import (
    APP,
    DOWN,
    HOSTILE,
    FakeSources,
    find_shared,
    open_page,
    visible_text,
)
from web.data.queries import ImportedFile
from web.settings import Settings
from web.sources import make_sources


@pytest.mark.usefixtures("sources")
def test_leaderboard_shows_the_newest_experiments() -> None:
    app = open_page(latest="2")
    assert set(app.dataframe[-1].value["experiment"]) == {"ready_2", HOSTILE}


@pytest.mark.usefixtures("sources")
def test_link_restores_picked_experiments() -> None:
    app = open_page(experiments=["bare", "ready_1"])
    assert set(app.dataframe[-1].value["experiment"]) == {"bare", "ready_1"}


@pytest.mark.usefixtures("sources")
def test_link_with_an_unknown_experiment_shows_the_rest() -> None:
    app = open_page(experiments=["bare", "lost"])
    assert (
        "Not in the database: lost" in visible_text(app),
        list(app.dataframe[-1].value["experiment"]),
    ) == (True, ["bare"])


def test_database_down_keeps_data_with_its_age(
    sources: FakeSources,
) -> None:
    sources.database_problem = DOWN
    app = open_page()
    assert (
        "Last known data" in visible_text(app),
        "Data as of 40 s ago" in visible_text(app),
        len(app.dataframe[-1].value),
    ) == (True, True, 4)


def test_database_that_was_never_up_offers_retry(
    sources: FakeSources,
) -> None:
    sources.database_problem, sources.was_ever_up = DOWN, False
    app = open_page()
    assert ("db.example:5432" in visible_text(app), [button.label for button in app.button]) == (
        True,
        ["Retry"],
    )


def test_link_survives_a_database_outage(sources: FakeSources) -> None:
    sources.database_problem, sources.was_ever_up = DOWN, False
    app = open_page(experiments=["bare", "ready_1"])
    assert find_shared(app.multiselect, "experiments").value == ["bare", "ready_1"]


def test_empty_database_says_what_to_run(sources: FakeSources) -> None:
    sources.names = []
    assert "make up" in visible_text(open_page())


def test_unexpected_error_shows_a_message_only(sources: FakeSources) -> None:
    sources.curve_error = RuntimeError("secret detail")
    app = open_page()
    assert (
        len(app.exception),
        "secret detail" in visible_text(app),
        "cannot be shown" in visible_text(app),
    ) == (
        0,
        False,
        True,
    )


def test_hostile_name_is_escaped(sources: FakeSources) -> None:
    sources.names = [HOSTILE]
    app = open_page()
    assert (r"evil\_\*b\*\[c\]" in visible_text(app), "<script>" in visible_text(app)) == (
        True,
        False,
    )


@pytest.mark.usefixtures("sources")
def test_link_restores_extra_columns() -> None:
    app = open_page(columns=["momentum", "batch_size", HOSTILE])
    table = app.dataframe[-1].value
    assert (list(table.columns), list(table["batch_size"])) == (
        ["experiment", "run", "momentum", "batch_size", HOSTILE],
        [1, 2, 4, 8],
    )


@pytest.mark.usefixtures("sources")
def test_single_task_is_not_find_visible() -> None:
    app = open_page()
    assert (
        [box.label for box in app.selectbox],
        "digits" in visible_text(app),
        "task" in app.dataframe[-1].value,
    ) == (
        ["Sort by", "Baseline"],
        False,
        False,
    )


def test_largest_task_is_the_default(
    sources: FakeSources,
) -> None:
    sources.tasks = {"ready_2": "parity"}
    app = open_page()
    assert set(app.dataframe[-1].value["experiment"]) == {HOSTILE, "ready_1", "bare"}
    assert find_shared(app.selectbox, "task").options == ["digits", "parity", "all tasks"]


def test_link_restores_the_task(sources: FakeSources) -> None:
    sources.tasks = {"ready_2": "parity"}
    app = open_page(task="parity")
    assert list(app.dataframe[-1].value["experiment"]) == ["ready_2"]


def test_all_tasks_have_a_summary_and_a_chart_each(sources: FakeSources) -> None:
    sources.tasks = {"ready_2": "parity"}
    app = open_page(task="all tasks")
    assert list(app.dataframe[-1].value["task"]) == ["digits", "digits", "digits", "parity"]
    assert (
        "of **digits**" in visible_text(app),
        "of **parity**" in visible_text(app),
        len(app.get("echarts_chart")),
    ) == (True, True, 2)


def test_failed_imports_are_listed(sources: FakeSources) -> None:
    sources.files = (
        ImportedFile("data.csv", 1, None),
        ImportedFile("a.csv", 0, "a is empty"),
        ImportedFile("b.csv", 2, None),
    )
    text = visible_text(open_page())
    assert r"Import of a\.csv failed" in text
    assert (r"- data\.csv: 1 row" in text, r"- b\.csv: 2 rows" in text) == (True, True)


@pytest.mark.usefixtures("sources")
def test_rejected_rows_have_their_reason() -> None:
    app = open_page()
    assert list(app.dataframe[0].value["Reason"]) == [HOSTILE]


def test_real_sources_with_both_services_down(monkeypatch: pytest.MonkeyPatch) -> None:
    dead = make_sources(
        Settings(api_url="http://127.0.0.1:9/api/v1.0", database_host="127.0.0.1", database_port=9)
    )
    monkeypatch.setattr(web.sources, "get_sources", lambda: dead)
    app = open_page()
    assert ("127.0.0.1:9" in visible_text(app), len(app.exception)) == (True, 0)


def test_no_folder_is_called_pages() -> None:
    assert not (Path(APP).parent / "pages").exists()


def test_no_folder_shadows_a_package() -> None:
    """Streamlit puts the folder of app.py in front of sys.path."""
    web_folder = Path(APP).parent
    packages = {path.parent.name for path in web_folder.parent.glob("*/__init__.py")}
    assert packages.isdisjoint(path.name for path in web_folder.iterdir())
