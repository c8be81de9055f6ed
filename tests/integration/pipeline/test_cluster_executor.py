"""Executor on a real Dask cluster: retries, lost workers, a lost scheduler, and a sweep."""

import time
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path

import pytest

from pipeline.scale import executor as scale
from pipeline.scale.executor import ScaleUnavailableError, open_executor
from pipeline.steps import train
from tests.support import scaled_functions
from tests.support.cluster import Cluster
from tests.support.database import use_owner
from tests.support.train_step import make_context

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    # Dask's client leaves sockets to the garbage collector when its scheduler is gone.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    monkeypatch.setattr(scale, "CONNECT_SECONDS", 60)  # the scheduler is still starting
    monkeypatch.setattr(scale, "WORKERS_SECONDS", 120)
    with Cluster() as cluster:
        yield cluster


def wait_for_result(executor: Executor, cluster: Cluster) -> None:
    """Lose the scheduler while a task runs."""
    future = executor.submit(scaled_functions.pid_after, 60)
    time.sleep(1)
    cluster.kill()
    future.result()


def test_cluster_repeats_failed_and_lost_tasks(cluster: Cluster, tmp_path: Path) -> None:
    cluster.start(workers=2)
    with open_executor(cluster.url) as executor:
        sums = [executor.submit(scaled_functions.add, 1, number) for number in range(20)]
        assert [future.result() for future in sums] == list(range(1, 21))
        assert executor.submit(scaled_functions.fail_once, tmp_path / "failed").result() == "done"
        assert executor.submit(scaled_functions.die_once, tmp_path / "died").result() > 0


def test_cluster_without_workers_is_unavailable(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scale, "WORKERS_SECONDS", 1)
    cluster.start(workers=0)
    with (
        pytest.raises(ScaleUnavailableError, match=r"has no worker.*SCALE_URL"),
        open_executor(cluster.url),
    ):
        pass


def test_cluster_that_is_lost_is_unavailable_until_it_is_back(cluster: Cluster) -> None:
    cluster.start(workers=1)
    with (
        pytest.raises(ScaleUnavailableError, match="lost its computations"),
        open_executor(cluster.url) as executor,
    ):
        wait_for_result(executor, cluster)
    cluster.start(workers=1)
    with open_executor(cluster.url) as executor:
        assert executor.submit(scaled_functions.add, 1, 2).result() == 3


def test_sweep_trains_folds_on_the_cluster(
    cluster: Cluster,
    service_database: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The workers fetch the dataset from the storage."""
    use_owner(monkeypatch, service_database)
    cluster.start(workers=2)
    with open_executor(cluster.url):
        pass  # the step waits for less time
    sweep = {"momentum": [0.0, 0.9], "trials": 1}
    context = make_context(
        tmp_path,
        "mnist_experiment_1__softmax_regression",
        environ={"SCALE_URL": cluster.url},
        seeds=1,
        sweep=sweep,
    )
    outputs = train.run(context)
    rows = context.database.query(
        "SELECT outcome, validation_accuracy, params FROM trainings WHERE trial = 1"
    )
    assert [row["outcome"] for row in rows] == ["finished"] * 5
    assert outputs["chosen"]["params"] == rows[0]["params"]
    assert not list(context.work.glob("trial_*"))  # nothing was trained here
