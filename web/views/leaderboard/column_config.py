"""Column display of the leaderboard table: format, width and help of each column."""

from typing import Any

import pandas as pd
import streamlit as st

from web.charts import sparkline
from web.data.leaderboard.columns import EXPERIMENT, column_title
from web.tables.leaderboard_table import RUN
from web.tables.run_names import LINK_TEXT

DELTA = "\N{GREEK CAPITAL LETTER DELTA}"


def column_configs(table: pd.DataFrame, bar_range: tuple[float, float]) -> dict[str, Any]:
    """Return the display of each column of the table.

    Args:
        table: see leaderboard_table.
        bar_range: start and end of the accuracy bars in percent.

    """
    built_in = {
        RUN: st.column_config.LinkColumn(
            "Experiment",
            width=230,
            pinned=True,
            display_text=LINK_TEXT,
            help="Opens the page of the run. Names are shown without the prefix that most have.",
        ),
        "champion": st.column_config.TextColumn(
            "\N{BLACK STAR}", width=40, help="Champion of its task, see the Models page."
        ),
        "learning_rate": st.column_config.NumberColumn(format="%.4g", width=97),
        "momentum": st.column_config.NumberColumn(format="%.3g", width="small"),
        "task": st.column_config.TextColumn(width="small", help="Column Task of the CSV file."),
        "architecture": st.column_config.TextColumn(width=140),
        "outcome": st.column_config.TextColumn(
            width="small", help="Column Outcome of the CSV file."
        ),
        "test_accuracy": st.column_config.ProgressColumn(
            format="%.2f %%",
            min_value=bar_range[0],
            max_value=bar_range[1],
            width=135,
            help=f"Share of correct test images. The bars start at {bar_range[0]:.1f} %.",
        ),
        "state": st.column_config.TextColumn(
            width=85, help="running, silent, finished, failed or killed."
        ),
        "best_validation_loss": st.column_config.NumberColumn(
            format="%.4f", width=115, help="Lowest validation loss of the run."
        ),
        "best_loss": st.column_config.NumberColumn(
            format="%.4f", width=130, help="Lowest training loss of the run."
        ),
        "last_loss": st.column_config.NumberColumn(
            format="%.4f", width=130, help="Training loss at the last step."
        ),
        "accuracy_change": st.column_config.NumberColumn(
            f"{DELTA} accuracy",
            format="%+.2f",
            width=95,
            help="Change against the baseline in percentage points.",
        ),
        **{
            change: st.column_config.NumberColumn(
                f"{DELTA} {title}", format="%+.4f", width=width, help="Change against the baseline."
            )
            for change, title, width in (
                ("validation_loss_change", "validation loss", 125),
                ("training_loss_change", "training loss", 115),
            )
        },
        "started_at": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm", width=140),
        "loss_curve": st.column_config.LineChartColumn(
            width=sparkline.WIDTH_PIXELS,
            help="Training loss over the steps, scaled to its own range.",
        ),
        "serving": st.column_config.TextColumn(
            width="small", help="State of the experiment's model in the inference service."
        ),
    }
    configs = {
        column: built_in.get(column) or _extra_config(table[column])
        for column in table.columns
        if column != EXPERIMENT
    }
    # The full name is a hidden column, so that the table's own CSV download has it.
    return {
        EXPERIMENT: None,
        **{
            column: {**config, "label": config["label"] or column_title(column)}
            for column, config in configs.items()
        },
    }


def _extra_config(values: "pd.Series[Any]") -> Any:
    if pd.api.types.is_integer_dtype(values):
        return st.column_config.NumberColumn(format="%d")
    if pd.api.types.is_float_dtype(values):
        return st.column_config.NumberColumn(format="%.6g")
    return st.column_config.TextColumn()
