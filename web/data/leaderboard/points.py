"""Points of charts: values of any columns of the experiments of a query."""

from collections.abc import Collection, Sequence

import pandas as pd
from sqlalchemy import Engine, text

from web.data.leaderboard.groups import Binder, column_value
from web.data.leaderboard_queries import LeaderboardQuery, order_by, where_clause

_POINTS = """
    SELECT experiment_name AS experiment, task, {values}
    FROM leaderboard
    WHERE {where}
    ORDER BY {order}
    LIMIT :limit
"""


def read_points(
    engine: Engine,
    query: LeaderboardQuery,
    columns: Sequence[str],
    keys: Collection[str],
    limit: int,
) -> pd.DataFrame:
    """Read columns of the first experiments of a query.

    Args:
        engine: the database.
        query: the experiments.
        columns: different columns.
        keys: keys of params and metrics of all experiments.
        limit: highest number of experiments.

    Returns:
        experiment, task and the columns: numbers or texts, None where an experiment has none.

    Raises:
        ValueError: a column does not exist.
        SQLAlchemyError: as queries.read_snapshot.

    """
    where, parameters = where_clause(query)
    order, ordering = order_by(query)
    bind = Binder({**parameters, **ordering, "limit": limit})
    values = [column_value(column, keys, bind) for column in columns]
    statement = _POINTS.format(
        values=", ".join(f"{value} AS value_{number}" for number, value in enumerate(values)),
        where=where,
        order=order,
    )
    with engine.connect() as connection:
        rows = connection.execute(text(statement), bind.parameters).fetchall()
    return pd.DataFrame(rows, columns=["experiment", "task", *columns], dtype="object")
