"""Dashboard of the learning loop and the prediction log: backlog, shipper, runs, labels."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from observability.dashboards.panels import (
    FULL,
    Query,
    chart,
    dashboard,
    number,
    sql_chart,
    sql_table,
)


def build() -> Dashboard:
    """Return the dashboard."""
    board = dashboard(
        "mlops-learning",
        "ML log and learning loop",
        "The way of predictions into Postgres, and that of labels into models.",
    )
    return (
        board.with_panel(
            number(
                "Log state",
                "State of the prediction log, as in /readyz.",
                "none",
                Query("mlops_journal_state == 1", "{{state}}"),
            )
        )
        .with_panel(
            number(
                "Backlog",
                "Age of the oldest record that is not in Postgres yet.",
                "s",
                Query("max(mlops_journal_waiting_seconds)", "age"),
            )
        )
        .with_panel(
            number(
                "Waiting runs",
                "Runs of the learning loop that no worker executes yet.",
                "none",
                Query('mlops_pipeline_runs{state="QUEUED"}', "waiting"),
            )
        )
        .with_panel(
            number(
                "Workers",
                "Live workers of the learning loop.",
                "none",
                Query("mlops_pipeline_workers", "workers"),
            )
        )
        .with_row(Row("Prediction log"))
        .with_panel(
            chart(
                "Backlog and journal",
                "Prediction log that is not in Postgres yet, and all that is on disk.",
                "bytes",
                Query("mlops_journal_waiting_bytes", "backlog"),
                Query("mlops_journal_bytes", "journal"),
            )
        )
        .with_panel(
            chart(
                "Shipped records",
                "Records written to Postgres, put aside and rejected.",
                "cps",
                Query("rate(mlops_shipper_records_total[$__rate_interval])", "shipped"),
                Query("rate(mlops_shipper_postponed_records_total[$__rate_interval])", "postponed"),
                Query(
                    "rate(mlops_shipper_quarantined_records_total[$__rate_interval])", "rejected"
                ),
            )
        )
        .with_panel(
            chart(
                "Losses",
                "Requests refused, and predictions and originals that are not in the log.",
                "cps",
                *(
                    Query(f"rate(mlops_{name}_total[$__rate_interval])", text)
                    for name, text in (
                        ("journal_refused", "refused"),
                        ("journal_dropped", "dropped"),
                        ("journal_lost", "lost"),
                        ("originals_dropped", "originals dropped"),
                    )
                ),
            )
        )
        .with_panel(
            chart(
                "Rounds of the shipper",
                "Rounds that failed, and the age of the last one that did not.",
                "none",
                Query("rate(mlops_shipper_errors_total[$__rate_interval])", "failed per second"),
                Query(
                    "time() - mlops_shipper_last_success_timestamp_seconds", "seconds since success"
                ),
            )
        )
        .with_panel(
            sql_chart(
                "Requests by client",
                "Answered predictions per minute by program.",
                "short",
                "SELECT date_trunc('minute', at) AS time, coalesce(source, 'unnamed') AS metric,"
                " count(*) AS answers FROM prediction_events WHERE $__timeFilter(at)"
                " GROUP BY 1, 2 ORDER BY 1",
            )
        )
        .with_panel(
            sql_table(
                "Images with a warning",
                "Images without a digit or with several digits.",
                "SELECT first_seen_at, warnings, media_type, width, height FROM images"
                " WHERE warnings <> '{}' ORDER BY first_seen_at DESC LIMIT 20",
            )
        )
        .with_row(Row("Learning loop"))
        .with_panel(
            chart(
                "Runs",
                "Runs by state. The state is read from Postgres every five seconds.",
                "none",
                Query("mlops_pipeline_runs", "{{state}}"),
            )
        )
        .with_panel(
            chart(
                "Queue",
                "Age of the oldest run that waits.",
                "s",
                Query("mlops_pipeline_queued_seconds", "age"),
            )
        )
        .with_panel(
            sql_table(
                "Latest runs",
                "Runs with their verdict.",
                "SELECT run_id, kind, task, experiment_name, state, created_at, finished_at,"
                " verdict, reason FROM pipeline_overview ORDER BY run_id DESC LIMIT 20",
                span=FULL,
            )
        )
        .with_panel(
            sql_table(
                "Labels that wait",
                "Labels that no run has read yet.",
                "SELECT task, source, count(*) AS labels FROM labels_waiting GROUP BY 1, 2"
                " ORDER BY 3 DESC",
            )
        )
        .with_panel(
            sql_table(
                "Champions",
                "Moves of the alias champion, latest first.",
                "SELECT since, task, experiment_name, version, moved_by, is_rollback"
                " FROM champion_timeline ORDER BY event_id DESC LIMIT 20",
            )
        )
    )
