"""Goals: compares measurements with the performance goals of doc/performance.md."""

from collections.abc import Sequence
from statistics import median

from bench.batch_calls import FEW_IMAGES, IMAGES, MODELS, BatchResult
from bench.model_repository import FEW_MODELS, MANY_MODELS, ChangeResult, RepositoryResult
from bench.reporting.report import (
    Row,
    format_megabytes,
    format_microseconds,
    format_number,
    maximum_row,
    minimum_row,
    unmeasured_row,
)
from bench.reporting.sampling import ratio
from bench.single_image import CONNECTIONS, SingleResult

# Tolerated memory growth of a stream with ten times as many images: the bytes of the images, and
# the allocator's rounding.
MAX_STREAM_GROWTH_BYTES = 10e6
SINGLE = f"POST /inference, 1 worker, {CONNECTIONS} connections"
COMBINED = f"one image x {MODELS} models in one call"
BATCH = f"{IMAGES:,} images x 1 model in one call"
CHANGES = "new or changed model under load"


def single_image_goals(result: SingleResult, cnn_runtime: str) -> list[Row]:
    """Return the goals of POST /inference. `cnn_runtime` is the limit server's for the CNN."""
    litert = result.litert_call_seconds
    p50, p99 = result.p50("service"), result.p99("service")

    def rate_row(metric: str, minimum: float, reference: str, target: str, other: str) -> Row:
        rates, others = result.throughput(target), result.throughput(other)
        detail = f"{_compare(rates, others)} requests/s"
        return minimum_row(metric, minimum, reference, ratio(rates, others), detail)

    with_postgres = median(result.p99("service", CONNECTIONS)) * 1e3
    without_postgres = median(result.p99("service without Postgres", CONNECTIONS)) * 1e3
    rows = [
        rate_row(f"{SINGLE}, LeNet-5", 0.75, "the limit", "service", "limit"),
        rate_row(
            f"{SINGLE}, CNN with 1.2 M parameters",
            0.75,
            f"the limit with {cnn_runtime}",
            "service on the CNN",
            "limit on the CNN",
        ),
        rate_row(SINGLE, 15, "stock Connexion", "service", "stock"),
        rate_row(SINGLE, 5, "FastAPI + ONNX Runtime", "service", "fastapi_onnx"),
        rate_row(
            f"{SINGLE}, cache on, repeated images", 1, "the limit", "service with cache", "limit"
        ),
        rate_row("2 workers", 1.8, "1 worker", "service with 2 workers", "service"),
        rate_row("prediction log on", 0.9, "log off", "service", "service without log"),
        maximum_row(
            f"Postgres down, p99 at {CONNECTIONS} connections",
            10,
            "ms more",
            without_postgres - with_postgres,
            f"{format_number(without_postgres)} against {format_number(with_postgres)} ms",
        ),
        maximum_row(
            "p50 at 1 connection",
            12,
            "x one LiteRT call",
            ratio(p50, litert),
            f"{_compare_microseconds(p50, litert)} us",
        ),
        maximum_row(
            "p99 at 1 connection",
            5,
            "x p50",
            ratio(p99, p50),
            f"{format_microseconds(median(p99))} us",
        ),
    ]
    failures = {name: result.failures(name) for name in result.loads if result.failures(name)}
    text = ", ".join(f"{name}: {count}" for name, count in failures.items())
    return [*rows, Row("failed requests in all of the above", "0", text or "0", not failures)]


def batch_goals(result: BatchResult | None, reason: str) -> list[Row]:
    """Return the goals of POST /predictions. `reason` explains a missing result."""
    if result is None:
        single_calls = f"than {MODELS} single calls"
        return [
            unmeasured_row(
                f"{COMBINED}, CPU", f"≤ 1.25 x (one request + {MODELS} LiteRT calls)", reason
            ),
            unmeasured_row(f"{COMBINED}, CPU", f"≥ 4 x cheaper {single_calls}", reason),
            unmeasured_row(f"{COMBINED}, latency", f"≥ 5 x faster {single_calls}", reason),
            unmeasured_row(BATCH, "≥ 0.8 x the better runtime alone", reason),
        ]
    return [*_combined_rows(result), *_throughput_rows(result)]


def _combined_rows(result: BatchResult) -> list[Row]:
    single_cpu, litert_cpu = result.single_cpu_seconds, result.litert_cpu_seconds
    request_and_calls = [
        request + calls for request, calls in zip(single_cpu, litert_cpu, strict=True)
    ]
    separate_cpu = [MODELS * seconds for seconds in single_cpu]
    separate_latency = [MODELS * seconds for seconds in result.single_latency_seconds]
    combined_cpu = format_microseconds(median(result.combined_cpu_seconds))
    return [
        maximum_row(
            f"{COMBINED}, CPU",
            1.25,
            f"x (one request + {MODELS} LiteRT calls)",
            ratio(result.combined_cpu_seconds, request_and_calls),
            f"{combined_cpu} us against {format_microseconds(median(single_cpu))} + "
            f"{format_microseconds(median(litert_cpu))} us",
        ),
        minimum_row(
            f"{COMBINED}, CPU",
            4,
            f"cheaper than {MODELS} single calls",
            ratio(separate_cpu, result.combined_cpu_seconds),
            f"{combined_cpu} us against {format_microseconds(median(separate_cpu))} us",
        ),
        minimum_row(
            f"{COMBINED}, latency",
            5,
            f"faster than {MODELS} single calls",
            ratio(separate_latency, result.combined_latency_seconds),
            f"{_compare_microseconds(result.combined_latency_seconds, separate_latency)} us",
        ),
    ]


