"""Process metrics: memory, CPU time, open files and start of each worker, from /proc.

prometheus_client reports them only without several processes, and then without a label.
"""

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from inference.observability.shared_directory import WorkerDocuments


class WorkerProcessCollector(Collector):
    """Collects `process_*` with the label worker. Systems without /proc have none of them."""

    def __init__(self, workers: WorkerDocuments) -> None:
        self._workers = workers

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics of the live workers."""
        families: dict[str, GaugeMetricFamily | CounterMetricFamily] = {}
        for number, worker in self._workers.read().items():
            for metric in _of_process(worker.pid):
                kind = CounterMetricFamily if metric.type == "counter" else GaugeMetricFamily
                family = families.setdefault(
                    metric.name, kind(metric.name, metric.documentation, labels=["worker"])
                )
                for sample in metric.samples:
                    family.add_metric([str(number)], sample.value)
        yield from families.values()


def _of_process(pid: int) -> Iterable[Metric]:
    return ProcessCollector(pid=lambda: pid, registry=None).collect()
