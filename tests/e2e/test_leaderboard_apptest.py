"""Leaderboard without a browser: filter, order, pages, selected rows and charts."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.support.fakes import DOWN, HOSTILE, FakeSources, find_shared, open_page, visible_text
from web.data.api_types import ApiProblemError
from web.data.leaderboard.changes import Revision
from web.views.leaderboard.experiment_table import sort_of_column
from web.views.leaderboard.live import refresh_seconds


def test_filter_of_a_link_is_applied(sources: FakeSources) -> None:
    app = open_page(filter="accuracy > 98 % and batch_size < 8")
    assert list(app.dataframe[-1].value["experiment"]) == ["ready_1"]
    assert "1 of 4 match" in visible_text(app)
    assert sources.last_query is not None
    assert sources.last_query.condition is not None


@pytest.mark.usefixtures("sources")
def test_invalid_filter_is_marked_and_corrected_by_click() -> None:
    app = open_page(filter="acuracy > 0.9")
    assert ("Unknown column acuracy" in visible_text(app).replace("\\", ""), app.code[0].value) == (
        True,
        "acuracy > 0.9\n^^^^^^^",
    )
    assert "Columns: " in visible_text(app)
    app.button[0].click().run()
    assert (app.text_input(key="filter").value, "Unknown column" in visible_text(app)) == (
        "accuracy > 0.9",
        False,
    )


@pytest.mark.usefixtures("sources")
def test_hostile_name_in_a_filter_is_escaped() -> None:
    app = open_page(filter=f"'{HOSTILE}' > 1 and '<b>{HOSTILE}' = 1")
    assert (
        len(app.exception),
        "<script>" in visible_text(app),
        r"\<b\>evil\_" in visible_text(app),
    ) == (
        0,
        False,
        True,
    )


def test_filter_without_match_can_be_cleared(sources: FakeSources) -> None:
    sources.matched = []
    app = open_page(filter="lr > 1")
    assert "No experiments match this filter" in visible_text(app)
    next(button for button in app.button if button.label == "Clear filter").click().run()
    assert len(app.dataframe[-1].value) == 4


def test_picked_experiments_take_precedence_over_a_filter(sources: FakeSources) -> None:
    app = open_page(filter="lr > ", experiments=["bare"])
    assert (list(app.dataframe[-1].value["experiment"]), app.text_input(key="filter").disabled) == (
        ["bare"],
        True,
    )
    assert sources.last_query is not None
    assert sources.last_query.names == ("bare",)


@pytest.mark.parametrize("sort", ["Batch size", "batch_size"])
def test_link_restores_the_order(sources: FakeSources, sort: str) -> None:
    app = open_page(sort=sort, down="false")
    assert sources.last_query is not None
    assert (sources.last_query.sort, sources.last_query.descending) == ("batch_size", False)
    assert "sorted by batch size, lowest first" in visible_text(app).replace("\\", "")


def test_all_are_shown_until_the_newest_are_chosen(sources: FakeSources) -> None:
    app = open_page()
    assert "All 4 experiments" in visible_text(app)
    sources.names = [*sources.names, "older", "oldest"]
    app.button_group(key="show_all_or_newest").set_value("Newest 5").run()
    assert "Newest 5 of 6 experiments" in visible_text(app)
    assert find_shared(app.number_input, "latest").value == 5
    app.button_group(key="show_all_or_newest").set_value("All").run()
    assert sources.last_query is not None
    assert sources.last_query.latest is None


@pytest.mark.parametrize(
    ("query", "latest"), [({"latest": "2"}, 2), ({"latest": "2", "every": "true"}, None)]
)
def test_link_restores_the_number_of_newest(
    sources: FakeSources, query: dict[str, str], latest: int | None
) -> None:
    open_page(**query)
    assert sources.last_query is not None
    assert sources.last_query.latest == latest


def test_link_restores_a_page(sources: FakeSources) -> None:
    sources.names = [f"e{number}" for number in range(250)]
    app = open_page(page="3")
    assert app.dataframe[-1].value["experiment"].iloc[0] == "e200"
    assert "201 to 250 of 250 experiments" in visible_text(app)
    app.toggle(key="down").set_value(False).run()
    assert app.dataframe[-1].value["experiment"].iloc[0] == "e0"


@pytest.mark.usefixtures("sources")
def test_champion_has_a_star_and_rows_have_sparklines() -> None:
    table = open_page().dataframe[-1].value
    assert list(table["champion"]) == ["", "", "\N{BLACK STAR}", ""]
    assert list(table["loss_curve"][0]) == [1.0, 0.5]


@pytest.mark.usefixtures("sources")
def test_links_are_disabled_without_selected_rows() -> None:
    links = [link.proto for link in open_page().get("page_link")]
    assert [(link.label, link.disabled) for link in links[1:]] == [
        ("Compare selected", True),
        ("Predict with selected", True),
    ]


@pytest.mark.parametrize(
    "query",
    [
        {"view": "Parallel coordinates"},
        {"view": "Parallel coordinates", "parallel": ["batch_size"], "parallel_color": "run"},
        {"view": "Heat map"},
        {"view": "Heat map", "heat_x": "batch_size", "heat_y": "architecture", "heat": "best_loss"},
        {"view": "Scatter"},
        {"view": "Scatter", "scatter_x": "batch_size", "scatter_color": "momentum"},
    ],
)
@pytest.mark.usefixtures("sources")
def test_link_restores_a_chart(query: dict[str, str | list[str]]) -> None:
    app = open_page(**query)
    for key, value in query.items():
        if key not in ("view", "parallel"):
            assert app.selectbox(key=key).value == value
    assert (len(app.get("echarts_chart")), len(app.exception), len(app.error)) == (2, 0, 0)


def test_database_down_keeps_the_last_table(sources: FakeSources) -> None:
    sources.database_problem = DOWN
    app = open_page(filter="lr > 0")
    assert (
        "Last known data" in visible_text(app),
        list(app.dataframe[-1].value["experiment"]),
    ) == (
        True,
        ["ready_1"],
    )


def test_pinned_baseline_adds_changes(sources: FakeSources) -> None:
    sources.accuracies = {"ready_1": 0.97}
    app = open_page(base="ready_1", columns=["test_accuracy", "best_validation_loss"])
    table = app.dataframe[-1].value.set_index("experiment")
    assert list(table.columns) == [
        "run",
        "test_accuracy",
        "accuracy_change",
        "best_validation_loss",
        "validation_loss_change",
    ]
    assert table["accuracy_change"].round(2).dropna().to_dict() == {
        "ready_2": 1.0,
        HOSTILE: 1.0,
        "bare": 1.0,
    }
    find_shared(app.selectbox, "base").set_value("").run()
    assert "accuracy_change" not in app.dataframe[-1].value


@pytest.mark.usefixtures("sources")
def test_unknown_baseline_is_reported() -> None:
    assert "The baseline is not in the database: lost" in visible_text(open_page(base="lost"))


def select(app: AppTest, rows: list[int]) -> None:
    app.session_state["board_table"] = {"selection": {"rows": rows, "columns": []}}
    app.run()


def action_labels(app: AppTest) -> list[str]:
    return [link.proto.label for link in app.get("page_link")[1:]]


def test_selection_follows_its_runs(sources: FakeSources) -> None:
    app = open_page()
    select(app, [0, 3])
    assert action_labels(app) == ["Compare 2", "Predict with 2"]
    sources.names = ["newer", *sources.names]
    app.run()
    selected = app.session_state["board_table"]["selection"]["rows"]
    assert list(app.dataframe[-1].value["experiment"][selected]) == ["ready_2", "bare"]
    sources.names = sources.names[:-1]
    app.run()
    assert action_labels(app) == ["Compare 1", "Predict with 1"]


def test_change_reads_again_and_is_shown(sources: FakeSources) -> None:
    app = open_page()
    assert sources.board.expired == 0
    sources.names, sources.states = ["newer", *sources.names], {"newer": "running"}
    sources.board.later = Revision(newest=5, running=1, silent=0, period=7)
    app.run()
    assert sources.board.expired == 1
    assert list(app.dataframe[-1].value["state"])[:2] == ["running", "finished"]


@pytest.mark.parametrize(
    ("running", "silent", "seconds"), [(0, 0, None), (1, 1, None), (1, 0, 2), (3, 1, 2)]
)
def test_board_refreshes_only_while_something_runs(
    running: int, silent: int, seconds: int | None
) -> None:
    assert refresh_seconds(Revision(9, running, silent, 1)) == seconds
    assert refresh_seconds(None) is None


@pytest.mark.parametrize(
    ("column", "sort"),
    [
        ("run", "experiment"),
        ("test_accuracy", "test_accuracy"),
        ("accuracy_change", "test_accuracy"),
        ("batch_size", "batch_size"),
        ("serving (file)", "serving"),
        ("loss_curve", None),
        ("champion", None),
    ],
)
def test_header_sorts_in_sql_or_not_at_all(column: str, sort: str | None) -> None:
    assert sort_of_column(column, ["batch_size", "serving"]) == sort


def test_archived_runs_are_hidden_by_default(sources: FakeSources) -> None:
    sources.archived = {"bare"}
    app = open_page()
    assert "bare" not in list(app.dataframe[-1].value["experiment"])
    assert "bare" not in find_shared(app.multiselect, "experiments").options
    app.toggle(key="archived").set_value(True).run()
    states = app.dataframe[-1].value.set_index("experiment")["state"]
    assert states[["bare", "ready_1"]].to_list() == ["finished, archived", "finished"]


def test_link_finds_archived_and_previous_names(sources: FakeSources) -> None:
    sources.archived, sources.renamed = {"bare"}, {"before": "ready_1"}
    app = open_page(experiments=["bare", "before"])
    assert set(app.dataframe[-1].value["experiment"]) == {"bare", "ready_1"}


def click(app: AppTest, label: str) -> None:
    next(button for button in app.button if button.label == label).click().run()


def test_selected_runs_are_archived_and_restored(sources: FakeSources) -> None:
    sources.archived = {"bare"}
    app = open_page(archived="true")
    select(app, [2, 3])
    click(app, "Archive 1 run")
    assert "Enter your name." in visible_text(app)
    app.text_input(key="edit_author").set_value("ann")
    click(app, "Archive 1 run")
    click(app, "Restore 1 run")
    assert sources.tracking_api.changes == [
        ("ready_1", {"archived": True}, "ann"),
        ("bare", {"archived": False}, "ann"),
    ]
    assert sources.board.expired == 2


def test_run_is_renamed_with_its_baseline(sources: FakeSources) -> None:
    app = open_page(base="bare")
    select(app, [3])
    app.text_input(key="edit_author").set_value("ann")
    app.text_input(key="edit_name_bare").set_value("plain")
    sources.tracking_api.error = ApiProblemError(409, "Conflict", "The name is taken.")
    click(app, "Rename")
    assert "The name is taken" in visible_text(app)
    sources.tracking_api.error = None
    sources.names, sources.renamed = [*sources.names[:3], "plain"], {"bare": "plain"}
    click(app, "Rename")
    assert sources.tracking_api.changes == [("bare", {"name": "plain"}, "ann")]
    assert find_shared(app.selectbox, "base").value == "plain"


def test_group_leads_to_its_runs(sources: FakeSources) -> None:
    app = open_page(view="Groups", group=["batch_size", "architecture"], of="best_loss")
    query = sources.board.grouped[-1]
    assert (query.by, query.result, query.experiments.task) == (
        ("batch_size", "architecture"),
        "best_loss",
        None,
    )
    app.session_state["group_table"] = {"selection": {"rows": [0], "columns": []}}
    app.run()
    click(app, "Show 3 runs")
    assert app.text_input(key="filter").value == "batch_size = lenet and architecture = lenet"
    assert app.button_group(key="view").value == "Table"


@pytest.mark.usefixtures("sources")
def test_group_of_the_newest_leads_to_their_names() -> None:
    app = open_page(view="Groups", latest="3")
    app.session_state["group_table"] = {"selection": {"rows": [0], "columns": []}}
    app.run()
    click(app, "Show 3 runs")
    assert find_shared(app.multiselect, "experiments").value == ["ready_1", "ready_2"]


@pytest.mark.usefixtures("sources")
def test_unknown_link_parameter_is_told() -> None:
    text = visible_text(open_page(filtr="lr > 1", log="true", every="true"))
    assert "Unknown link parameter: filtr. Did you mean `filter`?" in text
    assert text.count("Unknown link parameter") == 1
