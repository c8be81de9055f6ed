"""Values that several pages share, on two pages with a widget each."""

import pytest
from streamlit.testing.v1 import AppTest

from web.link_values import rejection


def pages() -> None:
    """Show the page of the session, as the frame of the dashboard does."""
    import streamlit as st  # noqa: PLC0415

    from web import link_values, shared_values  # noqa: PLC0415

    size = shared_values.choice(
        "size", "auto", {"auto": "Auto", "big": "Big size"}, old={"big": {"true": "big"}}
    )
    weight = shared_values.number("s", 0.0, 0.0, 0.5)
    path = st.session_state.get("path", "")
    is_another = link_values.begin_page(path)
    shared_values.begin_page([size, weight], is_another=is_another)
    st.text(f"{size.value} {weight.value:g}")
    st.selectbox(
        "Size",
        ["auto", "big"],
        index=["auto", "big"].index(size.value),
        key=size.key,
        on_change=size.take_from_widget,
    )
    st.button("Set", on_click=size.set, args=("big",))
    for sentence in link_values.rejections(["size", "s", "big"]):
        st.write(sentence)


def open_link(**parameters: str) -> AppTest:
    test = AppTest.from_function(pages)
    test.query_params.update(parameters)
    return test.run()


def state(test: AppTest) -> tuple[str, object, dict[str, object]]:
    """Return the text of the page, the value of its widget and the URL."""
    return test.text[0].value, test.selectbox[0].value, dict(test.query_params)


def test_change_is_kept_on_another_page_and_in_its_url() -> None:
    test = open_link(s="0.25")
    test.selectbox[0].set_value("big").run()
    in_url = {"s": "0.25", "size": "Big size"}
    assert state(test) == ("big 0.25", "big", in_url)
    test.session_state["path"] = "other"
    test.query_params.clear()  # as a link to the page
    assert state(test.run()) == ("big 0.25", "big", in_url)
    test.query_params["size"] = "AUTO"  # as a link with a value, to another page
    test.session_state["path"] = ""
    assert state(test.run()) == ("auto 0.25", "auto", {"s": "0.25"})


def test_script_sets_the_value_and_the_widget() -> None:
    test = open_link()
    test.selectbox[0].set_value("auto").run()
    test.button[0].click().run()
    assert state(test) == ("big 0", "big", {"size": "Big size"})


@pytest.mark.parametrize("link", [{"size": "BIG"}, {"size": "big size"}, {"big": "true"}])
def test_link_may_have_an_option_its_title_or_an_earlier_parameter(link: dict[str, str]) -> None:
    assert state(open_link(**link)) == ("big 0", "big", {"size": "Big size"})


def test_rejected_values_are_told_and_leave_the_url() -> None:
    test = open_link(size="huge", s="0.6", big="maybe")
    assert state(test) == ("auto 0", "auto", {})
    assert sorted(one.value for one in test.markdown) == [
        rejection("big", "maybe", "none", "true"),
        rejection("s", "0.6", "0", "numbers from 0 to 0.5"),
        rejection("size", "huge", "Auto", "Auto, Big size"),
    ]
    test.run()
    assert state(test) == ("auto 0", "auto", {})


@pytest.mark.parametrize("text", ["nan", "inf", "-0.1", "1", "x"])
def test_number_outside_its_range_is_not_accepted(text: str) -> None:
    assert "accepts numbers" in open_link(s=text).markdown[0].value
