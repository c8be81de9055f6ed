"""Scoring on a real Dask cluster gives one process's result, whatever dies meanwhile."""

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dask
import numpy as np
import psutil
import pytest

from bench.harness.dask_cluster import DaskCluster, client_of
from pipeline.scale import chunk_runner, executor, scoring
from pipeline.scale.chunk import ChunkScores
from pipeline.scale.chunk_runner import ChunkRunner
from pipeline.scale.executor import ScaleUnavailableError, open_executor
from pipeline.scale.scored_images import ScoredImages
from pipeline.scale.scored_models import ScoredModel, select_models
from pipeline.scale.scoring import score
from tests.support import scaled_functions
from tests.support.serial_executor import serial_runner

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    # Dask's client leaves sockets to the garbage collector when its scheduler is gone.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
SHIPPED = Path(__file__).parents[3] / "models"
NAMES = ["mnist_experiment_12__lenet5", "mnist_experiment_28__deep_cnn_8_16_32_short"]
IMAGES = 20_000


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[ScoredModel, ...]:
    compiled = tmp_path_factory.mktemp("compiled")
    return select_models(SHIPPED, compiled, NAMES, "mnist", {}, lambda: None).models


@pytest.fixture(scope="module")
def images() -> ScoredImages:
    pixels = np.random.default_rng(4).integers(0, 256, (IMAGES, 28, 28), np.uint8)
    digests = [hashlib.sha256(image.tobytes()).hexdigest() for image in pixels]
    return ScoredImages(pixels, digests, [None] * IMAGES)


@pytest.fixture(scope="module")
def expected(models: tuple[ScoredModel, ...], images: ScoredImages) -> ChunkScores:
    return score(images, models, serial_runner(), lambda _: None)


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DaskCluster]:
    monkeypatch.setattr(scoring, "MAX_CHUNK", 500)  # 40 tasks
    with DaskCluster(tmp_path) as cluster:
        yield cluster


def score_on(
    cluster: DaskCluster,
    images: ScoredImages,
    models: tuple[ScoredModel, ...],
    on_progress: Callable[[int], None] = lambda _: None,
) -> ChunkScores:
    def check_workers() -> None:
        with open_executor(cluster.url):
            pass

    runner = ChunkRunner(lambda: open_executor(cluster.url), check_workers)
    return score(images, models, runner, on_progress)


def assert_equal(scores: ChunkScores, expected: ChunkScores) -> None:
    assert scores.labels.tobytes() == expected.labels.tobytes()
    assert scores.confidences.tobytes() == expected.confidences.tobytes()


class OnceAfter:
    """Runs an action once, when this many images are done."""

    def __init__(self, images: int, action: Callable[[], object]) -> None:
        self._images, self._action = images, action
        self.is_done = False

    def __call__(self, done: int) -> None:
        if not self.is_done and self._images <= done < IMAGES:
            self.is_done = True
            self._action()


def test_cluster_gives_the_result_of_one_process(
    cluster: DaskCluster,
    images: ScoredImages,
    models: tuple[ScoredModel, ...],
    expected: ChunkScores,
) -> None:
    cluster.start_worker()
    cluster.start_worker()
    assert len(set(cluster.wait_for_workers(2))) == 2
    assert_equal(score_on(cluster, images, models), expected)


