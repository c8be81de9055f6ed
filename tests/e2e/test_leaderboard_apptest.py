"""The leaderboard without a browser: filter, order, pages, ticked rows and the other views."""

import pytest

from tests.support.fakes import DOWN, HOSTILE, FakeSources, open_page, words


def test_a_filter_from_a_link_is_applied_and_what_it_hides_is_said(sources: FakeSources) -> None:
    app = open_page(filter="accuracy > 98 % and batch_size < 8")
    assert list(app.dataframe[-1].value["experiment"]) == ["ready_1"]
    assert "1 of 1 that match; 3 of 4 experiments do not" in words(app)
    assert sources.viewed is not None
    assert sources.viewed.condition is not None


@pytest.mark.usefixtures("sources")
def test_a_filter_that_cannot_be_read_is_marked_and_mended_in_one_click() -> None:
    app = open_page(filter="acuracy > 0.9")
    assert ("There is no column acuracy" in words(app).replace("\\", ""), app.code[0].value) == (
        True,
        "acuracy > 0.9\n^^^^^^^",
    )
    assert "Columns: " in words(app)
    app.button[0].click().run()
    assert (app.text_input(key="filter").value, "cannot be read" in words(app)) == (
        "accuracy > 0.9",
        False,
    )


@pytest.mark.usefixtures("sources")
def test_a_hostile_name_in_a_filter_is_shown_as_it_is() -> None:
    app = open_page(filter=f"'{HOSTILE}' > 1 and '<b>{HOSTILE}' = 1")
    assert (len(app.exception), "<script>" in words(app), r"\<b\>evil\_" in words(app)) == (
        0,
        False,
        True,
    )


def test_a_filter_that_nothing_matches_can_be_cleared(sources: FakeSources) -> None:
    sources.matched = []
    app = open_page(filter="lr > 1")
    assert "No experiment matches this filter" in words(app)
    next(button for button in app.button if button.label == "Clear the filter").click().run()
    assert len(app.dataframe[-1].value) == 4


def test_a_free_choice_takes_precedence_over_a_filter(sources: FakeSources) -> None:
    app = open_page(filter="lr > ", experiments=["bare"])
    assert (list(app.dataframe[-1].value["experiment"]), app.text_input(key="filter").disabled) == (
        ["bare"],
        True,
    )
    assert sources.viewed is not None
    assert sources.viewed.names == ("bare",)


def test_a_link_restores_the_order(sources: FakeSources) -> None:
    app = open_page(sort="Batch size", down="false")
    assert sources.viewed is not None
    assert (sources.viewed.sort, sources.viewed.descending) == ("batch_size", False)
    assert "sorted by batch size, lowest first" in words(app).replace("\\", "")


def test_the_newest_are_shown_until_all_are_asked_for(sources: FakeSources) -> None:
    app = open_page(latest="2")
    assert "2 of 4 experiments, the newest" in words(app)
    app.toggle(key="every").set_value(True).run()
    assert len(app.dataframe[-1].value) == 4
    assert sources.viewed is not None
    assert sources.viewed.latest is None


def test_more_than_a_page_has_pages_and_a_link_restores_one(sources: FakeSources) -> None:
    sources.names = [f"e{number}" for number in range(250)]
    app = open_page(every="true", page="3")
    assert app.dataframe[-1].value["experiment"].iloc[0] == "e200"
    assert "201 to 250 of 250 experiments" in words(app)
    app.toggle(key="down").set_value(False).run()
    assert app.dataframe[-1].value["experiment"].iloc[0] == "e0"


@pytest.mark.usefixtures("sources")
def test_the_champion_has_a_star_and_every_row_its_curve() -> None:
    table = open_page().dataframe[-1].value
    assert list(table["champion"]) == ["", "", "\N{BLACK STAR}", ""]
    assert list(table["loss_curve"][0]) == [1.0, 0.5]


@pytest.mark.usefixtures("sources")
def test_without_a_ticked_row_there_is_nothing_to_compare() -> None:
    links = [link.proto for link in open_page().get("page_link")]
    assert [(link.label, link.disabled) for link in links[1:]] == [
        ("Compare ticked", True),
        ("Predict with ticked", True),
    ]


@pytest.mark.parametrize("view", ["Parallel coordinates", "Heat map", "Scatter"])
@pytest.mark.usefixtures("sources")
def test_another_view_is_restored_from_its_link(view: str) -> None:
    app = open_page(view=view)
    assert (len(app.get("echarts_chart")), len(app.exception), len(app.error)) == (2, 0, 0)


def test_with_the_database_down_the_last_table_of_this_view_stays(sources: FakeSources) -> None:
    sources.database_problem = DOWN
    app = open_page(filter="lr > 0")
    assert ("Last known data" in words(app), list(app.dataframe[-1].value["experiment"])) == (
        True,
        ["ready_1"],
    )
