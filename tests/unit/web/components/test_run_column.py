"""Columns with links to runs."""

import pandas as pd

from web.components.run_column import with_run_links


def test_name_and_version_lead_to_the_run() -> None:
    table = pd.DataFrame({"model": ["a b", "lenet@2", None], "n": [1, 2, 3]})
    linked = with_run_links(table, "model")
    assert linked["model"].tolist()[:2] == [
        "run?name=a%20b#a%20b",
        "run?name=lenet#lenet%402",
    ]
    assert pd.isna(linked["model"][2])
    assert table["model"][0] == "a b"


def test_short_text_is_the_short_name_with_its_version() -> None:
    table = pd.DataFrame({"model": ["mnist_lenet@2", "mnist_mlp", "mnist_lenet@2"]})
    assert with_run_links(table, "model", is_short=True)["model"].tolist() == [
        "run?name=mnist_lenet#lenet%402",
        "run?name=mnist_mlp#mlp",
        "run?name=mnist_lenet#lenet%402",
    ]


def test_short_text_leaves_out_the_prefix_of_most_names() -> None:
    table = pd.DataFrame({"model": ["mnist_lenet@2", "mnist_mlp@1", "live@1"]})
    texts = with_run_links(table, "model", is_short=True)["model"].str.partition("#")[2]
    assert texts.tolist() == ["lenet%402", "mlp%401", "live%401"]


def test_empty_table_stays_empty() -> None:
    assert with_run_links(pd.DataFrame({"model": []}), "model").empty
