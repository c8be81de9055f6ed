"""Service faults: killed workers, termination, slow clients, spikes, and steady load."""

import contextlib
import shutil
import socket
import threading
import time
from pathlib import Path

import pytest
import requests

from tests.integration.prediction_log.test_prediction_log import eventually, noise
from tests.resilience.stack import FaultyStack, milliseconds, print_figure
from tests.support.load import BROKEN, Load, Question, between, p99, statuses
from tests.support.repetitions import short_or_full
from tests.support.slow_clients import PER_SECOND as CONNECTS_PER_SECOND
from tests.support.slow_clients import SLOW_BODY, SlowClients

pytestmark = pytest.mark.slow

CONNECTIONS, PER_SECOND = 8, 300
BACK_SECONDS = EXIT_SECONDS = CLOSED_SECONDS = 10
DRAINING_SECONDS = 2
BASELINE_SECONDS = short_or_full(3, 20)
KILLS = short_or_full(2, 10)
SLOW, RESETTING = short_or_full(200, 3000), short_or_full(10, 100)
# Other clients may become slower by a factor of 2. On two cores, the work of the slow clients
# counts as well.
SLOWER, SLOWER_SECONDS = 2, 0.02
SPIKE, USUAL_PER_SECOND, SPIKE_SECONDS, CALM_SECONDS, WINDOW_SECONDS = (
    10,
    1000,
    short_or_full(5, 30),
    5,
    1.0,
)
STEADY_SECONDS, WARM_SECONDS, STEADY_PER_SECOND = (
    short_or_full(8, 600),
    short_or_full(3, 60),
    short_or_full(500, 1000),
)
GROWN_BYTES = 100 * 2**20
IMAGES = 1000


def test_killed_worker_breaks_only_its_own_requests(
    stack: FaultyStack, questions: list[Question]
) -> None:
    recovery_seconds = []
    with Load(stack.port, questions, 2 * CONNECTIONS, None) as load:
        for _ in range(KILLS):
            time.sleep(1)
            workers = stack.listeners()
            victim = workers[0]
            victim.suspend()  # so that its connections are known
            clients = stack.clients_of(victim)
            count = len([answer for answer in load.answers if answer.status == BROKEN])
            killed = time.monotonic()
            victim.kill()
            victim.wait(5)
            eventually(lambda: len(stack.listeners()) == 2, 30)
            recovery_seconds.append(time.monotonic() - killed)
            broken = [answer for answer in load.answers if answer.status == BROKEN][count:]
            assert {answer.client for answer in broken} <= clients, (
                "a request to another worker failed"
            )
            assert len(broken) <= len(clients), "more requests failed than were in flight"
    stack.until_shipped()
    lost, duplicated = stack.lost_and_duplicated(load.answers)
    print_figure(
        f"{KILLS} workers killed",
        f"answers {statuses(load.answers)} (0: in flight on it), recovery in at most "
        f"{max(recovery_seconds):.1f} s, {len(lost)} lost, {duplicated} twice",
    )
    assert set(statuses(load.answers)) <= {200, BROKEN}
    assert max(recovery_seconds) <= BACK_SECONDS
    assert (lost, duplicated) == (set(), 0)


def test_accepted_requests_are_answered_before_exit(
    stack: FaultyStack, questions: list[Question]
) -> None:
    """A stream of small requests, and a large one in progress."""
    large: list[requests.Response] = []
    files = [("images", noise(number)) for number in range(IMAGES)]
    client = threading.Thread(
        target=lambda: large.append(
            requests.post(stack.url("predictions"), files=files, timeout=60)
        )
    )
    with Load(stack.port, questions, CONNECTIONS, PER_SECOND) as load:
        time.sleep(1)
        client.start()
        time.sleep(0.1)
        terminated = time.monotonic()
        seconds = stack.stop_service()
    client.join()
    before = [answer for answer in load.answers if answer.sent < terminated]
    unanswered = [answer for answer in before if answer.status != 200]
    stack.start_service()
    stack.until_shipped()
    lost, duplicated = stack.lost_and_duplicated(load.answers)
    print_figure(
        "SIGTERM under load",
        f"{len(before)} requests before, {len(unanswered)} unanswered, one of {IMAGES} images: "
        f"{[response.status_code for response in large]}; "
        f"exit after {seconds:.1f} s; {len(lost)} lost, {duplicated} twice",
    )
    assert unanswered == []
    assert [(response.status_code, len(response.json()["predictions"])) for response in large] == [
        (200, IMAGES)
    ]
    assert seconds <= EXIT_SECONDS
    assert set(statuses(load.answers)) <= {200, 503, BROKEN}
    assert (lost, duplicated) == (set(), 0)


