"""Bad requests of TensorFlow Serving's REST API, which KServe's v1 shares."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.conftest import digit_png
from tests.corpus.protocol_requests import transport
from tests.corpus.protocol_requests.message import (
    BAD_PIXELS,
    CANARY,
    DEPTH,
    IMAGE_STATUSES,
    MAX_IMAGES,
    PIXELS,
    BadRequest,
    bad_images,
    bracketed,
    flat,
    json_object,
    listed,
    ragged,
    rows,
)
from tests.corpus.protocol_requests.transport import Address, GoodRequest

IMAGE = rows()
# Values of `instances` or `inputs`.
TENSORS = {
    "null": "null",
    "a number": "7",
    "a word": f'"{CANARY}"',
    "true": "true",
    "empty": "[]",
    "an empty object": "{}",
    "empty images": "[[],[]]",
    "empty rows": "[[[],[]]]",
    "too narrow": listed([rows(width=27)]),
    "too low": listed([rows(height=27)]),
    "too long": listed([flat(count=PIXELS + 1)]),
    "too short": listed([flat(count=PIXELS - 1)]),
    "too deep": bracketed(IMAGE, 3),
    "of two channels": listed([listed([rows(), rows()])]),
    "ragged": listed([ragged()]),
    "images of two shapes": listed([rows(), flat()]),
    "images of two sizes": listed([rows(), rows(width=27)]),
    "an image and null": listed([rows(), "null"]),
    "an image and a number": listed([rows(), "7"]),
    "an image and an object": listed([rows(), "{}"]),
    "nested": "[" * DEPTH + IMAGE + "]" * DEPTH,
    "100,000 lists": listed(["[]"] * 100_000),
}
SHAPES_TO_LIST = {"too narrow", "too low", "too long", "too short", "of two channels"}
# Members of an instance that is an object.
OBJECTS = {
    "of another name": f'{{"{CANARY}":{IMAGE}}}',
    "of two names": f'{{"image":{IMAGE},"{CANARY}":1}}',
    "of no image": '{"image":null}',
    "of text as image": f'{{"image":"{CANARY}"}}',
    "of a nested object": f'{{"image":{{"image":{IMAGE}}}}}',
    "of text as b64": f'{{"b64":"{CANARY}!"}}',
    "of half a b64": '{"b64":"iVBORw0KGg"}',
    "of b64 with a blank": '{"b64":"iVBO Rw0KGgo="}',
    "of null as b64": '{"b64":null}',
    "of a number as b64": '{"b64":7}',
    "of a list as b64": '{"b64":[]}',
    "of b64 and another name": f'{{"b64":"AAAA","{CANARY}":1}}',
    "of non-ASCII b64": '{"b64":"\u00e4\u00e4\u00e4\u00e4"}',
}
EXAMPLES = {
    "missing": None,
    "null": "null",
    "empty": "[]",
    "an object": f'{{"image":{IMAGE}}}',
    "images": listed([IMAGE]),
    "objects of another name": f'[{{"{CANARY}":1}}]',
    "objects of two names": f'[{{"image":{IMAGE},"{CANARY}":1}}]',
    "empty objects": "[{}]",
    "words": f'["{CANARY}"]',
    "an image and null": f'[{{"image":{IMAGE}}},null]',
    "images of two shapes": f'[{{"image":{IMAGE}}},{{"image":{flat()}}}]',
}
SIGNATURES = ('"unknown"', f'"{CANARY}"', "7", "[]", "{}", "true")


@dataclass(frozen=True)
class Predict:
    """A request for predictions; each member is raw JSON, None where it is left out."""

    model: str
    instances: str | None = listed([IMAGE])
    inputs: str | None = None
    examples: str | None = None
    signature: str | None = None
    verb: str = "predict"

    @property
    def path(self) -> str:
        """Its address."""
        return f"/v1/models/{self.model}:{self.verb}"

    @property
    def text(self) -> str:
        """Its JSON."""
        return json_object(
            [
                ("signature_name", self.signature),
                ("instances", self.instances),
                ("inputs", self.inputs),
                ("examples", self.examples),
            ]
        )

    def bad(self, name: str, *mentions: str, status: int = 400) -> BadRequest:
        """Return it as a bad request."""
        body, statuses = self.text.encode(), frozenset({status})
        return BadRequest(name, self.path, body, statuses=statuses, mentions=mentions)


def bad_requests(model: str) -> list[BadRequest]:
    """Return bad requests for a model, to which the alias champion does not point."""
    good = Predict(model)
    transported = GoodRequest(good.path, good.text)
    posts = GoodRequest(good.path, "{}")
    reads = [f"/v1/models/{model}", f"/v1/models/{model}/metadata", "/v1/models"]
    return [
        *_tensors(good),
        *_pixels(good),
        *_members(good),
        *_examples(good),
        *transport.bodies(transported),
        *transport.encodings(transported),
        *transport.limits(transported),
        *transport.methods(posts, ("GET", "PUT", "PATCH", "DELETE"), "POST"),
        *(
            request
            for path in reads
            for request in transport.methods(GoodRequest(path, ""), ("POST", "DELETE"), "GET")
        ),
        *transport.addresses(transported, _addresses(model)),
    ]


def _addresses(model: str) -> Iterator[Address]:
    prefix = "/v1/models/"
    yield f"{prefix}{CANARY}:predict", 404
    yield f"{prefix}{CANARY}:classify", 404
    yield f"{prefix}{CANARY}/versions/1:predict", 404
    yield f"{prefix}{model}/versions/99:predict", 404
    yield f"{prefix}{model}/labels/{CANARY}:predict", 404
    yield f"{prefix}{model}/labels/champion:predict", 404
    yield f"{prefix}{model}@99:predict", 404
    yield f"{prefix}{model}@champion:predict", 404
    yield f"{prefix}mnist/labels/{CANARY}:predict", 404
    yield f"{prefix}{model}/versions/01a:predict", 400, 404
    yield f"{prefix}{model}/versions/1234567890:predict", 400, 404
    yield f"{prefix}{model}/versions/-1:predict", 400, 404
    yield f"{prefix}{model}/labels/A!:predict", 400, 404
    yield f"{prefix}all:predict", 400
    yield f"{prefix}a%20b:predict", 400
    yield f"{prefix}{'a' * 129}:predict", 400


def _tensors(good: Predict) -> Iterator[BadRequest]:
    for name, text in TENSORS.items():
        mentions = ("784",) if name in SHAPES_TO_LIST else ()
        yield replace(good, instances=text).bad(f"instances {name}", *mentions)
        yield replace(good, instances=None, inputs=text).bad(f"inputs {name}", *mentions)
        keyed = f'{{"image":{text}}}'
        yield replace(good, instances=None, inputs=keyed).bad(f"named inputs {name}", *mentions)
    many = listed([flat()] * (MAX_IMAGES + 1))
    yield replace(good, instances=many).bad("1,001 images", status=413)
    yield replace(good, instances=None, inputs=many).bad("1,001 inputs", status=413)


def _pixels(good: Predict) -> Iterator[BadRequest]:
    for name, text in BAD_PIXELS.items():
        yield replace(good, instances=listed([rows(text)])).bad(f"pixel {name}")
        yield replace(good, instances=listed([flat(text)])).bad(f"pixel in one list {name}")
        keyed = listed([f'{{"image":{rows(text)}}}'])
        yield replace(good, instances=keyed).bad(f"pixel of a named image {name}")
    yield replace(good, instances=listed([rows("0.5")])).bad("pixels of 0 to 1", "255")
    scaled = replace(good, signature='"scaled"')
    for name, text in {**BAD_PIXELS, "half": "0.5", "above 1": "1.01"}.items():
        yield replace(scaled, instances=listed([rows(text)])).bad(f"scaled pixel {name}")


def _members(good: Predict) -> Iterator[BadRequest]:
    none = replace(good, instances=None)
    yield none.bad("neither instances nor inputs")
    yield replace(good, inputs=good.instances).bad("instances and inputs")
    for number, text in enumerate(SIGNATURES):
        yield replace(good, signature=text).bad(f"signature {number}")
    for name, text in OBJECTS.items():
        yield replace(good, instances=listed([text])).bad(f"instance {name}")
        yield replace(none, inputs=text).bad(f"inputs {name}")
    png = f'{{"b64":"{base64.b64encode(digit_png("7")).decode()}"}}'
    yield replace(good, instances=listed([png, IMAGE])).bad("an image file and an image")
    yield replace(good, instances=png).bad("an image file outside a list")
    many = replace(good, instances=listed([png] * (MAX_IMAGES + 1)))
    yield many.bad("1,001 image files", status=413)
    for name, content in bad_images().items():
        text = f'{{"b64":"{base64.b64encode(content).decode()}"}}'
        refused = replace(good, instances=listed([text])).bad(f"b64: {name}")
        yield replace(refused, statuses=IMAGE_STATUSES)
    repeated = good.text[:-1] + ',"instances":[]}'
    yield GoodRequest(good.path, "").bad("repeated member", repeated.encode())


def _examples(good: Predict) -> Iterator[BadRequest]:
    classify = replace(good, instances=None, verb="classify")
    for name, text in EXAMPLES.items():
        yield replace(classify, examples=text).bad(f"examples {name}")
    example = f'[{{"image":{IMAGE}}}]'
    for name, text in BAD_PIXELS.items():
        bad = f'[{{"image":{rows(text)}}}]'
        yield replace(classify, examples=bad).bad(f"pixel of an example {name}")
    yield replace(classify, instances=good.instances).bad("classify without examples")
    yield replace(good, instances=None, examples=example).bad("predict of examples")
    yield replace(classify, verb="regress", examples=example).bad("regress")
    for verb in ("explain", CANARY):
        unknown = replace(classify, verb=verb, examples=example).bad(f"verb {verb}")
        yield replace(unknown, statuses=frozenset({400, 404, 501}))
