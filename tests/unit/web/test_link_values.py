"""Values of link parameters that a page does not accept."""

from streamlit.testing.v1 import AppTest

from web.link_values import rejection


def page() -> None:
    """Check a parameter of each kind, as a page does."""
    import streamlit as st  # noqa: PLC0415

    from web import link_values  # noqa: PLC0415

    link_values.begin_page("")
    link_values.check_options("view", ["table", "chart"], str.title)
    st.selectbox("View", ["table", "chart"], format_func=str.title, key="view", bind="query-params")
    link_values.check_flag("down")
    st.toggle("Down", value=True, key="down", bind="query-params")
    link_values.check_number("latest", 1, 1000, is_whole=True, empty="all")
    st.number_input("Latest", 1, 1000, None, key="latest", bind="query-params")
    link_values.check_date("since", empty="any day")
    st.date_input("Since", None, key="since", bind="query-params")
    link_values.check_text("before", is_valid=str.isdigit, accepted="positions", shown="the first")
    for sentence in link_values.rejections(["view", "down", "latest", "since", "before"]):
        st.write(sentence)


def open_link(**parameters: str) -> AppTest:
    test = AppTest.from_function(page)
    test.query_params.update(parameters)
    return test.run()


def sentences(test: AppTest) -> list[str]:
    return [str(one.value) for one in test.markdown]


def test_rejected_values_are_told_in_one_sentence_each() -> None:
    test = open_link(view="Pie", down="maybe", latest="2.5", since="May", before="x")
    assert sentences(test) == [
        rejection("view", "Pie", "Table", "Table, Chart"),
        rejection("down", "maybe", "true", "true, false"),
        rejection("latest", "2.5", "2", "whole numbers from 1 to 1,000"),
        rejection("since", "May", "any day", "days such as 2026-05-31"),
        rejection("before", "x", "the first", "positions"),
    ]
    assert rejection("view", "Pie", "Table", "Table, Chart") == (
        "The link asks for view=Pie, but the page shows Table; it accepts Table, Chart."
    )


def test_rejected_values_are_told_after_a_rerun() -> None:
    test = open_link(view="Pie")
    assert len(sentences(test.run())) == 1


def test_accepted_values_are_not_told() -> None:
    test = open_link(view="Chart", down="false", latest="8", since="2026-05-01", before="7")
    assert sentences(test) == []


def test_option_itself_becomes_its_text_in_the_url() -> None:
    test = open_link(view="chart")
    assert (sentences(test), test.query_params["view"]) == ([], "Chart")
    assert test.selectbox[0].value == "chart"
