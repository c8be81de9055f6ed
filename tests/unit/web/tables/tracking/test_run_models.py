"""Models of a run as tables."""

import pandas as pd

from tests.support.tracking import NOW, make_model
from web.tables.tracking.run_models import (
    describe_live,
    describe_test,
    model_table,
    retraining_table,
)

NBSP, DASH = "\N{NO-BREAK SPACE}", "\N{EN DASH}"


def test_accuracy_of_an_evaluation_has_its_interval() -> None:
    model = make_model(evaluated_set="base-test", evaluated_images=10_000, evaluated_correct=9_790)
    assert describe_test(model) == f"97.9{NBSP}% (97.6{DASH}98.2{NBSP}%, 10,000 images)"


def test_accuracy_on_other_images_names_the_set() -> None:
    model = make_model(evaluated_set="photos", evaluated_images=10, evaluated_correct=5)
    assert str(describe_test(model)).endswith("10 images) on photos")


def test_accuracy_of_the_card_has_no_interval() -> None:
    assert describe_test(make_model()) == f"98.00{NBSP}%"
    assert describe_test(make_model(test_accuracy=None)) is None


def test_live_accuracy_of_few_images_has_a_wide_interval() -> None:
    assert describe_live(make_model(images=10, correct=9)) == (
        f"90.0{NBSP}% (59.6{DASH}98.2{NBSP}%, 10 images)"
    )
    assert describe_live(make_model()) is None


def test_version_and_run_are_links() -> None:
    model = make_model(2, aliases=("champion", "best"), pipeline_run=5, dataset_digest="ab" * 32)
    [row] = model_table("lenet", [model]).to_dict("records")
    assert (row["version"], row["run"]) == ("models?m=lenet@2", "pipelines?run=5")
    assert (row["aliases"], row["state"], row["dataset"]) == ("champion, best", "Ready", "ab" * 6)


def test_gain_is_in_percentage_points() -> None:
    retrainings = pd.DataFrame(
        {
            "run_id": [5, 4],
            "kind": "retrain",
            "state": ["SUCCEEDED", "FAILED"],
            "created_at": NOW,
            "dataset_digest": ["ab" * 32, None],
            "gain": [0.0016, None],
            "verdict": ["PROMOTE", None],
            "candidate_version": [2, None],
            "promoted_at": [NOW, None],
        }
    )
    table = retraining_table(retrainings)
    assert list(table["run"]) == ["pipelines?run=5", "pipelines?run=4"]
    assert table["gain"].round(2).tolist()[0] == 0.16
    assert list(table["state"]) == ["Succeeded", "Failed"]
