"""Rows in the formats of Postgres's COPY.

Text for what is short, binary for curves, whose numbers need no digits then.
"""

import struct
import sys
from array import array
from collections.abc import Sequence

from db.curve_cell import Curve

BINARY_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
BINARY_END = struct.pack("!h", -1)
INT8_OID, FLOAT8_OID = 20, 701
ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
LITTLE = sys.byteorder == "little"


def text_line(*values: object) -> bytes:
    """Return a line of the text format; None is null."""
    return (
        "\t".join(r"\N" if value is None else str(value).translate(ESCAPES) for value in values)
        + "\n"
    ).encode()


def curve_record(name: str, metric: str, curve: Curve) -> bytes:
    """Return a record of the binary format: name, metric, steps, values, best value, best step."""
    best_value, best_step = curve.best(metric)
    fields = [
        name.encode(),
        metric.encode(),
        _array(INT8_OID, array("q", curve.steps)),
        _array(FLOAT8_OID, array("d", curve.values)),
        struct.pack("!d", best_value),
        struct.pack("!q", best_step),
    ]
    return struct.pack("!h", len(fields)) + b"".join(
        struct.pack("!i", len(field)) + field for field in fields
    )


def _array(oid: int, numbers: "array[int] | array[float]") -> bytes:
    """Return a Postgres array of numbers of eight bytes.

    One dimension from index 1, without nulls, a length before each.
    """
    if LITTLE:
        numbers.byteswap()
    words = array("I", numbers.tobytes())
    eights = _words([8]) * len(numbers)
    out = array("I", bytes(12 * len(numbers)))
    out[0::3], out[1::3], out[2::3] = eights, words[0::2], words[1::2]
    return struct.pack("!iiiii", 1, 0, oid, len(numbers), 1) + out.tobytes()


def _words(numbers: Sequence[int]) -> "array[int]":
    words = array("I", numbers)
    if LITTLE:
        words.byteswap()
    return words
