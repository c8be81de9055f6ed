"""Models without a browser: what it says in each state."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.support.fakes import DOWN, FakeSources, open_alone, words
from web.data.api_client import ApiProblemError


def models_script() -> None:
    """What app.py does for the page Models."""
    import web.sources  # noqa: PLC0415
    from web.views import models  # noqa: PLC0415

    models.show(web.sources.sources())


def models_page(**query: str) -> AppTest:
    return open_alone(models_script, **query)


def fill(app: AppTest, button: str, **texts: str) -> AppTest:
    """Fill the form with this button."""
    texts = {name.capitalize(): text for name, text in texts.items()}
    form = next(each.form_id for each in app.button if each.label == button and each.form_id)
    for field in app.text_input:
        if field.form_id == form:
            field.set_value(texts[field.label])
    next(each for each in app.button if each.form_id == form).click()
    return app.run()


@pytest.mark.usefixtures("sources")
def test_every_version_is_listed_and_the_most_accurate_is_shown() -> None:
    app = models_page()
    assert list(app.dataframe[0].value["version"]) == [1, 1, 2, 1]
    assert app.selectbox(key="m").value == "ready_1"


@pytest.mark.usefixtures("sources")
def test_a_link_restores_a_version() -> None:
    app = models_page(m="ready_2@1")
    assert (app.subheader[0].value, app.code[0].value.count("ready_2@1")) == (
        r"ready\_2, version 1",
        1,
    )


@pytest.mark.usefixtures("sources")
def test_a_link_may_name_the_version_that_answers_to_the_bare_name() -> None:
    app = models_page(m="ready_2@2")
    assert app.subheader[0].value == r"ready\_2, version 2"


def test_nothing_is_promoted_that_nobody_chose(sources: FakeSources) -> None:
    app = fill(models_page(m="lost"), "Promote", who="ann", why="reads 4 better")
    assert (sources.moved, "Choose a version" in words(app)) == ([], True)


@pytest.mark.usefixtures("sources")
def test_a_link_to_a_model_that_is_gone_says_so() -> None:
    assert "There is no model lost" in words(models_page(m="lost"))


@pytest.mark.usefixtures("sources")
def test_a_failed_model_is_a_red_card_with_its_reason() -> None:
    [card] = models_page().error
    assert r"The file is \*torn\*\." in card.value


@pytest.mark.usefixtures("sources")
def test_what_has_no_model_or_no_row_is_named() -> None:
    said = words(models_page())
    assert ("1 experiment without a model file" in said, "without a row" in said) == (True, False)


def test_a_promotion_is_made_with_who_and_why(sources: FakeSources) -> None:
    fill(models_page(m="ready_2"), "Promote", who="ann ", why="reads 4 better")
    assert sources.moved == [("digits", "champion", "ready_2@2", "ann", "reads 4 better")]


def test_a_promotion_without_who_and_why_moves_nothing(sources: FakeSources) -> None:
    app = fill(models_page(m="ready_2"), "Promote", who=" ", why="")
    assert (sources.moved, "Fill in Who and Why" in words(app)) == ([], True)


def test_a_promotion_that_the_api_refuses_says_why(sources: FakeSources) -> None:
    sources.refused = ApiProblemError(409, "Alias not movable", "It is *not* ready.")
    app = fill(models_page(m="ready_2"), "Promote", who="ann", why="x")
    assert r"It is \*not\* ready\." in words(app)


def test_a_move_is_taken_back(sources: FakeSources) -> None:
    fill(models_page(), "Roll back", who="ann", why="misreads 7")
    assert sources.moved == [("digits", "champion", "back", "ann", "misreads 7")]


def test_with_the_api_down_the_page_says_so_and_keeps_what_it_knows(sources: FakeSources) -> None:
    sources.api_problem = "The inference API does not answer."
    app = models_page()
    assert (
        "The inference API is down" in words(app),
        "Retry" in [button.label for button in app.button],
    ) == (True, True)
    assert len(app.dataframe[0].value) == 4


def test_without_any_model_the_page_says_how_to_get_one(sources: FakeSources) -> None:
    sources.listed = []
    assert "make publish" in words(models_page())


def test_with_the_database_down_the_models_stay(sources: FakeSources) -> None:
    sources.database_problem, sources.ever_read = DOWN, False
    app = models_page()
    assert ("db.example:5432" in words(app), len(app.dataframe[0].value)) == (True, 4)
