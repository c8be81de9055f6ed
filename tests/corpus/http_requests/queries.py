"""Requests with odd names of experiments, and odd query strings."""

from collections.abc import Iterator

from tests.conftest import digit_png
from tests.corpus.http_requests.message import (
    FAILING,
    FIRST,
    INFERENCE,
    PREDICTIONS,
    SECOND,
    Request,
    form,
    good,
    part,
    post,
)
from tests.corpus.images import odd_images


def names(path: str) -> Iterator[Request]:
    """Names of experiments in the query."""
    key = b"experiment_name=" if path == INFERENCE else b"experiments="
    first = FIRST.encode()
    values: dict[str, tuple[bytes, tuple[int, ...]]] = {
        "unknown name": (b"unknown", (404,)),
        "failing model": (FAILING.encode(), (503,)),
        "second experiment": (SECOND.encode(), (200,)),
        "empty name": (b"", (400,)),
        "version 1": (first + b"@1", (200,)),
        "version 1, encoded": (first + b"%401", (200,)),
        "version 99": (first + b"@99", (404,)),
        "version 0": (first + b"@0", (400, 404)),
        "version -1": (first + b"@-1", (400, 404)),
        "version 01": (first + b"@01", (200, 400, 404)),
        "version of 5000 digits": (first + b"@" + b"9" * 5000, (400, 404)),
        "version in other digits": (first + b"@%D9%A1", (400, 404)),
        "version that is empty": (first + b"@", (400, 404)),
        "two versions": (first + b"@1@1", (400, 404)),
        "an alias": (first + b"@champion", (200, 404)),
        "champion": (b"champion", (200, 404)),
        "all": (b"all", (200,) if path == PREDICTIONS else (400,)),
        "ALL": (b"ALL", (404,)),
        "all and a version": (b"all@1", (400, 404)),
        "name in capitals": (first.upper(), (404,)),
        "name that begins a name": (first[:-1], (404,)),
        "name percent-encoded": (b"".join(b"%%%02x" % byte for byte in first), (200,)),
        "underscores percent-encoded": (first.replace(b"_", b"%5f"), (200,)),
        "name encoded twice": (first.replace(b"_", b"%255F"), (400,)),
        "name with a plus": (first + b"+", (400,)),
        "name with an encoded plus": (first + b"%2B", (400,)),
        "space after": (first + b"%20", (400,)),
        "newline after": (first + b"%0A", (400,)),
        "zero after": (first + b"%00", (400,)),
        "two dots": (b"../../etc/passwd", (400,)),
        "two dots, encoded": (b"%2e%2e%2fmodels", (400,)),
        "slash": (b"a/b", (400,)),
        "emoji": ("😀".encode(), (400,)),
        "emoji, encoded": (b"%F0%9F%98%80", (400,)),
        "bytes that are not UTF-8": (b"%ff%fe", (400,)),
        "raw bytes": (b"\xff\xfe", (400,)),
        "broken percent": (first + b"%zz", (400,)),
        "half a percent": (first + b"%", (400,)),
        "10,000 letters": (b"a" * 10_000, (400,)),
        "128 letters": (b"a" * 128, (404,)),
        "129 letters": (b"a" * 129, (400,)),
        "SQL": (b"'%20OR%201=1;--", (400,)),
        "HTML": (b"<script>", (400,)),
        "two names in one": (
            first + b"," + SECOND.encode(),
            (200,) if path == PREDICTIONS else (400,),
        ),
        "a semicolon": (first + b";x=1", (400,)),
        "digits of another script": ("١٢٣".encode(), (400,)),
        "full width letters": ("\uff41".encode(), (400,)),
        "a dash first": (b"-x", (400,)),
        "a dot first": (b".hidden", (400,)),
    }
    for name, (value, statuses) in values.items():
        # The first contract knows bare names alone; whether POST /inference takes a version too is
        # left to the service.
        others = (400,) if path == INFERENCE and ("version" in name or "alias" in name) else ()
        yield post(f"name: {name}", path, good(path), *statuses, *others, query=key + value)


def queries(path: str) -> Iterator[Request]:
    key, first = b"experiment_name=" if path == INFERENCE else b"experiments=", FIRST.encode()
    is_optional = path == PREDICTIONS
    good_query = key + first
    queries: dict[str, tuple[bytes, tuple[int, ...]]] = {
        "none": (b"", (200,) if is_optional else (400,)),
        "no value": (key[:-1], (400,)),
        "unknown parameter": (good_query + b"&more=1", (400,)),
        "unknown parameter without a value": (good_query + b"&more", ()),
        "ampersands": (b"&&" + good_query + b"&", ()),
        "an equals sign": (good_query + b"&=", ()),
        "key percent-encoded": (key.replace(b"e", b"%65", 1) + first, (200,)),
        "key in capitals": (key.upper() + first, (400,)),
        "key with brackets": (key[:-1] + b"[]=" + first, (400,)),
        "the other operation's key": (
            (b"experiments=" if path == INFERENCE else b"experiment_name=") + first,
            (200,),
        ),
        "both operations' keys": (
            b"experiments=%b&experiment_name=%b" % (first, SECOND.encode()),
            (400,) if path == INFERENCE else (200,),
        ),
        "a fragment": (good_query + b"%23x", (400,)),
        "a question mark": (b"?" + good_query, (400,)),
        "a newline": (good_query + b"%0d%0aX:%20y", (400,)),
        "1000 parameters": (
            good_query + b"".join(b"&p%d=1" % number for number in range(1000)),
            (400,),
        ),
    }
    for name, (query, statuses) in queries.items():
        yield post(f"query: {name}", path, good(path), *statuses, query=query)
    if not is_optional:
        for name, query in {
            "name twice": good_query + b"&" + good_query,
            "two names": good_query + b"&" + key + SECOND.encode(),
            "a good and a bad name": good_query + b"&" + key + b"unknown",
            "view": good_query + b"&view=true",
        }.items():
            yield post(f"query: {name}", path, good(path), query=query)


