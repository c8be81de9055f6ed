"""What the benchmark reads of wrk, and what it gives it to send."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.fixtures import http_requests
from bench.harness import wrk

OUTPUT = """Running 1s test @ http://127.0.0.1:40000/
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.34ms  678.21us   9.98ms   86.29%
Requests/sec:  12334.45

result {"requests": 5000, "microseconds": 500000, "p50": 1163, "p99": 6846, "refused": 2, "broken": 1}
"""


def test_a_load_is_read_from_what_wrk_says() -> None:
    expected = wrk.Load(
        requests=5000,
        requests_per_second=10_000,
        p50_seconds=0.001163,
        p99_seconds=0.006846,
        refused=2,
        broken=1,
    )
    assert wrk.parse(OUTPUT) == expected


@pytest.mark.parametrize("output", ["", "unable to connect to 127.0.0.1:1 Connection refused\n"])
def test_what_wrk_says_instead_of_a_result_is_the_failure(output: str) -> None:
    with pytest.raises(wrk.LoadGenerationError, match=output.strip() or "nothing"):
        wrk.parse(output)


def test_requests_are_written_with_the_length_of_their_bodies() -> None:
    file = wrk.write_requests([("/a?b=c", b"one\n"), ("/d", b"")])
    content = file.read_bytes()
    file.unlink()
    assert content == b"/a?b=c 4\none\n/d 0\n"


def test_a_named_wrk_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WRK", "/somewhere/wrk")
    assert wrk.find() == "/somewhere/wrk"


def test_without_wrk_it_is_said_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("WRK", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(wrk.LoadGeneratorMissingError, match="apt install wrk"):
        wrk.find()


def test_a_call_of_many_models_names_each_in_its_query() -> None:
    path, _ = http_requests.many([b"png"], ["one", "two"])
    assert path == "/api/v1.0/predictions?experiments=one&experiments=two"
