"""Bad requests of MLflow's scoring server: JSON and CSV."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tests.corpus.protocol_requests import tensorflow_serving, transport
from tests.corpus.protocol_requests.message import (
    BAD_PIXELS,
    CANARY,
    MAX_IMAGES,
    PIXELS,
    BadRequest,
    flat,
    json_object,
    listed,
    rows,
)
from tests.corpus.protocol_requests.open_inference import SCALES
from tests.corpus.protocol_requests.transport import Address, GoodRequest

JSON, CSV = ("Content-Type", "application/json"), ("Content-Type", "text/csv")
NAMES = [f"pixel{index}" for index in range(PIXELS)]
ZEROS = ["0"] * PIXELS
# Cells of a CSV file that are not a whole number of 0 to 255.
BAD_CELLS = (
    "",
    " ",
    "nan",
    "NaN",
    "inf",
    "-inf",
    "null",
    "None",
    "true",
    CANARY,
    "-1",
    "256",
    "0.5",
    "127.5",
    "1e400",
    "9" * 400,
    "1_0",
    "0x7",
    "\u0661",
    "7;7",
    "1+2j",
    '"7',
)


@dataclass(frozen=True)
class Invocation:
    """A request for predictions in JSON; each member is raw, None where it is left out."""

    dataframe_split: str | None = None
    dataframe_records: str | None = None
    instances: str | None = None
    inputs: str | None = None
    params: str | None = None
    path: str = "/invocations"

    @property
    def text(self) -> str:
        """Its JSON."""
        return json_object([(name, text) for name, text in vars(self).items() if name != "path"])

    def bad(self, name: str, *mentions: str, status: int = 400) -> BadRequest:
        """Return it as a bad request."""
        body, statuses = self.text.encode(), frozenset({status})
        return BadRequest(name, self.path, body, (JSON,), statuses=statuses, mentions=mentions)


def bad_requests(model: str) -> list[BadRequest]:
    """Return bad requests; `model` is a model to which the alias champion does not point."""
    good = Invocation(inputs=listed([rows()]))
    json, csv = GoodRequest(good.path, good.text, (JSON,)), csv_of(NAMES, [ZEROS])
    named = GoodRequest(f"/mlflow/{model}/invocations", good.text, (JSON,))
    posts = [GoodRequest(path, "{}") for path in (good.path, named.path)]
    reads = ["/ping", "/health", "/version", f"/mlflow/{model}/ping"]
    return [
        *_tensors(good),
        *_frames(),
        *_tables(),
        *_types(good, csv),
        *transport.bodies(json),
        *transport.encodings(json),
        *transport.limits(json),
        *(
            request
            for post in posts
            for request in transport.methods(post, ("GET", "PUT", "DELETE"), "POST")
        ),
        *(
            request
            for path in reads
            for request in transport.methods(GoodRequest(path, ""), ("POST", "DELETE"), "GET")
        ),
        *transport.addresses(named, _addresses(model)),
    ]


def csv_of(header: Sequence[str], table: Sequence[Sequence[str]]) -> str:
    """Return the text of a CSV file."""
    return "".join(",".join(line) + "\n" for line in (header, *table))


def split(columns: str | None, data: str | None, **more: str) -> str:
    """Return the JSON of a `dataframe_split`."""
    return json_object([("columns", columns), ("data", data), *more.items()])


def _addresses(model: str) -> Iterator[Address]:
    yield f"/mlflow/{CANARY}/invocations", 404
    yield f"/mlflow/{model}@99/invocations", 404
    yield f"/mlflow/{model}@champion/invocations", 404
    yield f"/mlflow/mnist@{CANARY}/invocations", 404
    yield "/mlflow/all/invocations", 400
    yield "/mlflow/a%20b/invocations", 400
    yield f"/mlflow/{model}@01a/invocations", 400
    yield f"/mlflow/{'a' * 129}/invocations", 400


def _tensors(good: Invocation) -> Iterator[BadRequest]:
    none = Invocation()
    for name, text in tensorflow_serving.TENSORS.items():
        mentions = ("784",) if name in tensorflow_serving.SHAPES_TO_LIST else ()
        yield replace(good, inputs=text).bad(f"inputs {name}", *mentions)
        yield replace(none, instances=text).bad(f"instances {name}", *mentions)
        yield replace(good, inputs=f'{{"image":{text}}}').bad(f"named inputs {name}", *mentions)
    for name, text in BAD_PIXELS.items():
        yield replace(good, inputs=listed([rows(text)])).bad(f"pixel {name}")
        yield replace(good, inputs=listed([flat(text)])).bad(f"pixel in one list {name}")
    yield replace(good, inputs=listed([rows("0.5")])).bad("pixels of 0 to 1", "255")
    scaled = replace(good, params='{"scale":255}')
    for name, text in {**BAD_PIXELS, "half": "0.5", "above 1": "1.01"}.items():
        yield replace(scaled, inputs=listed([rows(text)])).bad(f"scaled pixel {name}")
    for name, text in SCALES.items():
        yield replace(good, params=f'{{"scale":{text}}}').bad(f"scale {name}")
    for text in ("[]", "7", f'"{CANARY}"', "true"):
        yield replace(good, params=text).bad(f"params {text[:4]}")
    unknown = f'{{"{CANARY}":{rows()}}}'
    yield replace(good, inputs=unknown).bad("inputs of another name")
    yield replace(good, inputs=listed([unknown])).bad("inputs of objects")
    yield replace(good, inputs=listed([flat()] * (MAX_IMAGES + 1))).bad("1,001 images", status=413)
    forms = {
        "dataframe_split": split(None, listed([flat()])),
        "dataframe_records": listed([_record(ZEROS)]),
        "instances": listed([rows()]),
        "inputs": listed([rows()]),
    }
    yield none.bad("no form")
    yield replace(none, params="{}").bad("only params")
    for one, two in itertools.combinations(forms, 2):
        yield replace(none, **{one: forms[one], two: forms[two]}).bad(f"{one} and {two}")
    plain = GoodRequest(good.path, "", (JSON,))
    yield plain.bad("unknown form", json_object([(CANARY, listed([rows()]))]).encode())
    yield plain.bad("known and unknown form", f'{good.text[:-1]},"{CANARY}":1}}'.encode())
    yield plain.bad("records of another orient", f'{{"dataframe":{listed([flat()])}}}'.encode())
    yield plain.bad("repeated member", f'{good.text[:-1]},"inputs":[]}}'.encode())


def _frames() -> Iterator[BadRequest]:
    names, row = listed([f'"{name}"' for name in NAMES]), flat()
    splits = {
        "null": "null",
        "a list": listed([row]),
        "a word": f'"{CANARY}"',
        "empty": "{}",
        "without data": split(names, None),
        "of null as data": split(names, "null"),
        "of a word as data": split(names, f'"{CANARY}"'),
        "of no row": split(names, "[]"),
        "of an empty row": split("[]", "[[]]"),
        "of one list": split(names, row),
        "of rows of two lengths": split(names, listed([row, flat(count=PIXELS - 1)])),
        "of a longer row": split(names, listed([row, flat(count=PIXELS + 1)])),
        "of a row that is null": split(names, listed([row, "null"])),
        "of too few columns": split(listed(['"pixel0"', '"pixel1"']), "[[0,0]]"),
        "of fewer names than columns": split('["pixel0"]', listed([row])),
        "of more names than columns": split(f"{names[:-1]},{names[1:]}", listed([row])),
        "of a word as columns": split(f'"{CANARY}"', listed([row])),
        "of columns as object": split("{}", listed([row])),
        "of equal names": split(listed(['"pixel0"'] * PIXELS), listed([row])),
        "of one name twice": split(names.replace('"pixel783"', '"pixel0"'), listed([row])),
        "of images in rows": split(names, listed([rows()])),
    }
    for name, text in splits.items():
        yield Invocation(dataframe_split=text).bad(f"split {name}")
    for name, text in BAD_PIXELS.items():
        bad = split(names, listed([flat(text)]))
        yield Invocation(dataframe_split=bad).bad(f"split pixel {name}")
    many = listed([row] * (MAX_IMAGES + 1))
    yield Invocation(dataframe_split=split(names, many)).bad("split of 1,001 rows", status=413)
    record = _record(ZEROS)
    records = {
        "null": "null",
        "empty": "[]",
        "an object": record,
        "empty records": "[{}]",
        "lists": listed([row]),
        "words": f'["{CANARY}"]',
        "a record and null": listed([record, "null"]),
        "different names": listed([record, record.replace("pixel783", "pixel784")]),
        "a shorter record": listed([record, _record(ZEROS[:-1])]),
        "one column": '[{"image":7}]',
        "a column too many": f'[{record[:-1]},"{CANARY}":0}}]',
    }
    for name, text in records.items():
        yield Invocation(dataframe_records=text).bad(f"records {name}")
    for name, text in BAD_PIXELS.items():
        bad = listed([_record([text, *ZEROS[1:]])])
        yield Invocation(dataframe_records=bad).bad(f"records pixel {name}")


def _record(values: Sequence[str]) -> str:
    return json_object(list(zip(NAMES, values, strict=False)))


def _tables() -> Iterator[BadRequest]:
    texts = {
        "empty": "",
        "line ends": "\n\n\n",
        "only a header": csv_of(NAMES, []),
        "only a row": csv_of(ZEROS, []),
        "a word": CANARY,
        "too few columns": csv_of(NAMES[:-1], [ZEROS[:-1]]),
        "too many columns": csv_of([*NAMES, "label"], [[*ZEROS, "7"]]),
        "an index": csv_of(["", *NAMES], [["0", *ZEROS]]),
        "a short row": csv_of(NAMES, [ZEROS, ZEROS[:-1]]),
        "a long row": csv_of(NAMES, [ZEROS, [*ZEROS, "0"]]),
        "a short header": csv_of(NAMES[:-1], [ZEROS]),
        "equal names": csv_of(["pixel0"] * PIXELS, [ZEROS]),
        "one name twice": csv_of([*NAMES[:-1], "pixel0"], [ZEROS]),
        "semicolons": csv_of(NAMES, [ZEROS]).replace(",", ";"),
        "JSON": Invocation(inputs=listed([rows()])).text,
        "an open quote": '"' + csv_of(NAMES, [ZEROS]),
        "NUL": csv_of(NAMES, [["\0", *ZEROS[1:]]]),
        "a cell of 200,000 characters": csv_of(NAMES, [["0" * 200_000 + "7x", *ZEROS[1:]]]),
        "100,000 columns": csv_of(["0"] * 100_000, [["0"] * 100_000]),
    }
    good = GoodRequest("/invocations", "", (CSV,))
    for name, text in texts.items():
        yield good.bad(f"CSV: {name}", text.encode())
    for cell in BAD_CELLS:
        text = csv_of(NAMES, [[cell, *ZEROS[1:]]])
        yield good.bad(f"CSV cell {cell[:9]!r}", text.encode())
    yield good.bad("CSV: Latin-1", csv_of(["\u00e4", *NAMES[1:]], [ZEROS]).encode("latin-1"))
    yield good.bad("CSV: UTF-16", csv_of(NAMES, [ZEROS]).encode("utf-16"))
    many = csv_of(NAMES, [ZEROS] * (MAX_IMAGES + 1)).encode()
    yield replace(good.bad("CSV: 1,001 rows", many), statuses=frozenset({413}))


def _types(good: Invocation, csv: str) -> Iterator[BadRequest]:
    for media_type in ("text/plain", "application/xml", "multipart/form-data", CANARY, "json"):
        yield BadRequest(
            f"type {media_type}",
            good.path,
            good.text.encode(),
            (("Content-Type", media_type),),
            statuses=frozenset({415}),
        )
    yield BadRequest("no type", good.path, good.text.encode(), statuses=frozenset({415}))
    yield BadRequest("JSON as CSV", good.path, csv.encode(), (JSON,))
