"""Parameters of links on every page, in a real browser."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.dashboard import FIRST_PAINT_MILLISECONDS

LENET = "mnist_experiment_12__lenet5"
UNKNOWN = "Unknown link parameter"
# Every parameter that doc/dashboard.md names, by page.
DOCUMENTED = {
    "": f"latest=8&task=mnist&filter=lr+<+0.1&sort=momentum&down=false&page=2&view=Groups"
    f"&group=architecture&of=test_accuracy&columns=momentum&archived=true&base={LENET}"
    f"&scatter_x=batch_size&scatter_color=momentum&axis=log&log=true",
    "compare": f"experiments={LENET}&s=0.6&axis=linear&x=relative&base={LENET}&diff=false",
    "predict": f"all=true&example=3&why=true&experiments={LENET}",
    "evaluate": f"set=rendered+digits&model={LENET}&vs={LENET}&true=4&read=9&group=3",
    "history": f"experiment={LENET}&only=Wrong&class=7&truth=1&below=60&since=2026-05-01"
    "&until=2026-05-31&program=curl&task=mnist",
    "models": f"m={LENET}&publication=12",
    "pipelines": "run=20&tab=Label&of=mnist",
    "monitor": f"task=mnist&days=7&version={LENET}@1&feature=peak",
    "run": f"name={LENET}&id=00",
}


@pytest.mark.slow
@pytest.mark.parametrize("path", DOCUMENTED)
def test_link_parameter_that_is_unknown_is_told(stack: Any, page: Page, path: str) -> None:
    page.goto(f"{stack.web_url}/{path}?{DOCUMENTED[path]}&wrong=1")
    warning = page.get_by_text(UNKNOWN)
    expect(warning).to_have_text(f"{UNKNOWN}: wrong.", timeout=FIRST_PAINT_MILLISECONDS)
