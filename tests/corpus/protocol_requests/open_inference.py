"""Bad requests of the Open Inference Protocol in JSON."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.corpus.protocol_requests import transport
from tests.corpus.protocol_requests.message import (
    BAD_PIXELS,
    CANARY,
    DEPTH,
    MAX_IMAGES,
    PIXELS,
    TOO_MUCH,
    BadRequest,
    bracketed,
    flat,
    json_object,
    listed,
    ragged,
    rows,
)
from tests.corpus.protocol_requests.transport import Address, GoodRequest

DATATYPES = {
    "lower case": '"uint8"',
    "of NumPy": '"float32"',
    "unknown": f'"{CANARY}"',
    "BF16": '"BF16"',
    "BOOL": '"BOOL"',
    "empty": '""',
    "null": "null",
    "a number": "1",
    "a list": '["UINT8"]',
    "missing": None,
}
SHAPES = {
    "negative": "[-1,28,28]",
    "all negative": "[-1,-28,28]",
    "zero": "[0,28,28]",
    "2^62 x 784": f"[{2**62},784]",
    "2^64 + 1": f"[{2**64 + 1},28,28]",
    "400 digits": f"[{'9' * 400},28,28]",
    "wrong product": "[2,28,28]",
    "too small": "[1,27,28]",
    "bool": "[true,28,28]",
    "float": "[1.0,28,28]",
    "string": '["1",28,28]',
    "null inside": "[null,28,28]",
    "list inside": "[[1],28,28]",
    "of a million sizes": "[" + "1," * 10**6 + "784]",
    "of five dimensions": "[1,1,28,28,1]",
    "of one dimension": "[784]",
    "transposed": "[28,28,1]",
    "of another order": "[28,1,28]",
    "of other sides": "[1,14,56]",
    "of two channels": "[1,28,14,2]",
    "empty": "[]",
    "null": "null",
    "a number": "784",
    "a word": f'"{CANARY}"',
    "an object": "{}",
    "deep": "[" * DEPTH + "1" + "]" * DEPTH,
    "missing": None,
}
LARGE_SHAPES = {"2^62 x 784", "of a million sizes"}
SHAPES_TO_LIST = {"too small", "of five dimensions", "of other sides", "of two channels"}
DATA = {
    "missing": None,
    "null": "null",
    "a number": "7",
    "a word": f'"{CANARY}"',
    "an object": f'{{"{CANARY}":1}}',
    "empty": "[]",
    "too short": flat(count=PIXELS - 1),
    "too long": flat(count=PIXELS + 1),
    "ragged": listed([ragged()]),
    "empty rows": bracketed(",".join(["[]"] * 28), 2),
    "a list and numbers": "[[0]," + flat(count=PIXELS - 1)[1:],
    "numbers and a list": flat(count=PIXELS - 1)[:-1] + ",[0]]",
    "deep": "[" * DEPTH + flat() + "]" * DEPTH,
    "100,000 lists": listed(["[]"] * 100_000),
}
SCALES = {
    "a string": '"255"',
    "true": "true",
    "a list": "[255]",
    "an object": "{}",
    "zero": "0",
    "negative": "-255",
    "NaN": "NaN",
    "400 digits": "9" * 400,
}
CLASSIFICATIONS = {
    "negative": "-1",
    "a string": '"3"',
    "a word": f'"{CANARY}"',
    "a fraction": "1.5",
    "true": "true",
    "a list": "[3]",
    "an object": "{}",
}
INPUTS = {
    "missing": None,
    "null": "null",
    "empty": "[]",
    "an object": "{}",
    "a word": f'"{CANARY}"',
    "a list of null": "[null]",
    "a list of words": f'["{CANARY}"]',
    "a list of lists": "[[]]",
    "an empty object inside": "[{}]",
}
OUTPUTS = {
    "unknown": f'[{{"name":"{CANARY}"}}]',
    "unknown beside the known": f'[{{"name":"probabilities"}},{{"name":"{CANARY}"}}]',
    "a word": f'"{CANARY}"',
    "an object": '{"name":"probabilities"}',
    "a list of words": '["probabilities"]',
    "a list of null": "[null]",
    "of a number as name": '[{"name":1}]',
    "of a list as name": '[{"name":[]}]',
    "with a word as parameters": f'[{{"name":"probabilities","parameters":"{CANARY}"}}]',
}


@dataclass(frozen=True)
class Infer:
    """An inference request of one input; each member is raw JSON, None where it is left out."""

    model: str
    name: str | None = '"image"'
    datatype: str | None = '"UINT8"'
    shape: str | None = "[1,28,28]"
    data: str | None = flat()
    input_parameters: str | None = None
    inputs: str | None = ""  # instead of the one input
    outputs: str | None = None
    parameters: str | None = None
    id: str | None = f'"{CANARY}"'

    @property
    def path(self) -> str:
        """Its address."""
        return f"/v2/models/{self.model}/infer"

    @property
    def text(self) -> str:
        """Its JSON."""
        members = [("id", self.id), ("inputs", self.inputs), ("outputs", self.outputs)]
        if self.inputs == "":
            members[1] = ("inputs", listed([self.input]))
        return json_object([*members, ("parameters", self.parameters)])

    @property
    def input(self) -> str:
        """The JSON of its input."""
        members = [("name", self.name), ("datatype", self.datatype), ("shape", self.shape)]
        more = [("parameters", self.input_parameters), ("data", self.data)]
        return json_object([*members, *more])

    def bad(self, name: str, *mentions: str, status: int = 400) -> BadRequest:
        """Return it as a bad request."""
        body = self.text.encode()
        statuses = frozenset({status})
        return BadRequest(name, self.path, body, statuses=statuses, mentions=mentions)


def bad_requests(model: str) -> list[BadRequest]:
    """Return bad requests for a model, to which the alias champion does not point."""
    good = Infer(model)
    transported = GoodRequest(good.path, good.text)
    posts = GoodRequest(good.path, "{}")
    reads = [f"/v2/models/{model}", f"/v2/models/{model}/ready", "/v2", "/v2/health/live"]
    return [
        *_tensors(good),
        *_pixels(good),
        *_members(good),
        *transport.bodies(transported),
        *transport.encodings(transported),
        *transport.limits(transported),
        *transport.methods(posts, ("GET", "PUT", "PATCH", "DELETE"), "POST"),
        *(
            request
            for path in reads
            for request in transport.methods(GoodRequest(path, ""), ("POST", "DELETE"), "GET")
        ),
        *transport.addresses(transported, unknown_addresses("/v2/models/", model, "/infer")),
    ]


def unknown_addresses(prefix: str, model: str, suffix: str) -> Iterator[Address]:
    """Yield addresses of no model or of several ones, with their statuses."""
    yield f"{prefix}{CANARY}{suffix}", 404
    yield f"{prefix}{CANARY}/versions/1{suffix}", 404
    yield f"{prefix}{model}/versions/99{suffix}", 404
    yield f"{prefix}{model}/versions/0{suffix}", 404
    yield f"{prefix}{model}/versions/999999999{suffix}", 404
    yield f"{prefix}{model}@99{suffix}", 404
    yield f"{prefix}{model}@{CANARY}{suffix}", 404
    yield f"{prefix}{model}@champion{suffix}", 404
    yield f"{prefix}mnist@{CANARY}{suffix}", 404
    yield f"{prefix}{CANARY}@champion{suffix}", 404
    for version in ("01a", "1234567890", "-1", "1.0", "%D9%A1", "+1", "1%20", CANARY):
        yield f"{prefix}{model}/versions/{version}{suffix}", 400
    yield f"{prefix}all{suffix}", 400
    yield f"{prefix}a%20b{suffix}", 400
    yield f"{prefix}%00{suffix}", 400
    yield f"{prefix}%FF{suffix}", 400
    yield f"{prefix}{'a' * 129}{suffix}", 400
    yield f"{prefix}{model}@01a{suffix}", 400
    yield f"{prefix}{model}@1234567890{suffix}", 400


def _tensors(good: Infer) -> Iterator[BadRequest]:
    for name, text in DATATYPES.items():
        yield replace(good, datatype=text).bad(f"datatype {name}")
    for name, text in SHAPES.items():
        mentions = ("784",) if name in SHAPES_TO_LIST else ()
        data = flat(count=27 * 28) if name == "too small" else good.data
        request = replace(good, shape=text, data=data).bad(f"shape {name}", *mentions)
        yield replace(request, statuses=TOO_MUCH) if name in LARGE_SHAPES else request
    for name, text in DATA.items():
        yield replace(good, data=text).bad(f"data {name}")
    many = flat(count=PIXELS * (MAX_IMAGES + 1))
    shape = f"[{MAX_IMAGES + 1},784]"
    yield replace(good, shape=shape, data=many).bad("1,001 images", status=413)
    yield replace(good, shape="[0,784]", data="[]").bad("no image")
    yield replace(good, datatype='"BYTES"', shape="[1]", data=f'["{CANARY}"]').bad("BYTES in JSON")


def _pixels(good: Infer) -> Iterator[BadRequest]:
    for datatype in ("UINT8", "FP32"):
        for name, text in BAD_PIXELS.items():
            changed = replace(good, datatype=f'"{datatype}"', data=flat(text))
            yield changed.bad(f"{datatype} pixel {name}")
            changed = replace(changed, data=listed([rows(text)]))
            yield changed.bad(f"{datatype} pixel in rows {name}")
    for datatype in ("FP16", "FP32", "FP64"):
        changed = replace(good, datatype=f'"{datatype}"', data=flat("0.5"))
        yield changed.bad(f"{datatype} of 0 to 1", "255")
        scaled = replace(changed, input_parameters='{"scale":255}')
        for name, text in {**BAD_PIXELS, "half": "0.5", "above 1": "1.01"}.items():
            yield replace(scaled, data=flat(text)).bad(f"{datatype} scaled pixel {name}")
    yield replace(good, datatype='"INT8"', data=flat("-128")).bad("INT8 -128")
    yield replace(good, datatype='"INT64"', data=flat(str(-(2**63)))).bad("INT64 -2^63")
    yield replace(good, datatype='"UINT64"', data=flat(str(2**64 - 1))).bad("UINT64 2^64 - 1")


def _members(good: Infer) -> Iterator[BadRequest]:
    for name, text in SCALES.items():
        changed = replace(good, input_parameters=f'{{"scale":{text}}}', datatype='"FP32"')
        yield changed.bad(f"scale {name}")
    for text in (f'"{CANARY}"', "[]", "7"):
        yield replace(good, input_parameters=text).bad(f"input parameters {text[:1]}")
        yield replace(good, parameters=text).bad(f"parameters {text[:1]}")
    for name, text in CLASSIFICATIONS.items():
        output = f'[{{"name":"probabilities","parameters":{{"classification":{text}}}}}]'
        yield replace(good, outputs=output).bad(f"classification {name}")
    for name, inputs in INPUTS.items():
        yield replace(good, inputs=inputs).bad(f"inputs {name}")
    for name, text in OUTPUTS.items():
        yield replace(good, outputs=text).bad(f"outputs {name}")
    yield replace(good, inputs=listed([good.input, good.input])).bad("two equal inputs")
    other = replace(good, name=f'"{CANARY}"').input
    yield replace(good, inputs=listed([good.input, other])).bad("two inputs")
    for own in (f'"{CANARY}"', '"Image"', '""', "null", "7", '["image"]', None):
        yield replace(good, name=own).bad(f"input name {own and own[:3]}", "image")
    repeated = good.text[:-1] + ',"inputs":[]}'
    yield GoodRequest(good.path, "").bad("repeated member", repeated.encode())
    claims = replace(good, data=None, input_parameters='{"binary_data_size":784}')
    yield claims.bad("binary data without bytes")
    claims = replace(good, input_parameters='{"binary_data_size":784}')
    yield claims.bad("binary data and data")
