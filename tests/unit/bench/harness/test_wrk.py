"""Load generator: requests for wrk and results from wrk."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.harness import wrk

OUTPUT = """Running 1s test @ http://127.0.0.1:40000/
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.34ms  678.21us   9.98ms   86.29%
Requests/sec:  12334.45

result """
OUTPUT += (
    '{"requests": 5000, "microseconds": 500000, "p50": 1163, "p99": 6846, '
    '"error_responses": 2, "unanswered": 1}\n'
)


def test_parse_returns_the_load() -> None:
    expected = wrk.Load(
        requests=5000,
        requests_per_second=10_000,
        p50_seconds=0.001163,
        p99_seconds=0.006846,
        error_responses=2,
        unanswered=1,
    )
    assert wrk.parse(OUTPUT) == expected


@pytest.mark.parametrize("output", ["", "unable to connect to 127.0.0.1:1 Connection refused\n"])
def test_parse_without_result_raises_with_the_output(output: str) -> None:
    with pytest.raises(wrk.LoadGenerationError, match=output.strip() or "nothing"):
        wrk.parse(output)


def test_write_requests_includes_body_lengths() -> None:
    file = wrk.write_requests([("/a?b=c", b"one\n"), ("/d", b"")])
    content = file.read_bytes()
    file.unlink()
    assert content == b"/a?b=c 4\none\n/d 0\n"


def test_find_uses_wrk_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WRK", "/somewhere/wrk")
    assert wrk.find() == "/somewhere/wrk"


def test_find_without_wrk_names_the_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("WRK", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(wrk.LoadGeneratorMissingError, match="apt install wrk"):
        wrk.find()
