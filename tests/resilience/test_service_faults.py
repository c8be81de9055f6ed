"""Workers die, the service is told to end, callers are slow or leave, and more of them come than it
can answer.
"""

import contextlib
import socket
import threading
import time

import pytest
import requests

from tests.integration.prediction_log.test_prediction_log import eventually, noise
from tests.resilience.stack import Faulty, chosen, figure, milliseconds
from tests.support.load import BROKEN, Load, Question, between, p99, statuses
from tests.support.slow_clients import PER_SECOND as CONNECTS_PER_SECOND
from tests.support.slow_clients import SLOW_BODY, SlowClients

pytestmark = pytest.mark.slow

CONNECTIONS, PER_SECOND = 8, 300
BACK_SECONDS = EXIT_SECONDS = CLOSED_SECONDS = 10
BASELINE_SECONDS = chosen(3, 20)
KILLS = chosen(2, 10)
SLOW, RESETTING = chosen(200, 3000), chosen(10, 100)
# What the others may lose is a factor of 2; where all of this runs on two cores, the slow clients'
# own work counts, too.
SLOWER, SLOWER_SECONDS = 2, 0.02
SPIKE, USUAL_PER_SECOND, SPIKE_SECONDS, CALM_SECONDS, WINDOW_SECONDS = (
    10,
    1000,
    chosen(5, 30),
    5,
    1.0,
)
STEADY_SECONDS, WARM_SECONDS, STEADY_PER_SECOND = chosen(8, 600), chosen(3, 60), chosen(500, 1000)
GROWN_BYTES = 100 * 2**20
IMAGES = 1000


def test_killed_worker_breaks_only_its_own_requests(stack: Faulty, asked: list[Question]) -> None:
    back = []
    with Load(stack.port, asked, 2 * CONNECTIONS, None) as load:
        for _ in range(KILLS):
            time.sleep(1)
            workers = stack.listeners()
            victim = workers[0]
            victim.suspend()  # so that its connections are known
            its_clients = stack.clients_of(victim)
            already = len([answer for answer in load.answers if answer.status == BROKEN])
            killed = time.monotonic()
            victim.kill()
            victim.wait(5)
            eventually(lambda: len(stack.listeners()) == 2, 30)
            back.append(time.monotonic() - killed)
            broken = [answer for answer in load.answers if answer.status == BROKEN][already:]
            assert {answer.client for answer in broken} <= its_clients, (
                "a request failed that another worker had"
            )
            assert len(broken) <= len(its_clients), "more failed than were in flight"
    stack.until_shipped()
    lost, doubled = stack.lost_and_doubled(load.answers)
    figure(
        f"{KILLS} workers killed",
        f"answers {statuses(load.answers)} (0: in flight on it), back after {max(back):.1f} s at most, "
        f"{len(lost)} lost, {doubled} twice",
    )
    assert set(statuses(load.answers)) <= {200, BROKEN}
    assert max(back) <= BACK_SECONDS
    assert (lost, doubled) == (set(), 0)


def test_accepted_requests_are_answered_before_exit(stack: Faulty, asked: list[Question]) -> None:
    """Small requests without end, and a large one under way."""
    large: list[requests.Response] = []
    files = [("images", noise(number)) for number in range(IMAGES)]
    caller = threading.Thread(
        target=lambda: large.append(
            requests.post(stack.url("predictions"), files=files, timeout=60)
        )
    )
    with Load(stack.port, asked, CONNECTIONS, PER_SECOND) as load:
        time.sleep(1)
        caller.start()
        time.sleep(0.1)
        told = time.monotonic()
        seconds = stack.stop_service()
    caller.join()
    before = [answer for answer in load.answers if answer.sent < told]
    unanswered = [answer for answer in before if answer.status != 200]
    stack.start_service()
    stack.until_shipped()
    lost, doubled = stack.lost_and_doubled(load.answers)
    figure(
        "SIGTERM under load",
        f"{len(before)} requests before it, {len(unanswered)} unanswered, one of {IMAGES} images: "
        f"{[each.status_code for each in large]}; "
        f"exit after {seconds:.1f} s; {len(lost)} lost, {doubled} twice",
    )
    assert unanswered == []
    assert [(each.status_code, len(each.json()["predictions"])) for each in large] == [
        (200, IMAGES)
    ]
    assert seconds <= EXIT_SECONDS
    assert set(statuses(load.answers)) <= {200, 503, BROKEN}
    assert (lost, doubled) == (set(), 0)


