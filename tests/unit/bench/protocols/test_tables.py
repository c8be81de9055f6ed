"""Tables of the serving protocols: goals against the native API and against measured peers."""

from __future__ import annotations

from bench.harness.wrk import Load
from bench.protocols import tables
from bench.protocols.forms import BINARY, JSON, NATIVE, ROWS
from bench.protocols.measure import IMAGES, SERVICE, ProtocolResult
from bench.protocols.peers import KSERVE, MLSERVER


def load(rate: float, error_responses: int = 0) -> Load:
    return Load(
        1000,
        requests_per_second=rate,
        p50_seconds=0.001,
        p99_seconds=0.002,
        error_responses=error_responses,
        unanswered=0,
    )


RATES = {
    (SERVICE, NATIVE): 100,
    (SERVICE, BINARY): 140,
    (SERVICE, JSON): 60,
    (SERVICE, ROWS): 50,
    (MLSERVER, JSON): 30,
    (KSERVE, JSON): 10,
    (KSERVE, ROWS): 20,
}


def result_of(*servers: str) -> ProtocolResult:
    loads = {
        (*key, images): [load(rate)]
        for key, rate in RATES.items()
        for images in IMAGES
        if key[0] in servers
    }
    return ProtocolResult(loads)


def test_goals_without_peers_compare_with_native() -> None:
    rows = tables.goals(result_of(SERVICE))
    assert [row.met for row in rows] == [True, False, True]
    assert rows[0].measured == "1.40 x (140 against 100 requests/s)"
    assert rows[0].goal == "≥ 1 x native multipart"
    assert rows[1].metric == "OIP binary, UINT8, 64 images, 1 worker, 8 connections"


def test_goals_with_peers_compare_both_json_forms() -> None:
    rows = tables.goals(result_of(SERVICE, MLSERVER, KSERVE))[2:-1]
    found = [(row.goal, row.measured.partition(" ")[0], row.met) for row in rows[::2]]
    assert found == [
        ("≥ 2 x MLServer, OIP JSON", "2.00", True),
        ("≥ 2 x MLServer, OIP JSON", "1.67", False),
        ("≥ 5 x KServe, OIP JSON", "6.00", True),
        ("≥ 5 x KServe, TFS rows", "2.50", False),
    ]


def test_failed_request_misses_a_goal() -> None:
    result = result_of(SERVICE)
    result.loads[SERVICE, JSON, 1].append(load(1, error_responses=3))
    row = tables.goals(result)[-1]
    assert (row.measured, row.met) == ("3", False)


def test_throughput_table_counts_images() -> None:
    header, _, first, second, *_ = tables.throughput_table(result_of(SERVICE)).splitlines()
    assert "images/s, 64 images a request" in header
    assert first == "| service | native multipart | 100 | 1.00 | 2.00 | 6,400 | 1.00 | 2.00 |"
    assert second == "| service | OIP binary, UINT8 | 140 | 1.40 | 2.00 | 8,960 | 1.40 | 2.00 |"
