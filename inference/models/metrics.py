"""Metrics of the model repository: versions by state, and what each of them is.

Workers load and compile on their own, so their states differ for a while. They publish them to each
other, and every worker reports the same combination.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from inference.models.aliases import AliasTargets
from inference.models.version import ModelVersion, State
from inference.observability.shared_directory import WorkerDocuments

# A version has the first of these states that it has in any worker.
PRECEDENCE = (State.FAILED, State.LOADING, State.READY)
MAX_DESCRIBED = 1000  # versions in mlops_model_info, those with an alias first

logger = logging.getLogger(__name__)


class _Version(NamedTuple):
    """A version as workers publish it. The fields are JSON."""

    name: str
    version: int
    state: str
    task: str
    digest: str | None
    update: str | None  # state of its newer content, which is not served yet


class ModelStates(Collector):
    """The model versions of all workers, as metrics.

    `alias_targets` returns the current targets of all aliases.
    """

    def __init__(self, workers: WorkerDocuments, alias_targets: Callable[[], AliasTargets]) -> None:
        self._workers = workers
        self._alias_targets = alias_targets

    def publish(self, models: Sequence[ModelVersion]) -> None:
        """Publish the versions of this worker. A failure is logged."""
        versions = [
            _Version(
                model.name,
                model.version,
                model.state.value,
                model.task,
                model.digest,
                None if model.update is None else model.update.state.value,
            )
            for model in models
        ]
        try:
            self._workers.publish(versions)
        except OSError as error:
            logger.error("The states of the models are missing in /metrics: %s.", error.strerror)

    def collect(self) -> Iterable[Metric]:
        """Yield the gauges."""
        versions = self._combined()
        states = Counter(version.state for version in versions)
        gauge = GaugeMetricFamily(
            "mlops_models",
            "Model versions of the model directory by state: FAILED or LOADING in any worker,"
            " READY in all.",
            labels=["state"],
        )
        for state in State:
            gauge.add_metric([state.value], states[state.value])
        yield gauge
        yield GaugeMetricFamily(
            "mlops_model_updates_failed",
            "Model versions that serve earlier content, because their newer content failed.",
            sum(version.update == State.FAILED.value for version in versions),
        )
        yield self._describe(versions)

    def _describe(self, versions: Iterable[_Version]) -> Metric:
        aliases = defaultdict(list)
        for (_, alias), target in sorted(self._alias_targets().items()):
            aliases[target.experiment_name, target.version].append(alias)
        info = GaugeMetricFamily(
            "mlops_model_info",
            "Model versions that serve, with their aliases, separated by commas. Always 1.",
            labels=["task", "experiment_name", "version", "digest", "alias"],
        )
        ready = [version for version in versions if version.state == State.READY.value]
        ready.sort(key=lambda version: version[:2] not in aliases)
        for version in ready[:MAX_DESCRIBED]:
            names = ",".join(aliases.get(version[:2], []))
            labels = [version.task, version.name, str(version.version), version.digest or "", names]
            info.add_metric(labels, 1)
        return info

    def _combined(self) -> list[_Version]:
        """Return the versions of all workers, by name and version."""
        combined: dict[tuple[str, int], _Version] = {}
        for worker in self._workers.read().values():
            for row in worker.document or ():
                version = _Version(*row)
                known = combined.get(version[:2])
                if known is None or _rank(version) < _rank(known):
                    combined[version[:2]] = version
        return [combined[key] for key in sorted(combined)]


def _rank(version: _Version) -> tuple[int, bool]:
    """Return the order in which a state of a version precedes another worker's state of it."""
    return PRECEDENCE.index(State(version.state)), version.update != State.FAILED.value
