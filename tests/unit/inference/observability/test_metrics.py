"""Metrics: counters and histograms of this process, and collectors that are read when asked."""

import re
from collections.abc import Iterable
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from inference.observability.metrics import FIRST_STATUSES, LIMITS, SECONDS_BUCKETS, Metrics

ROOT = Path(__file__).parents[4]


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


def test_buckets_surround_the_longest_wait() -> None:
    """The dashboard waits 8 s. A p99 between two distant buckets would be a guess."""
    assert {0.2, 0.25, 2, 10} <= set(SECONDS_BUCKETS)
    assert sorted(SECONDS_BUCKETS) == list(SECONDS_BUCKETS)


def test_counters_start_at_zero() -> None:
    text = Metrics().text()
    for name in ("cache_hits", "journal_refused", "journal_dropped", "predictions_sampled_out"):
        assert f"mlops_{name}_total 0.0" in text


def test_created_series_exist_at_zero() -> None:
    metrics = Metrics()
    metrics.create_series(["inference", "other"], ["inference"])
    metrics.create_task("parity")
    text, name = metrics.text(), "mlops_http_requests_total"
    for operation in ("inference", "other"):
        for status in FIRST_STATUSES:
            labels = f'operation="{operation}",path="connexion",status="{status}"'
            assert f"{name}{{{labels}}} 0.0" in text
    seconds = "mlops_http_request_duration_seconds_count"
    assert f'{seconds}{{operation="inference"}} 0.0' in text
    assert f'{seconds}{{operation="other"}}' not in text
    assert f'{name}{{operation="inference",path="fast",status="200"}} 0.0' in text
    assert f'{name}{{operation="other",path="fast"' not in text
    assert 'mlops_predictions_total{task="parity"} 0.0' in text


def test_limits_are_those_of_the_documentation() -> None:
    page = (ROOT / "doc" / "security.md").read_text()
    table = page[page.index("label in `mlops_limit_hits_total`") :].split("\n\n")[0]
    cells = [row.split("|")[-2] for row in table.splitlines()[2:]]
    assert {name for cell in cells for name in re.findall(r"`(\w+)`", cell)} == set(LIMITS)


def test_limits_exist_at_zero_and_count() -> None:
    metrics = Metrics()
    metrics.create_series([], [])
    metrics.count_limit("host")
    text = metrics.text()
    assert 'mlops_limit_hits_total{limit="host"} 1.0' in text
    assert 'mlops_limit_hits_total{limit="uploads"} 0.0' in text


def test_registered_collector_is_read_at_each_request() -> None:
    metrics, queue = Metrics(), Queue()
    metrics.register(queue)
    assert "queue 1.0" in metrics.text()
    queue.value = 7
    assert "queue 7.0" in metrics.text()


def test_instances_do_not_share_counts() -> None:
    first, second = Metrics(), Metrics()
    first.count_predictions("mnist", 3)
    second.create_task("mnist")
    assert 'mlops_predictions_total{task="mnist"} 3.0' in first.text()
    assert 'mlops_predictions_total{task="mnist"} 0.0' in second.text()
