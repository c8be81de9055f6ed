"""Dashboard of models and drift: states, versions, evidence, accuracy."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from observability.dashboards.panels import (
    FULL,
    THIRD,
    Query,
    chart,
    dashboard,
    number,
    sql_chart,
    sql_table,
)

VERSION = "{{experiment_name}}@{{version}}"


def build() -> Dashboard:
    """Return the dashboard."""
    board = dashboard(
        "mlops-models", "ML models and drift", "Model versions, their traffic, drift and accuracy."
    )
    return (
        board.with_panel(
            number(
                "Versions",
                "Model versions by state, the same for all workers.",
                "none",
                Query("mlops_models", "{{state}}"),
                span=THIRD,
            )
        )
        .with_panel(
            number(
                "Failed updates",
                "Versions that serve earlier content, because their newer content failed.",
                "none",
                Query("mlops_model_updates_failed", "failed"),
                span=THIRD,
            )
        )
        .with_panel(
            number(
                "Champions",
                "Versions with the alias champion.",
                "none",
                Query(
                    'mlops_model_info{alias=~"(.+,)?champion(,.+)?"}', f"{{{{task}}}}: {VERSION}"
                ),
                span=THIRD,
            )
        )
        .with_panel(
            sql_chart(
                "Answers by version",
                "Answers per minute, cache hits included.",
                "short",
                "SELECT minute AS time, experiment_name || '@' || version AS metric,"
                " sum(events) AS answers FROM traffic_per_minute WHERE $__timeFilter(minute)"
                " GROUP BY 1, 2 ORDER BY 1",
            )
        )
        .with_panel(
            sql_table(
                "Accuracy on labeled images",
                "All labels. People volunteer labels where a model is wrong.",
                "SELECT a.experiment_name, a.version, a.images, a.accuracy, m.test_accuracy"
                " FROM live_accuracy a JOIN model_versions m"
                " ON m.experiment_name = a.experiment_name AND m.version = a.version"
                " AND m.digest = a.model_digest ORDER BY a.images DESC LIMIT 20",
            )
        )
        .with_row(Row("Drift"))
        .with_panel(
            chart(
                "Evidence",
                "Decimal logarithm of the evidence. Warnings begin at 7, information about labels"
                " at 6.",
                "none",
                Query("mlops_drift_evidence", f"{{{{task}}}}: {{{{family}}}}, {VERSION}"),
            )
        )
        .with_panel(
            chart(
                "Open alerts",
                "1 while an alert of the family is open.",
                "none",
                Query("mlops_drift_open", f"{{{{family}}}} ({{{{severity}}}}), {VERSION}"),
                maximum=1,
            )
        )
        .with_panel(
            chart(
                "Live accuracy",
                "Accuracy on labels that were asked for at random, with its 95 % interval, beside"
                " that of the card.",
                "percentunit",
                Query("mlops_live_accuracy", f"{VERSION}"),
                Query("mlops_live_accuracy_lower", f"{VERSION}, lower"),
                Query("mlops_live_accuracy_upper", f"{VERSION}, upper"),
                Query("mlops_test_accuracy", f"{VERSION}, card"),
                maximum=1,
            )
        )
        .with_panel(
            chart(
                "Estimated accuracy",
                "What the calibrated confidence suggests. Missing while a drift is open.",
                "percentunit",
                Query("mlops_estimated_accuracy", f"{VERSION}"),
                maximum=1,
            )
        )
        .with_panel(
            chart(
                "Examined images",
                "Images that the monitor examined and skipped, per second.",
                "cps",
                Query(
                    "sum by (task) (rate(mlops_monitor_examined_images_total[$__rate_interval]))",
                    "{{task}}",
                ),
                Query(
                    "sum by (task) (rate(mlops_monitor_skipped_images_total[$__rate_interval]))",
                    "{{task}}, skipped",
                ),
            )
        )
        .with_panel(
            chart(
                "Time since the last check",
                "Age of the monitor's last check.",
                "s",
                Query("time() - mlops_monitor_last_check_timestamp_seconds", "age"),
            )
        )
        .with_panel(
            sql_table(
                "Alerts",
                "Open alerts of the monitor. The page Monitor of the dashboard shows their images.",
                "SELECT opened_at, task, experiment_name, version, severity, families,"
                " image_number, evidence FROM open_alerts ORDER BY opened_at DESC LIMIT 50",
                span=FULL,
            )
        )
        .with_panel(
            sql_table(
                "Detectors",
                "State of each detector of the monitor.",
                "SELECT task, experiment_name, version, path, family, state, images, evidence,"
                " threshold, top_feature, origin FROM drift_now"
                " ORDER BY evidence DESC NULLS LAST LIMIT 100",
                span=FULL,
            )
        )
    )
