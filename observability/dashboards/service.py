"""Dashboard of the service: requests, durations, limits, processes."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from observability.dashboards.panels import Query, chart, dashboard, number

CALLS = 'operation=~"inference|predictions"'


def build() -> Dashboard:
    """Return the dashboard."""
    board = dashboard(
        "mlops-service", "ML service", "Requests, durations, limits and processes of the service."
    )
    return (
        board.with_panel(
            number("Up", "1 while the service answers.", "none", Query('up{job="inference"}', "up"))
        )
        .with_panel(
            number(
                "Requests per second",
                "All operations, mean of five minutes.",
                "reqps",
                Query("sum(rate(mlops_http_requests_total[5m]))", "requests"),
            )
        )
        .with_panel(
            number(
                "Failed requests",
                "Share of the requests with a status of 500 or above, without checks of readiness.",
                "percentunit",
                Query(
                    'sum(rate(mlops_http_requests_total{status=~"5..",'
                    'operation!~"healthz|readyz|metrics"}[5m]))'
                    " / sum(rate(mlops_http_requests_total[5m]))",
                    "failed",
                ),
            )
        )
        .with_panel(
            number(
                "Cache hits",
                "Share of the predictions that the cache answered.",
                "percentunit",
                Query(
                    "sum(rate(mlops_cache_hits_total[5m])) / (sum(rate(mlops_cache_hits_total[5m]))"
                    " + sum(rate(mlops_predictions_total[5m])))",
                    "hits",
                ),
            )
        )
        .with_row(Row("Requests"))
        .with_panel(
            chart(
                "Requests",
                "Answered requests by operation.",
                "reqps",
                Query(
                    "sum by (operation) (rate(mlops_http_requests_total[$__rate_interval])) > 0",
                    "{{operation}}",
                ),
            )
        )
        .with_panel(
            chart(
                "Requests by status",
                "The series of 200, 400, 404, 500 and 503 exist before their first request.",
                "reqps",
                Query(
                    "sum by (status) (rate(mlops_http_requests_total[$__rate_interval]))",
                    "{{status}}",
                ),
            )
        )
        .with_panel(
            chart(
                "Duration of predictions",
                "Time from a request's headers to the end of its response.",
                "s",
                *(
                    Query(
                        f"histogram_quantile({share}, sum by (operation, le) (rate("
                        f"mlops_http_request_duration_seconds_bucket{{{CALLS}}}"
                        "[$__rate_interval])))",
                        f"{{{{operation}}}}, {name}",
                    )
                    for share, name in ((0.5, "median"), (0.99, "99 %"))
                ),
            )
        )
        .with_panel(
            chart(
                "Fast path",
                "Requests by path: fast, or connexion, which takes milliseconds more.",
                "reqps",
                Query(
                    f"sum by (path) (rate(mlops_http_requests_total{{{CALLS}}}[$__rate_interval]))",
                    "{{path}}",
                ),
            )
        )
        .with_panel(
            chart(
                "Predictions",
                "Predictions computed, images times models, without cache hits.",
                "cps",
                Query(
                    "sum by (task) (rate(mlops_predictions_total[$__rate_interval]))", "{{task}}"
                ),
            )
        )
        .with_panel(
            chart(
                "Limits",
                "Requests and connections that exceeded a limit, see doc/security.md.",
                "reqps",
                Query(
                    "sum by (limit) (rate(mlops_limit_hits_total[$__rate_interval]))", "{{limit}}"
                ),
            )
        )
        .with_row(Row("Processes"))
        .with_panel(
            chart(
                "Memory",
                "Resident memory of each worker.",
                "bytes",
                Query('process_resident_memory_bytes{job="inference"}', "worker {{worker}}"),
            )
        )
        .with_panel(
            chart(
                "CPU",
                "Cores that each worker keeps busy.",
                "none",
                Query(
                    'rate(process_cpu_seconds_total{job="inference"}[$__rate_interval])',
                    "worker {{worker}}",
                ),
            )
        )
    )
