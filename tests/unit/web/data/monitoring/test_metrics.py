"""Metrics of the service: answers of predictions by status, and the lag of the log."""

from web.data.monitoring.metrics import ServiceMetrics, parse_metrics

TEXT = """
# HELP mlops_http_requests_total Answered HTTP requests
# TYPE mlops_http_requests_total counter
mlops_http_requests_total{operation="inference",path="fast",status="200"} 90.0
mlops_http_requests_total{operation="inference",path="connexion",status="200"} 5.0
mlops_http_requests_total{operation="predictions",path="fast",status="500"} 4.0
mlops_http_requests_total{operation="predictions",path="fast",status="503"} 0.0
mlops_http_requests_total{operation="models",path="connexion",status="500"} 7.0
mlops_http_requests_total{operation="inference",status="x"} 7.0
mlops_http_requests_total{operation="inference",status="200"} broken
mlops_journal_waiting_seconds 12.5
nonsense
"""


def test_answers_of_predictions_are_counted_by_status() -> None:
    metrics = parse_metrics(TEXT)
    assert metrics == ServiceMetrics({200: 95, 500: 4}, 12.5)
    assert (metrics.answers, metrics.server_errors) == (99, 4)


def test_missing_metrics_are_unknown() -> None:
    assert parse_metrics("") == ServiceMetrics({}, None)
