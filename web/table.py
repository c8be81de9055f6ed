"""The leaderboard's table and its summary, as data. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from web.client import Model
from web.columns import LABELS, LARGEST_SHOWN, further, offered, usual

# What the column Serving says of a model's state.
_SERVING = {"READY": "Ready", "LOADING": "Loading", "FAILED": "Failed"}
NO_MODEL = "No model"
UNKNOWN = "API down"


@dataclass(frozen=True)
class Best:
    """The experiment that leads in one number."""

    experiment: str
    value: float


@dataclass(frozen=True)
class Summary:
    """All experiments that their file still has in one line, and how many it no longer has; what none of them has is None."""

    experiments: int
    gone: int
    best_accuracy: Best | None
    lowest_loss: Best | None
    serving: int | None


def serving_state(experiment: str, models: Mapping[str, Model] | None) -> str:
    """Say in words whether an experiment's model answers. models is None when the API is down."""
    if models is None:
        return UNKNOWN
    model = models.get(experiment)
    return NO_MODEL if model is None else _SERVING.get(model.state, model.state)


def leaderboard_table(
    experiments: pd.DataFrame,
    names: Sequence[str],
    models: Mapping[str, Model] | None,
    columns: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return the chosen experiments, the most accurate first, those without an accuracy last, between equals the newer first.

    Those of one task stand together, as accuracies of different tasks do not compare; the tasks are in alphabetical order.

    Args:
        experiments: as queries.Snapshot.experiments.
        names: the chosen ones.
        models: the served models by name, None when the API is down.
        columns: the ids of those to show, see web.columns; None for the usual ones.

    Returns:
        experiment, then the columns in their order: test_accuracy in percent, last_loss without what no table can show.

    """
    if columns is None:
        columns = usual(offered(experiments))
    rows = experiments[experiments["experiment"].isin(list(names))]
    rows = rows.sort_values("test_accuracy", ascending=False, na_position="last", kind="stable")
    rows = rows.sort_values("task", kind="stable")
    shown = rows.assign(
        test_accuracy=rows["test_accuracy"] * 100,
        last_loss=rows["last_loss"].where(rows["last_loss"] < LARGEST_SHOWN),
        serving=[serving_state(name, models) for name in rows["experiment"]],
    )
    chosen = {column: shown[column] if column in LABELS else further(rows, column) for column in columns}
    return pd.DataFrame({"experiment": shown["experiment"], **chosen}).reset_index(drop=True)


def summarise(experiments: pd.DataFrame, models: Mapping[str, Model] | None) -> Summary:
    """Say how many experiments there are, which lead, and how many of them answer."""
    known = set(experiments["experiment"])
    gone = int(experiments["missing_since"].notna().sum())
    experiments = experiments[experiments["missing_since"].isna()]
    return Summary(
        experiments=len(experiments),
        gone=gone,
        best_accuracy=_leader(experiments, "test_accuracy", highest=True),
        lowest_loss=_leader(experiments, "best_loss", highest=False),
        serving=None if models is None else sum(model.state == "READY" and model.name in known for model in models.values()),
    )


def accuracy_floor(experiments: pd.DataFrame) -> float:
    """Where the accuracy bars begin, in percent: the ten below the lowest accuracy, so that the bars differ visibly."""
    lowest = experiments["test_accuracy"].min()
    return 0.0 if pd.isna(lowest) else max(0.0, min(90.0, float(lowest * 100 // 10 * 10)))


def _leader(experiments: pd.DataFrame, column: str, *, highest: bool) -> Best | None:
    values = experiments[column].dropna()
    if values.empty:
        return None
    row = int(values.argmax() if highest else values.argmin())
    return Best(str(experiments.loc[values.index[row], "experiment"]), float(values.iloc[row]))