def test_worker_killed_in_the_middle_changes_nothing(
    cluster: DaskCluster,
    images: ScoredImages,
    models: tuple[ScoredModel, ...],
    expected: ChunkScores,
) -> None:
    cluster.start_worker()
    cluster.start_worker()
    victim = cluster.wait_for_workers(2)[0]
    kill = OnceAfter(IMAGES // 4, lambda: os.kill(victim, signal.SIGKILL))

    assert_equal(score_on(cluster, images, models, kill), expected)

    assert kill.is_done
    assert not psutil.pid_exists(victim)
    assert len(set(cluster.wait_for_workers(2)) - {victim}) == 2  # its nanny has started another


def test_worker_that_joins_late_takes_part(
    cluster: DaskCluster,
    images: ScoredImages,
    models: tuple[ScoredModel, ...],
    expected: ChunkScores,
) -> None:
    """It asks for the models that the first tasks brought to the other worker."""
    cluster.start_worker()
    cluster.wait_for_workers(1)

    def start_second() -> None:
        cluster.start_worker()
        cluster.wait_for_workers(2)

    assert_equal(score_on(cluster, images, models, OnceAfter(1, start_second)), expected)


def test_scheduler_restarted_in_the_middle_changes_nothing(
    cluster: DaskCluster,
    images: ScoredImages,
    models: tuple[ScoredModel, ...],
    expected: ChunkScores,
) -> None:
    cluster.start_worker()
    cluster.wait_for_workers(1)

    def restart() -> None:
        cluster.scheduler.kill()
        cluster.scheduler.wait()
        cluster.start_scheduler()

    action = OnceAfter(IMAGES // 4, restart)
    assert_equal(score_on(cluster, images, models, action), expected)
    assert action.is_done


def test_cluster_without_a_worker_is_explained_in_time(
    cluster: DaskCluster,
    images: ScoredImages,
    models: tuple[ScoredModel, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(executor, "WORKERS_SECONDS", 3)
    with client_of(cluster.url):
        pass  # it is up
    started = time.monotonic()
    with pytest.raises(ScaleUnavailableError, match=f"{cluster.url} .*has no worker"):
        score_on(cluster, images, models)
    assert time.monotonic() - started < 90


def test_all_workers_dead_in_the_middle_is_explained_in_time(
    cluster: DaskCluster,
    images: ScoredImages,
    models: tuple[ScoredModel, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chunk_runner, "STALL_SECONDS", 3.0)
    monkeypatch.setattr(executor, "WORKERS_SECONDS", 3)
    worker = cluster.start_worker()
    cluster.wait_for_workers(1)
    stop = OnceAfter(IMAGES // 4, lambda: os.killpg(worker.pid, signal.SIGKILL))
    with pytest.raises(ScaleUnavailableError, match=f"{cluster.url} .*has no worker"):
        score_on(cluster, images, models, stop)
    assert stop.is_done


def test_scheduler_that_is_absent_is_explained_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"tcp://127.0.0.1:{closed.getsockname()[1]}"
    started = time.monotonic()
    with (
        pytest.raises(ScaleUnavailableError, match=f"{url} does not answer.*SCALE_URL"),
        open_executor(url),
    ):
        pass
    assert time.monotonic() - started < 60


def certificates(folder: Path) -> dict[str, str]:
    """Create a CA and a certificate of a node, and return Dask's settings for them."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("certificates need openssl")
    key = ["-newkey", "rsa:2048", "-nodes", "-days", "2"]
    issuer = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"]
    for command in (
        ["req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca"],
        ["req", *key[:3], "-keyout", "node.key", "-out", "node.csr", "-subj", "/CN=node"],
        ["x509", "-req", "-in", "node.csr", *issuer, "-days", "2", "-out", "node.pem"],
    ):
        subprocess.run([openssl, *command], cwd=folder, check=True, capture_output=True)
    settings = {"distributed.comm.tls.ca-file": str(folder / "ca.pem")}
    for role in ("scheduler", "worker", "client"):
        settings[f"distributed.comm.tls.{role}.cert"] = str(folder / "node.pem")
        settings[f"distributed.comm.tls.{role}.key"] = str(folder / "node.key")
    return settings


def test_cluster_with_tls_rejects_clients_without_a_certificate(tmp_path: Path) -> None:
    settings = certificates(tmp_path)
    variables = {
        "DASK_" + name.upper().replace(".", "__").replace("-", "_"): value
        for name, value in settings.items()
    }
    variables["DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION"] = "true"
    with DaskCluster(tmp_path, "tls", variables) as cluster:
        cluster.start_worker()
        with dask.config.set(settings):
            cluster.wait_for_workers(1)
            with open_executor(cluster.url) as pool:
                assert pool.submit(scaled_functions.add, 1, 2).result(60) == 3
        for url, known in (
            (cluster.url, {"distributed.comm.tls.ca-file": str(tmp_path / "ca.pem")}),
            (cluster.url.replace("tls:", "tcp:"), {}),
        ):
            with (
                dask.config.set(known),
                pytest.raises((ScaleUnavailableError, TypeError)),
                open_executor(url),
            ):
                pass


def get(port: int, path: str) -> bytes:
    """Return the beginning of an HTTP response, or what another server answers."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        try:
            return connection.recv(100)
        except TimeoutError:
            return b""


def test_cluster_listens_on_loopback_without_pages(cluster: DaskCluster) -> None:
    worker = cluster.start_worker()
    cluster.wait_for_workers(1)
    parents = [psutil.Process(cluster.scheduler.pid), psutil.Process(worker.pid)]
    processes = [*parents, *parents[1].children(recursive=True)]
    listening = [
        connection.laddr
        for process in processes
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert {address.ip for address in listening} == {"127.0.0.1"}
    pages = [get(address.port, "/status") for address in listening]
    assert not any(page.startswith(b"HTTP/1.1 200") for page in pages)