def _throughput_rows(result: BatchResult) -> list[Row]:
    rows = []
    for cores, rates in result.images_per_second.items():
        by_runtime = result.runtime_images_per_second[cores]
        better = max(by_runtime, key=lambda name: median(by_runtime[name]))
        plural = "s" if cores > 1 else ""
        rows.append(
            minimum_row(
                f"{BATCH}, {cores} core{plural}",
                0.8,
                f"the better runtime alone on {cores} thread{plural}, decoding included",
                ratio(rates, by_runtime[better]),
                f"{_compare(rates, by_runtime[better])} images/s of {better}",
            )
        )
    return rows


def repository_goals(result: RepositoryResult) -> list[Row]:
    """Return the goals of streaming, start, memory and growth."""
    few_rates = result.throughput[FEW_MODELS]
    many_rates = result.throughput[MANY_MODELS]
    few_bytes = median(result.memory_bytes[FEW_MODELS])
    many_bytes = median(result.memory_bytes[MANY_MODELS])
    has_tensorflow = result.has_tensorflow
    return [
        *_streaming_rows(result),
        *_start_rows(result),
        Row(
            "TensorFlow in the process", "no", "yes" if has_tensorflow else "no", not has_tensorflow
        ),
        maximum_row(f"resident memory with {FEW_MODELS} models", 120, "MB", few_bytes / 1e6),
        maximum_row(
            "resident memory per further model",
            0.3,
            "MB",
            (many_bytes - few_bytes) / (MANY_MODELS - FEW_MODELS) / 1e6,
            f"{format_megabytes(many_bytes)} MB with {MANY_MODELS:,}",
        ),
        minimum_row(
            f"throughput with {MANY_MODELS:,} models resident",
            0.95,
            f"with {FEW_MODELS}",
            ratio(many_rates, few_rates),
            f"{_compare(many_rates, few_rates)} requests/s",
        ),
    ]


def _streaming_rows(result: RepositoryResult) -> list[Row]:
    first_line, memory = "streaming, first line", "streaming, memory"
    max_megabytes = MAX_STREAM_GROWTH_BYTES / 1e6
    if result.streaming_error:
        return [
            unmeasured_row(first_line, "≤ 5 % of the call's time", result.streaming_error),
            unmeasured_row(memory, f"≤ {max_megabytes:g} MB more", result.streaming_error),
        ]
    streams = result.streaming[IMAGES]
    share = median(stream.first_line_seconds / stream.seconds for stream in streams)
    seconds = median(stream.seconds for stream in streams)
    return [
        maximum_row(
            first_line,
            5,
            "% of the call's time",
            share * 100,
            f"{IMAGES:,} images x {FEW_MODELS} models, {format_number(seconds)} s",
        ),
        maximum_row(
            memory,
            max_megabytes,
            f"MB more for {IMAGES:,} images than for {FEW_IMAGES}",
            peak_growth_bytes(result) / 1e6,
        ),
    ]


def _start_rows(result: RepositoryResult) -> list[Row]:
    imports = median(result.imports_seconds)
    rows = []
    for count, limit in ((FEW_MODELS, 1.0), (MANY_MODELS, 5.0)):
        start = median(result.start_seconds[count])
        rows.append(
            maximum_row(
                f"start to ready with {count:,} models",
                limit,
                "s beyond Python's imports",
                start - imports,
                f"{format_number(start)} s, including {format_number(imports)} s for imports",
            )
        )
    return rows


def peak_growth_bytes(result: RepositoryResult) -> float:
    """Return the difference in peak memory between calls with many and with few images."""
    peaks = zip(result.streaming[IMAGES], result.streaming[FEW_IMAGES], strict=True)
    return median(large.peak_bytes - small.peak_bytes for large, small in peaks)


def change_goals(result: ChangeResult) -> list[Row]:
    """Return the goals for models that change under load."""
    failed = sum(load.error_responses + load.unanswered for load in result.changed_loads)
    total = sum(load.requests for load in result.changed_loads)
    seen = [seconds for seconds in result.visible_seconds if seconds is not None]
    failures = Row(f"{CHANGES}, failed requests", "0", f"{failed} of {total:,}", failed == 0)
    if len(seen) < len(result.visible_seconds):
        reason = "the service does not follow its model repository"
        return [
            Row(f"{CHANGES}, visible", "≤ 2 s", reason, met=False),
            failures,
            unmeasured_row(
                f"{CHANGES}, p99 of other models", "≤ 1.1 x p99 without changes", reason
            ),
        ]
    unchanged_p99 = [load.p99_seconds for load in result.unchanged_loads]
    changed_p99 = [load.p99_seconds for load in result.changed_loads]
    return [
        maximum_row(
            f"{CHANGES}, visible",
            2,
            "s",
            max(seen),
            f"the slowest of {len(seen)}; median {format_number(median(seen))} s",
        ),
        failures,
        maximum_row(
            f"{CHANGES}, p99 of other models",
            1.1,
            "x p99 without changes",
            ratio(changed_p99, unchanged_p99),
            f"{_compare_microseconds(changed_p99, unchanged_p99)} us",
        ),
    ]


def _compare(values: Sequence[float], others: Sequence[float]) -> str:
    return f"{format_number(median(values))} against {format_number(median(others))}"


def _compare_microseconds(seconds: Sequence[float], others: Sequence[float]) -> str:
    return f"{format_microseconds(median(seconds))} against {format_microseconds(median(others))}"