def predictions() -> Iterator[Request]:
    """Requests that only POST /predictions takes."""
    first, second, failing = (b"experiments=" + name.encode() for name in (FIRST, SECOND, FAILING))
    unknown = b"experiments=unknown"
    queries: dict[str, tuple[bytes, tuple[int, ...]]] = {
        "two experiments": (first + b"&" + second, (200,)),
        "two experiments, the other first": (second + b"&" + first, (200,)),
        "the same experiment twice": (first + b"&" + first, (200, 400)),
        "the same experiment by name and version": (first + b"&" + first + b"@1", (200, 400)),
        "all and a name": (b"experiments=all&" + first, (200, 400)),
        "all twice": (b"experiments=all&experiments=all", (200, 400)),
        "known and unknown": (first + b"&" + unknown, (200,)),
        "unknown and known": (unknown + b"&" + first, (200,)),
        "known and failing": (first + b"&" + failing, (200,)),
        "unknown and failing": (unknown + b"&" + failing, (404,)),
        "failing and unknown": (failing + b"&" + unknown, (503,)),
        "known and malformed": (first + b"&experiments=a%0A", (200, 400)),
        "known and empty": (first + b"&experiments=", (200, 400)),
        "1000 unknown": (
            b"&".join(b"experiments=n%d" % number for number in range(1000)),
            (404, 413),
        ),
        "one known a thousand times": (b"&".join([first] * 1000), (200, 400, 413)),
        "view=true": (first + b"&view=true", (200,)),
        "view=false": (first + b"&view=false", (200,)),
        "view=True": (first + b"&view=True", (200, 400)),
        "view=1": (first + b"&view=1", (200, 400)),
        "view=nonsense": (first + b"&view=nonsense", (400,)),
        "view without a value": (first + b"&view=", (400,)),
        "view twice": (first + b"&view=true&view=false", (200, 400)),
        "view first": (b"view=true&" + first, (200,)),
        "view alone": (b"view=true", (200,)),
        "log=false": (first + b"&log=false", (200,)),
        "log=true": (first + b"&log=true", (200,)),
        "log=false with a failing model": (first + b"&" + failing + b"&log=false", (200,)),
        "log=False": (first + b"&log=False", (200, 400)),
        "log=0": (first + b"&log=0", (200, 400)),
        "log=nonsense": (first + b"&log=nonsense", (400,)),
        "log without a value": (first + b"&log=", (400,)),
        "log twice": (first + b"&log=false&log=true", (200, 400)),
        "log and view": (b"log=false&view=true&" + first, (200,)),
    }
    plain = {
        "two experiments", "two experiments, the other first", "view=true", "view=false",
        "log=false", "log=true", "log and view",
    }  # fmt: skip
    for name, (query, statuses) in queries.items():
        yield post(
            f"query: {name}",
            PREDICTIONS,
            good(PREDICTIONS),
            *statuses,
            query=query,
            is_plain=name in plain,
        )

    digits = [part("images", digit_png(label)) for label in "0123456789"]
    bad = part("images", b"no image")
    yield post("ten images", PREDICTIONS, form(*digits), 200, is_plain=True)
    yield post(
        "ten images by all",
        PREDICTIONS,
        form(*digits),
        200,
        query=b"experiments=all",
        is_plain=True,
    )
    yield post(
        "ten images with their view", PREDICTIONS, form(*digits), 200, query=first + b"&view=true"
    )
    yield post("a bad image among good ones", PREDICTIONS, form(digits[0], bad, digits[1]), 200)
    yield post("bad images only", PREDICTIONS, form(bad, part("images", b"")), 200)
    yield post("one image a hundred times", PREDICTIONS, form(*digits[:1] * 100), 200)
    yield post(
        "a good image and another field", PREDICTIONS, form(digits[0], part("other", b"")), 400
    )
    yield post("1001 images", PREDICTIONS, form(*digits[:1] * 1001), 413)
    mixed = [part("images", image.data) for image in odd_images()]
    yield post("every odd image in one call", PREDICTIONS, form(*mixed), 200)
    lines = ((b"accept", b"application/x-ndjson"),)
    yield post("ten images in lines", PREDICTIONS, form(*digits), 200, extra=lines)
    yield post(
        "ten images in lines without log",
        PREDICTIONS,
        form(*digits),
        200,
        extra=lines,
        query=first + b"&log=false",
    )
    yield post("odd images in lines", PREDICTIONS, form(*mixed), 200, extra=lines)
    yield post(
        "unknown experiment in lines", PREDICTIONS, form(*digits), 404, extra=lines, query=unknown
    )
