"""Tables: goals and figures of the serving protocols."""

from statistics import median

from bench.protocols.forms import BINARY, JSON, NATIVE, ROWS
from bench.protocols.measure import CONNECTIONS, IMAGES, SERVICE, ProtocolResult
from bench.protocols.peers import KSERVE, MLSERVER
from bench.reporting.report import Row, format_number, markdown_table, minimum_row
from bench.reporting.sampling import ratio

MIN_OF_NATIVE = {1: 1.0, 64: 1.5}
# MLServer has no rows; both forms of the service are compared with its tensors in JSON.
PEER_GOALS = [
    (MLSERVER, 2.0, {JSON: JSON, ROWS: JSON}),
    (KSERVE, 5.0, {JSON: JSON, ROWS: ROWS}),
]


def goals(result: ProtocolResult) -> list[Row]:
    """Return the goals of binary tensors, and of the JSON forms against measured peers."""
    rows = [
        _row(result, BINARY, images, minimum, (SERVICE, NATIVE))
        for images, minimum in MIN_OF_NATIVE.items()
    ]
    rows += [
        _row(result, form, images, minimum, (peer, other))
        for peer, minimum, pairs in PEER_GOALS
        for form, other in pairs.items()
        for images in IMAGES
        if (peer, other, images) in result.loads
    ]
    failures = result.failures()
    return [*rows, Row("failed requests, serving protocols", "0", str(failures), failures == 0)]


def _row(
    result: ProtocolResult, form: str, images: int, minimum: float, other: tuple[str, str]
) -> Row:
    rates, others = result.throughput(SERVICE, form, images), result.throughput(*other, images)
    detail = f"{format_number(median(rates))} against {format_number(median(others))} requests/s"
    reference = other[1] if other[0] == SERVICE else f"{other[0]}, {other[1]}"
    noun = "image" if images == 1 else "images"
    metric = f"{form}, {images} {noun}, 1 worker, {CONNECTIONS} connections"
    return minimum_row(metric, minimum, reference, ratio(rates, others), detail)


def throughput_table(result: ProtocolResult) -> str:
    """Return the images per second of all forms and servers, and their ratios to native."""
    header = ["server", "form"]
    for images in IMAGES:
        noun = "image" if images == 1 else "images"
        header += [f"images/s, {images} {noun} a request", "of native", "p99, ms"]
    pairs = dict.fromkeys((server, form) for server, form, _ in result.loads)
    return markdown_table(header, [_figures(result, *pair) for pair in pairs])


def _figures(result: ProtocolResult, server: str, form: str) -> list[str]:
    cells = [server, form]
    for images in IMAGES:
        rates = result.throughput(server, form, images)
        of_native = ratio(rates, result.throughput(SERVICE, NATIVE, images))
        p99 = median(load.p99_seconds for load in result.loads[server, form, images])
        cells += [
            format_number(median(rates) * images),
            format_number(of_native),
            format_number(p99 * 1e3),
        ]
    return cells
