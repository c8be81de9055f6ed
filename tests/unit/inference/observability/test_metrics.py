"""Metrics: counters and histograms of this process, and collectors that are read when asked."""

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from inference.observability.metrics import Metrics


class Queue(Collector):
    """A gauge whose value changes."""

    value = 1

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily("queue", "Length.", self.value)


def test_count_request_counts_and_times_by_labels() -> None:
    metrics = Metrics()
    metrics.count_request("inference", 200, "fast", 0.0003)
    metrics.count_request("inference", 200, "fast", 0.7)
    metrics.count_request("inference", 503, "connexion", 0.1)
    text = metrics.text()
    name = "mlops_http_requests_total"
    assert f'{name}{{operation="inference",path="fast",status="200"}} 2.0' in text
    assert f'{name}{{operation="inference",path="connexion",status="503"}} 1.0' in text
    seconds = "mlops_http_request_duration_seconds"
    assert f'{seconds}_count{{operation="inference"}} 3.0' in text
    assert f'{seconds}_bucket{{le="0.0005",operation="inference"}} 1.0' in text


def test_counters_start_at_zero() -> None:
    text = Metrics().text()
    for name in ("predictions", "cache_hits", "journal_refused", "journal_dropped"):
        assert f"mlops_{name}_total 0.0" in text


def test_registered_collector_is_read_at_each_request() -> None:
    metrics, queue = Metrics(), Queue()
    metrics.register(queue)
    assert "queue 1.0" in metrics.text()
    queue.value = 7
    assert "queue 7.0" in metrics.text()


def test_instances_do_not_share_counts() -> None:
    first, second = Metrics(), Metrics()
    first.predictions.inc()
    assert "mlops_predictions_total 0.0" in second.text()
