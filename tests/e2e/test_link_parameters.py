"""Parameters of links on every page, in a real browser."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.dashboard import FIRST_PAINT_MILLISECONDS, wait_until_drawn

LENET = "mnist_experiment_12__lenet5"
TANH = "mnist_experiment_14__lenet5_tanh"
UNKNOWN = "Unknown link parameter"
# Every parameter that doc/dashboard.md names, by page.
DOCUMENTED = {
    "": f"latest=8&task=mnist&filter=lr+<+0.1&sort=momentum&down=false&page=2&view=Groups"
    f"&group=architecture&of=test_accuracy&columns=momentum&archived=true&base={LENET}"
    f"&scatter_x=batch_size&scatter_color=momentum&axis=log&log=true",
    "compare": f"experiments={LENET}&experiments={TANH}&s=0.6&axis=linear&x=relative"
    f"&base={LENET}&diff=false",
    "predict": f"all=true&example=3&why=true&experiments={LENET}",
    "evaluate": f"set=rendered+digits&model={LENET}&vs={TANH}&true=4&read=9&group=3",
    "history": f"experiment={LENET}&only=Wrong&class=7&truth=1&below=60&since=2026-05-01"
    "&until=2026-05-31&program=curl&task=mnist",
    "models": f"m={LENET}&client=kserve&publication=12",
    "pipelines": "run=20&tab=Label&of=mnist",
    "monitor": f"task=mnist&days=7&version={LENET}@1&feature=peak",
    "run": f"name={LENET}&axis=log",
}


# A parameter of each link, and what the page shows instead of a value that it does not accept.
SHOWN_INSTEAD = {
    "": ("down", "true"),
    "compare": ("x", "step"),
    "predict": ("all", "false"),
    "evaluate": ("set", "rendered digits"),
    "history": ("only", "all predictions"),
    "models": ("publication", "no publication"),
    "pipelines": ("tab", "Runs"),
    "monitor": ("days", "1"),
    "run": ("axis", "auto"),
}


@pytest.mark.slow
@pytest.mark.parametrize("path", DOCUMENTED)
def test_unknown_parameter_and_value_are_told(stack: Any, page: Page, path: str) -> None:
    name, shown = SHOWN_INSTEAD[path]
    query = re.sub(rf"\b{name}=[^&]*", f"{name}=nonsense", DOCUMENTED[path])
    page.goto(f"{stack.web_url}/{path}?{query}&wrong=1")
    warning = page.get_by_test_id("stAlert").filter(has_text=UNKNOWN)
    expect(warning).to_contain_text(f"{UNKNOWN}: wrong.", timeout=FIRST_PAINT_MILLISECONDS)
    expect(warning).to_contain_text(
        f"The link asks for {name}=nonsense, but the page shows {shown};"
    )
    assert warning.inner_text().count("The link asks for") == 1


def test_back_takes_one_press_per_page(stack: Any, page: Page) -> None:
    """The link has an option instead of its text, and parameters that both pages have."""
    page.goto(f"{stack.web_url}/?sort=momentum&down=false&base={LENET}&log=true&latest=3")
    expect(page.get_by_text("sorted by momentum, lowest first")).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )
    board = re.compile(
        rf"/\?(?=.*\bsort=Momentum)(?=.*\bdown=false)(?=.*\bbase={LENET})(?=.*\baxis=log)"
        r"(?=.*\blatest=3)"
    )
    compare = re.compile(rf"/compare\?(?=.*\bbase={LENET})(?=.*\baxis=log)(?=.*\blatest=3\b)")
    expect(page).to_have_url(board)
    wait_until_drawn(page)
    open_by_link(page, "Compare", compare)
    open_by_link(page, "Predict", re.compile(r"/predict\?latest=3$"))
    page.go_back()
    expect(page.get_by_role("heading", name="Compare", exact=True)).to_be_visible()
    expect(page).to_have_url(compare)
    page.go_back()
    expect(page.get_by_text("sorted by momentum, lowest first")).to_be_visible()
    expect(page).to_have_url(board)


def open_by_link(page: Page, title: str, url: re.Pattern[str]) -> None:
    page.get_by_role("link", name=title, exact=True).first.click()
    expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()
    expect(page).to_have_url(url)
    wait_until_drawn(page)
