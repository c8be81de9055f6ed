"""Tables of doc/performance.md without goals: servers, parts of a request, runtimes."""

from collections.abc import Mapping, Sequence
from statistics import median

from bench.reporting.report import (
    format_megabytes,
    format_microseconds,
    format_number,
    markdown_table,
)
from bench.reporting.sampling import ratio
from bench.single_image import COMPARED, CONNECTIONS, NAIVE_CONNECTIONS, SingleResult


def servers_table(result: SingleResult) -> str:
    """Return the figures of all servers."""
    naive = median(result.throughput("naive", NAIVE_CONNECTIONS))
    rows = []
    for name in COMPARED:
        connections = NAIVE_CONNECTIONS if name == "naive" else CONNECTIONS
        rate = median(result.throughput(name, connections))
        rows.append(
            [
                name,
                format_number(rate),
                format_number(median(result.p50(name)) * 1e3),
                format_number(median(result.p99(name, connections)) * 1e3),
                format_megabytes(result.memory_bytes[name]),
                format_number(result.cold_start_seconds[name]),
                f"{format_number(rate / naive)} x",
            ]
        )
    header = [
        "server",
        f"requests/s at {CONNECTIONS}",
        "p50 at 1, ms",
        f"p99 at {CONNECTIONS}, ms",
        "memory, MB",
        "cold start, s",
        "against naive",
    ]
    return markdown_table(header, rows)


def parts_table(parts: Mapping[str, float], result: SingleResult) -> str:
    """Return the time of each part of a request, and of a whole request on a busy server."""
    rows = [[name, format_microseconds(seconds)] for name, seconds in parts.items()]
    service, bare, limit = (
        1 / median(result.throughput(name)) for name in ("service", "bare", "limit")
    )
    rest = service - bare - sum(parts.values())
    rows += [
        ["HTTP: the bare server", format_microseconds(bare)],
        ["the rest: routing, validation, metrics, log", format_microseconds(rest)],
        [
            f"**one request to the service** at {CONNECTIONS} connections, 1 / throughput",
            format_microseconds(service),
        ],
        ["one request to the limit, likewise", format_microseconds(limit)],
    ]
    return markdown_table(["part", "us"], rows)


def runtimes_table(measured: Mapping[str, Mapping[int, Mapping[str, Sequence[float]]]]) -> str:
    """Return LiteRT and ONNX Runtime by model and batch size."""
    rows = []
    for model, sizes in measured.items():
        for size, durations in sizes.items():
            litert, onnx = durations["LiteRT"], durations["ONNX Runtime"]
            rows.append(
                [
                    model,
                    str(size),
                    format_microseconds(median(litert)),
                    format_microseconds(median(onnx)),
                    f"{ratio(litert, onnx):.2f}",
                ]
            )
    return markdown_table(
        ["model", "batch", "LiteRT, us", "ONNX Runtime, us", "LiteRT / ONNX Runtime"], rows
    )
