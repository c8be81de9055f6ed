"""What was measured -> the rows of the goals, and the other tables of doc/performance.md. Pure."""

from collections.abc import Mapping, Sequence
from statistics import median

from bench.directory import FEW, MANY, ChangeResult, DirectoryResult
from bench.harness.wrk import Load
from bench.reporting.report import (
    Row,
    at_least,
    at_most,
    figure,
    megabytes,
    microseconds,
    not_measured,
    table,
)
from bench.reporting.sampling import ratio
from bench.single import COMPARED, CONNECTIONS, NAIVE_CONNECTIONS, SingleResult
from bench.together import FEW_IMAGES, IMAGES, MODELS, TogetherResult

# Memory that a stream of ten times as many images may take more, and still count as flat: their own
# bytes, and what an allocator rounds up to.
FLAT_BYTES = 10e6


def of_single(result: SingleResult, cnn_runtime: str) -> list[Row]:
    """Return the goals of POST /inference; the limit for the CNN runs `cnn_runtime`."""
    what = f"POST /inference, 1 worker, {CONNECTIONS} connections"
    raw = result.litert_call_seconds
    p50, p99 = result.p50("ours"), result.p99("ours")
    call = f"{microseconds(median(p50))} us against {microseconds(median(raw))} us"

    def rate(goal: str, wanted: float, reference: str, contestant: str, other: str) -> Row:
        rates, others = result.throughput(contestant), result.throughput(other)
        detail = f"{figure(median(rates))} against {figure(median(others))} requests/s"
        return at_least(goal, wanted, reference, ratio(rates, others), detail)

    away, there = result.p99("ours without Postgres", CONNECTIONS), result.p99("ours", CONNECTIONS)
    more = 1e3 * (median(away) - median(there))
    loads = f"{figure(median(away) * 1e3)} against {figure(median(there) * 1e3)} ms"
    rows = [
        rate(f"{what}, LeNet-5", 0.75, "the limit", "ours", "limit"),
        rate(f"{what}, CNN of 1.2 M", 0.75, f"the limit with {cnn_runtime}", "ours on the CNN", "limit on the CNN"),
        rate(what, 15, "stock Connexion", "ours", "stock"),
        rate(what, 5, "FastAPI + ONNX Runtime", "ours", "fastapi_onnx"),
        rate("the same with the cache on and repeated images", 1, "the limit", "ours with the cache", "limit"),
        rate("2 workers against 1", 1.8, "one worker", "ours with 2 workers", "ours"),
        rate("the log of predictions: with it against without", 0.9, "without", "ours", "ours without the log"),
        at_most(f"Postgres away, p99 at {CONNECTIONS} connections", 10, "ms more", more, loads),
        at_most("p50 at 1 connection", 12, "x one LiteRT call", ratio(p50, raw), call),
        at_most("p99 at 1 connection", 5, "x p50", ratio(p99, p50), f"{microseconds(median(p99))} us"),
    ]  # fmt: skip
    failures = {name: result.failures(name) for name in result.loads if result.failures(name)}
    told = ", ".join(f"{name}: {count}" for name, count in failures.items())
    return [*rows, Row("requests of all these that failed", "0", told or "0", not failures)]