@pytest.mark.parametrize("workers", [1, 2])
def test_drain_answers_all_and_ships_all_before_exit(
    stack: FaultyStack, questions: list[Question], tmp_path: Path, workers: int
) -> None:
    """Kept connections, and a journal that ends with the service, as in a container."""
    stack.stop_service()
    kept = dict(stack.environment)
    stack.environment |= {
        "API_WORKERS": str(workers),
        "DRAIN_SECONDS": str(DRAINING_SECONDS),
        "JOURNAL_DIR": str(tmp_path / "journal"),
    }
    try:
        stack.start_service()
        service = stack.service
        assert service is not None
        with Load(stack.port, questions, CONNECTIONS, PER_SECOND) as load:
            time.sleep(1)
            before = len(load.answers)
            terminated = time.monotonic()
            service.terminate()
            eventually(lambda: stack.readiness() == (503, {"status": "draining"}), 5)
            draining = time.monotonic()
            time.sleep(DRAINING_SECONDS / 2)
        assert service.wait(EXIT_SECONDS + DRAINING_SECONDS) == 0
        seconds = time.monotonic() - terminated
    finally:
        shutil.rmtree(tmp_path / "journal")
        stack.environment = kept
    lost, duplicated = stack.lost_and_duplicated(load.answers)
    during = between(load.answers, draining, time.monotonic())
    kept_clients = {answer.client for answer in load.answers[:before]}
    print_figure(
        f"Drain of {workers} workers under load",
        f"answers {statuses(load.answers)}, {len(during)} of them while draining, over "
        f"{len({answer.client for answer in during})} connections; exit after {seconds:.1f} s; "
        f"{len(lost)} lost, {duplicated} twice",
    )
    assert set(statuses(load.answers)) == {200}
    assert len(kept_clients) == CONNECTIONS
    assert len({answer.client for answer in during}) >= len(during) - CONNECTIONS
    assert DRAINING_SECONDS <= seconds <= EXIT_SECONDS + DRAINING_SECONDS
    assert (lost, duplicated) == (set(), 0)


def test_service_exits_in_time_despite_slow_client(
    stack: FaultyStack,
) -> None:
    with socket.create_connection(("127.0.0.1", stack.port)) as slow:
        slow.sendall(SLOW_BODY)
        assert stack.infer(noise(0)).status_code == 200
        freezing = threading.Thread(target=stack.freeze_database, args=[15])
        freezing.start()
        time.sleep(0.5)
        assert stack.infer(noise(1)).status_code == 200
        seconds = stack.stop_service()
    freezing.join()
    print_figure("SIGTERM with a slow client, Postgres frozen", f"exit after {seconds:.1f} s")
    assert seconds <= EXIT_SECONDS