def test_service_exits_in_time_despite_slow_client(
    stack: Faulty,
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
    figure("SIGTERM with a slow caller, Postgres frozen", f"exit after {seconds:.1f} s")
    assert seconds <= EXIT_SECONDS


@pytest.mark.timeout(600)
def test_slow_and_resetting_clients_are_closed(stack: Faulty, asked: list[Question]) -> None:
    with Load(stack.port, asked, CONNECTIONS, PER_SECOND) as load:
        time.sleep(1)
        descriptors = stack.descriptors()
        begun = time.monotonic()
        time.sleep(BASELINE_SECONDS)
        came = time.monotonic()
        with SlowClients(stack.port, SLOW, RESETTING) as slow:
            patience = SLOW / CONNECTS_PER_SECOND + CLOSED_SECONDS + 4
            with contextlib.suppress(AssertionError):  # it is said below who is left
                eventually(lambda: slow.connected == SLOW and not slow.open, patience)
            left, opened = slow.open, slow.connected
        went = time.monotonic()
        eventually(lambda: stack.descriptors() <= descriptors + CONNECTIONS, 30)
        leaked = stack.descriptors() - descriptors
    baseline, during = (
        p99(between(load.answers, begun, came)),
        p99(between(load.answers, came, went)),
    )
    slowest = {kind: round(seconds, 1) for kind, seconds in slow.slowest.items()}
    figure(
        f"{SLOW} slow callers, {slow.resets} resets",
        f"others' answers {statuses(load.answers)}, p99 {milliseconds(during)} against {milliseconds(baseline)} before; "
        f"{left} not closed, the others after {slowest} s at most; {leaked} more descriptors",
    )
    assert set(statuses(load.answers)) == {200}
    assert opened == SLOW
    assert left == 0
    assert max(slowest.values()) <= CLOSED_SECONDS + 1  # of which they look each second
    assert during <= SLOWER * baseline + SLOWER_SECONDS


@pytest.mark.timeout(600)
def test_spike_is_answered_or_refused_and_soon_over(stack: Faulty, asked: list[Question]) -> None:
    with Load(stack.port, asked, CONNECTIONS, USUAL_PER_SECOND) as load:
        time.sleep(1)
        begun = time.monotonic()
        time.sleep(BASELINE_SECONDS)
        came = time.monotonic()
        with Load(
            stack.port, asked, 4 * SPIKE * CONNECTIONS, (SPIKE - 1) * USUAL_PER_SECOND
        ) as spike:
            time.sleep(SPIKE_SECONDS)
        went = time.monotonic()
        time.sleep(CALM_SECONDS + WINDOW_SECONDS)
    baseline = p99(between(load.answers, begun, came))
    usual = SLOWER * baseline + SLOWER_SECONDS
    windows = [went + number / 2 for number in range(int(2 * CALM_SECONDS) + 1)]
    calm = [
        start - went
        for start in windows
        if p99(between(load.answers, start, start + WINDOW_SECONDS)) <= usual
    ]
    spiked = [*spike.answers, *between(load.answers, came, went)]
    rude = [
        answer
        for answer in [*load.answers, *spike.answers]
        if answer.status == 503 and not answer.retry_after
    ]
    figure(
        f"a spike of {SPIKE * USUAL_PER_SECOND} instead of {USUAL_PER_SECOND} requests/s for {SPIKE_SECONDS} s",
        f"answers {statuses(spiked)}, {len(spiked) / (went - came):.0f} a second, p99 {milliseconds(p99(spiked))}; "
        f"back to normal after {calm[0] if calm else 'more than 5'} s ({milliseconds(baseline)} before)",
    )
    assert set(statuses(spiked)) <= {200, 503}
    assert rude == []
    assert calm, "it did not come back to normal"
    stack.drained_seconds()
    assert stack.lost_and_doubled([*load.answers, *spike.answers]) == (set(), 0)


@pytest.mark.timeout(1200)
def test_steady_load_is_answered_in_constant_memory(stack: Faulty, asked: list[Question]) -> None:
    failed: list[object] = []
    answered = 0

    def take(answer: object) -> None:
        nonlocal answered
        answered += 1
        if answer.status != 200:  # type: ignore[attr-defined]
            failed.append(answer)

    with Load(stack.port, asked, CONNECTIONS, STEADY_PER_SECOND, take):
        time.sleep(WARM_SECONDS)
        warm = most = stack.memory_bytes()
        until = time.monotonic() + STEADY_SECONDS - WARM_SECONDS
        while time.monotonic() < until:
            time.sleep(0.5)
            most = max(most, stack.memory_bytes())
    figure(
        f"steady load of {STEADY_SECONDS} s",
        f"{answered} requests, {len(failed)} failed, memory {most / 2**20:.0f} MB at most, "
        f"{(most - warm) / 2**20:.0f} MB more than warm",
    )
    assert answered > STEADY_SECONDS * STEADY_PER_SECOND / 2
    assert failed == []
    assert most - warm <= GROWN_BYTES