def of_together(result: TogetherResult | None, reason: str) -> list[Row]:
    """Return the goals of POST /predictions; `reason` says why there is no result."""
    what = f"one image x {MODELS} models in one call"
    batch = f"{IMAGES:,} images x 1 model in one call"
    if result is None:
        return [
            not_measured(f"{what}, CPU", f"≤ 1.25 x (one request + {MODELS} LiteRT calls)", reason),
            not_measured(f"{what}, CPU", f"≥ 4 x cheaper than {MODELS} single calls", reason),
            not_measured(f"{what}, waiting", f"≥ 5 x sooner than {MODELS} single calls", reason),
            not_measured(batch, "≥ 0.8 x the better runtime alone", reason),
        ]
    alone = [
        request + calls for request, calls in zip(result.single_cpu, result.litert_cpu, strict=True)
    ]
    one_by_one_cpu = [MODELS * seconds for seconds in result.single_cpu]
    one_by_one_wait = [MODELS * seconds for seconds in result.single_wait]
    cpu = f"{microseconds(median(result.together_cpu))} us"
    rows = [
        at_most(
            f"{what}, CPU", 1.25, f"x (one request + {MODELS} LiteRT calls)", ratio(result.together_cpu, alone),
            f"{cpu} against {microseconds(median(result.single_cpu))} + {microseconds(median(result.litert_cpu))} us",
        ),
        at_least(
            f"{what}, CPU", 4, f"cheaper than {MODELS} single calls", ratio(one_by_one_cpu, result.together_cpu),
            f"{cpu} against {microseconds(median(one_by_one_cpu))} us",
        ),
        at_least(
            f"{what}, waiting", 5, f"sooner than {MODELS} single calls", ratio(one_by_one_wait, result.together_wait),
            f"{microseconds(median(result.together_wait))} against {microseconds(median(one_by_one_wait))} us",
        ),
    ]  # fmt: skip
    for cores, rates in result.images_per_second.items():
        by_runtime = result.runtime_images_per_second[cores]
        better = max(by_runtime, key=lambda name: median(by_runtime[name]))
        rows.append(
            at_least(
                f"{batch}, {cores} core{'s' if cores > 1 else ''}",
                0.8,
                f"the better runtime alone on {cores} thread{'s' if cores > 1 else ''}, decoding included",
                ratio(rates, by_runtime[better]),
                f"{figure(median(rates))} against {figure(median(by_runtime[better]))} images/s of {better}",
            )
        )
    return rows


def of_directory(result: DirectoryResult) -> list[Row]:
    """Return the goals of streaming, starting, memory and growth."""
    rows = []
    first, flat = "streaming, first line", "streaming, memory"
    if result.not_streamed:
        rows.append(not_measured(first, "≤ 5 % of the call's time", result.not_streamed))
        rows.append(not_measured(flat, f"≤ {FLAT_BYTES / 1e6:g} MB more", result.not_streamed))
    else:
        share = (
            median(each.first_line_seconds / each.seconds for each in result.streamed[IMAGES]) * 100
        )
        growth = peak_growth_bytes(result) / 1e6
        seconds = median(each.seconds for each in result.streamed[IMAGES])
        rows.append(
            at_most(
                first,
                5,
                "% of the call's time",
                share,
                f"{IMAGES:,} images x {FEW} models, {figure(seconds)} s",
            )
        )
        rows.append(
            at_most(
                flat,
                FLAT_BYTES / 1e6,
                f"MB more for {IMAGES:,} images than for {FEW_IMAGES}",
                growth,
            )
        )
    imports = median(result.imports_seconds)
    for count, limit in ((FEW, 1.0), (MANY, 5.0)):
        start = median(result.start_seconds[count])
        detail = f"{figure(start)} s, of which Python's imports take {figure(imports)} s"
        rows.append(
            at_most(
                f"start to ready with {count:,} models",
                limit,
                "s beyond Python's imports",
                start - imports,
                detail,
            )
        )
    rows.append(
        Row(
            "TensorFlow in the process",
            "no",
            "yes" if result.has_tensorflow else "no",
            not result.has_tensorflow,
        )
    )
    few, more = median(result.memory_bytes[FEW]), median(result.memory_bytes[MANY])
    rows.append(at_most(f"resident memory with {FEW} models", 120, "MB", few / 1e6))
    per_model = (more - few) / (MANY - FEW) / 1e6
    rows.append(
        at_most(
            "resident memory per further model",
            0.3,
            "MB",
            per_model,
            f"{megabytes(more)} MB with {MANY:,}",
        )
    )
    few_rates, more_rates = result.throughput[FEW], result.throughput[MANY]
    rates = f"{figure(median(more_rates))} against {figure(median(few_rates))} requests/s"
    rows.append(
        at_least(
            f"throughput with {MANY:,} models resident",
            0.95,
            f"with {FEW}",
            ratio(more_rates, few_rates),
            rates,
        )
    )
    return rows