@pytest.mark.timeout(600)
def test_slow_and_resetting_clients_are_closed(
    stack: FaultyStack, questions: list[Question]
) -> None:
    with Load(stack.port, questions, CONNECTIONS, PER_SECOND) as load:
        time.sleep(1)
        descriptors = stack.descriptors()
        started = time.monotonic()
        time.sleep(BASELINE_SECONDS)
        slow_start = time.monotonic()
        with SlowClients(stack.port, SLOW, RESETTING) as slow:
            timeout = SLOW / CONNECTS_PER_SECOND + CLOSED_SECONDS + 4
            with contextlib.suppress(AssertionError):  # the assertions below report it
                eventually(lambda: slow.connected == SLOW and not slow.open, timeout)
            remaining, opened = slow.open, slow.connected
        slow_end = time.monotonic()
        eventually(lambda: stack.descriptors() <= descriptors + CONNECTIONS, 30)
        leaked = stack.descriptors() - descriptors
    baseline, during = (
        p99(between(load.answers, started, slow_start)),
        p99(between(load.answers, slow_start, slow_end)),
    )
    slowest = {kind: round(seconds, 1) for kind, seconds in slow.slowest.items()}
    print_figure(
        f"{SLOW} slow clients, {slow.resets} resets",
        f"others' answers {statuses(load.answers)}, p99 {milliseconds(during)} against "
        f"{milliseconds(baseline)} before; {remaining} not closed, the others after at most "
        f"{slowest} s; {leaked} more descriptors",
    )
    assert set(statuses(load.answers)) == {200}
    assert opened == SLOW
    assert remaining == 0
    assert max(slowest.values()) <= CLOSED_SECONDS + 1  # they check each second
    assert during <= SLOWER * baseline + SLOWER_SECONDS


@pytest.mark.timeout(600)
def test_spike_is_answered_or_refused_and_soon_over(
    stack: FaultyStack, questions: list[Question]
) -> None:
    with Load(stack.port, questions, CONNECTIONS, USUAL_PER_SECOND) as load:
        time.sleep(1)
        started = time.monotonic()
        time.sleep(BASELINE_SECONDS)
        spike_start = time.monotonic()
        with Load(
            stack.port, questions, 4 * SPIKE * CONNECTIONS, (SPIKE - 1) * USUAL_PER_SECOND
        ) as spike:
            time.sleep(SPIKE_SECONDS)
        spike_end = time.monotonic()
        time.sleep(CALM_SECONDS + WINDOW_SECONDS)
    baseline = p99(between(load.answers, started, spike_start))
    usual = SLOWER * baseline + SLOWER_SECONDS
    windows = [spike_end + number / 2 for number in range(int(2 * CALM_SECONDS) + 1)]
    calm = [
        start - spike_end
        for start in windows
        if p99(between(load.answers, start, start + WINDOW_SECONDS)) <= usual
    ]
    spiked = [*spike.answers, *between(load.answers, spike_start, spike_end)]
    without_retry_after = [
        answer
        for answer in [*load.answers, *spike.answers]
        if answer.status == 503 and not answer.retry_after
    ]
    print_figure(
        f"a spike of {SPIKE * USUAL_PER_SECOND} instead of {USUAL_PER_SECOND} requests/s "
        f"for {SPIKE_SECONDS} s",
        f"answers {statuses(spiked)}, {len(spiked) / (spike_end - spike_start):.0f} a second, "
        f"p99 {milliseconds(p99(spiked))}; back to normal after "
        f"{calm[0] if calm else 'more than 5'} s ({milliseconds(baseline)} before)",
    )
    assert set(statuses(spiked)) <= {200, 503}
    assert without_retry_after == []
    assert calm, "latency did not return to normal"
    stack.drain_seconds()
    assert stack.lost_and_duplicated([*load.answers, *spike.answers]) == (set(), 0)


@pytest.mark.timeout(1200)
def test_steady_load_is_answered_in_constant_memory(
    stack: FaultyStack, questions: list[Question]
) -> None:
    failed: list[object] = []
    answered = 0

    def take(answer: object) -> None:
        nonlocal answered
        answered += 1
        if answer.status != 200:  # type: ignore[attr-defined]
            failed.append(answer)

    with Load(stack.port, questions, CONNECTIONS, STEADY_PER_SECOND, take):
        time.sleep(WARM_SECONDS)
        warm = peak = stack.memory_bytes()
        until = time.monotonic() + STEADY_SECONDS - WARM_SECONDS
        while time.monotonic() < until:
            time.sleep(0.5)
            peak = max(peak, stack.memory_bytes())
    print_figure(
        f"steady load of {STEADY_SECONDS} s",
        f"{answered} requests, {len(failed)} failed, memory at most {peak / 2**20:.0f} MB, "
        f"{(peak - warm) / 2**20:.0f} MB more than warm",
    )
    assert answered > STEADY_SECONDS * STEADY_PER_SECOND / 2
    assert failed == []
    assert peak - warm <= GROWN_BYTES
