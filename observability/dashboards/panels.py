"""Panels: charts of Prometheus's series and of SQL rows, for the two provisioned datasources."""

from dataclasses import dataclass

from grafana_foundation_sdk.builders import prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders.common import ReduceDataOptions, VizLegendOptions
from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import (
    BigValueTextMode,
    LegendDisplayMode,
    LegendPlacement,
)
from grafana_foundation_sdk.models.dashboard import DataSourceRef

PROMETHEUS = DataSourceRef(type_val="prometheus", uid="prometheus")
POSTGRES = DataSourceRef(type_val="grafana-postgresql-datasource", uid="postgres")
HALF, THIRD, QUARTER, FULL = 12, 8, 6, 24  # of the 24 columns of a dashboard
CHART_HEIGHT, STAT_HEIGHT = 8, 4
TIME_SERIES, TABLE = "time_series", "table"


@dataclass
class SqlQuery(Dataquery):
    """Query of Grafana's Postgres datasource, for which the SDK has no type."""

    sql: str
    format: str
    ref_id: str

    def to_json(self) -> dict[str, object]:
        """Return the target of a panel."""
        return {
            "datasource": POSTGRES,
            "editorMode": "code",
            "format": self.format,
            "rawQuery": True,
            "rawSql": self.sql,
            "refId": self.ref_id,
        }


@dataclass
class SqlTarget(Builder[SqlQuery]):
    """Builder of an SqlQuery, as panels expect one."""

    sql: str
    format: str

    def build(self) -> SqlQuery:
        """Return the query."""
        return SqlQuery(self.sql, self.format, "A")


@dataclass(frozen=True)
class Query:
    """PromQL expression and the name of its series, such as {{operation}}."""

    expression: str
    name: str


def chart(
    title: str,
    text: str,
    unit: str,
    *queries: Query,
    span: int = HALF,
    maximum: float | None = None,
) -> timeseries.Panel:
    """Return a chart of Prometheus's series over time. `unit` is one of Grafana's."""
    panel = timeseries.Panel().title(title).description(text).datasource(PROMETHEUS).min(0)
    panel = panel.unit(unit).span(span).height(CHART_HEIGHT).legend(_legend())
    if maximum is not None:
        panel = panel.max(maximum)
    for index, query in enumerate(queries):
        panel = panel.with_target(_target(query, index).range())
    return panel


def number(title: str, text: str, unit: str, query: Query, *, span: int = QUARTER) -> stat.Panel:
    """Return the current value of a query as a number, or one number per series."""
    panel = stat.Panel().title(title).description(text).datasource(PROMETHEUS).unit(unit)
    panel = panel.reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
    panel = panel.text_mode(BigValueTextMode.VALUE_AND_NAME)
    return panel.span(span).height(STAT_HEIGHT).with_target(_target(query, 0).instant())


def sql_chart(title: str, text: str, unit: str, sql: str, *, span: int = HALF) -> timeseries.Panel:
    """Return a chart of rows with the columns time, metric (name of the series) and a value."""
    panel = timeseries.Panel().title(title).description(text).datasource(POSTGRES).unit(unit)
    panel = panel.span(span).height(CHART_HEIGHT).legend(_legend())
    return panel.with_target(SqlTarget(sql, TIME_SERIES))


def sql_table(title: str, text: str, sql: str, *, span: int = HALF) -> table.Panel:
    """Return a table of rows."""
    panel = table.Panel().title(title).description(text).datasource(POSTGRES)
    panel = panel.show_header(show_header=True)
    return panel.span(span).height(CHART_HEIGHT).with_target(SqlTarget(sql, TABLE))


def dashboard(uid: str, title: str, text: str) -> Dashboard:
    """Return an empty dashboard of the last hour, refreshed every 30 seconds."""
    board = Dashboard(title).uid(uid).description(text).tags(["mlops"]).readonly()
    return board.refresh("30s").time("now-1h", "now").timezone("browser")


def _legend() -> VizLegendOptions:
    options = VizLegendOptions().show_legend(show_legend=True)
    return options.display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)


def _target(query: Query, index: int) -> prometheus.Dataquery:
    target = prometheus.Dataquery().datasource(PROMETHEUS).expr(query.expression)
    return target.legend_format(query.name).ref_id(chr(ord("A") + index))