def peak_growth_bytes(result: DirectoryResult) -> float:
    """Return the bytes by which the peak of a call with many images exceeds that of one with few."""
    peaks = zip(result.streamed[IMAGES], result.streamed[FEW_IMAGES], strict=True)
    return median(many.peak_bytes - few.peak_bytes for many, few in peaks)


def of_changes(result: ChangeResult) -> list[Row]:
    """Return the goals of models that change under load."""
    what = "a new or changed model under load"
    failed = sum(each.refused + each.broken for each in result.changing)
    still, changing = (
        [each.p99_seconds for each in loads] for loads in (result.still, result.changing)
    )
    seen = [seconds for seconds in result.visible_seconds if seconds is not None]
    rows = [
        Row(
            f"{what}, failed requests",
            "0",
            f"{failed} of {sum(_requests(result.changing)):,}",
            failed == 0,
        )
    ]
    if len(seen) < len(result.visible_seconds):
        reason = "the service does not follow its directory"
        return [
            Row(f"{what}, visible", "≤ 2 s", reason, met=False),
            *rows,
            not_measured(f"{what}, p99 of the others", "≤ 1.1 x p99 without changes", reason),
        ]
    p99 = f"{microseconds(median(changing))} against {microseconds(median(still))} us"
    return [
        at_most(
            f"{what}, visible",
            2,
            "s",
            max(seen),
            f"the slowest of {len(seen)}; median {figure(median(seen))} s",
        ),
        *rows,
        at_most(
            f"{what}, p99 of the others", 1.1, "x p99 without changes", ratio(changing, still), p99
        ),
    ]


def _requests(loads: Sequence[Load]) -> list[int]:
    return [each.requests for each in loads]


def servers_table(result: SingleResult) -> str:
    """Return every server's figures."""
    naive = median(result.throughput("naive", NAIVE_CONNECTIONS))
    rows = []
    for name in COMPARED:
        busy = NAIVE_CONNECTIONS if name == "naive" else CONNECTIONS
        rate = median(result.throughput(name, busy))
        rows.append(
            [
                name,
                figure(rate),
                figure(median(result.p50(name)) * 1e3),
                figure(median(result.p99(name, busy)) * 1e3),
                megabytes(result.memory_bytes[name]),
                figure(result.cold_start_seconds[name]),
                f"{figure(rate / naive)} x",
            ]
        )
    header = [
        "server",
        f"requests/s at {CONNECTIONS}",
        "p50 at 1, ms",
        f"p99 at {CONNECTIONS}, ms",
        "memory, MB",
        "cold start, s",
    ]
    return table([*header, "against naive"], rows)


def parts_table(parts: Mapping[str, float], result: SingleResult) -> str:
    """Return where a request's time goes: the parts, and what a busy server takes for a whole one."""
    rows = [[name, microseconds(seconds)] for name, seconds in parts.items()]
    whole, bare, limit = (1 / median(result.throughput(name)) for name in ("ours", "bare", "limit"))
    rows.append(["HTTP: a server without any work", microseconds(bare)])
    rest = whole - bare - sum(parts.values())
    rows.append(["the rest: routing, validation, metrics, log", microseconds(rest)])
    rows.append(
        [
            f"**one request of ours** at {CONNECTIONS} connections, 1 / throughput",
            microseconds(whole),
        ]
    )
    rows.append(["one request of the limit, likewise", microseconds(limit)])
    return table(["part", "us"], rows)


def runtimes_table(measured: Mapping[str, Mapping[int, Mapping[str, Sequence[float]]]]) -> str:
    """Return LiteRT and ONNX Runtime over sizes of batch."""
    rows = []
    for model, sizes in measured.items():
        for size, durations in sizes.items():
            lite, onnx = durations["LiteRT"], durations["ONNX Runtime"]
            rows.append(
                [
                    model,
                    str(size),
                    microseconds(median(lite)),
                    microseconds(median(onnx)),
                    f"{ratio(lite, onnx):.2f}",
                ]
            )
    return table(
        ["model", "batch", "LiteRT, us", "ONNX Runtime, us", "LiteRT / ONNX Runtime"], rows
    )
