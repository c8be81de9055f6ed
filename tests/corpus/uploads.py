"""Corpus of uploads: labeled images in every supported format, and hostile files."""

import base64
import io
import json
import struct
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image
from pyarrow import parquet

from tests.support.training import draw_digits

CLASSES = tuple("0123456789")
Images = NDArray[np.uint8]


def digits(count: int = 10, seed: int = 7) -> tuple[Images, list[str]]:
    """Return drawn digits, uint8 (count, 28, 28), with labels."""
    images, labels = draw_digits(count, seed)
    return images, [str(label) for label in labels]


def encoded(image: Images, kind: str = "PNG") -> bytes:
    """Return an image file."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind)
    return file.getvalue()


def zip_of(members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def zip_of_digits(
    images: Images, labels: Sequence[str], path: str = "{label}/{index}.png"
) -> bytes:
    """Return a zip file with each image at a path."""
    return zip_of(
        {
            path.format(label=label, index=index): encoded(image)
            for index, (image, label) in enumerate(zip(images, labels, strict=True))
        }
    )


def pixel_csv(
    images: Images, labels: Sequence[str], header: str | None = None, *, label_first: bool = True
) -> bytes:
    """Return a CSV file with 784 columns of pixels. `header` is its first line."""
    lines = [] if header is None else [header]
    for image, label in zip(images, labels, strict=True):
        cells = list(map(str, image.ravel()))
        lines.append(",".join([label, *cells] if label_first else [*cells, label]))
    return "\n".join(lines).encode() + b"\n"


def base64_csv(images: Images, labels: Sequence[str]) -> bytes:
    """Return a CSV file with the columns label and image."""
    lines = ["label,image"]
    for image, label in zip(images, labels, strict=True):
        lines.append(f"{label},{base64.b64encode(encoded(image)).decode()}")
    return "\r\n".join(lines).encode()


def npz_of(**arrays: Any) -> bytes:
    """Return an npz file. Objects are pickled."""
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def parquet_of(
    images: Sequence[Any],
    labels: Sequence[Any],
    names: Sequence[str] | None = None,
    image_type: Any = None,
) -> bytes:
    """Return a Parquet file. `names` are the classes of Hugging Face's ClassLabel."""
    table = pa.table({"image": pa.array(images, image_type), "label": labels})
    if names is not None:
        feature = {"label": {"names": list(names), "_type": "ClassLabel"}}
        table = table.replace_schema_metadata(
            {"huggingface": json.dumps({"info": {"features": feature}})}
        )
    file = io.BytesIO()
    parquet.write_table(table, file)
    return file.getvalue()


def huge_npy_header(shape: str, kind: str = "|u1") -> bytes:
    """Return an array file whose header declares any shape, with little data."""
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + b"\0" * 784


def hostile() -> dict[str, bytes]:
    """Return files that must be rejected as a whole, each within the limits, by name."""
    images, labels = digits()
    blank = encoded(np.zeros((28, 28), np.uint8))
    good_npz = npz_of(images=images, labels=np.array(labels))
    good_zip = zip_of_digits(images, labels)
    good_parquet = parquet_of([encoded(image) for image in images], labels)
    long_value = b"x" * 2**20
    return {
        "empty zip": zip_of({}),
        "truncated zip": good_zip[: len(good_zip) // 2],
        "zip of zips": zip_of({"7/inner.zip": good_zip}),
        "zip of a table": zip_of({"train.csv": b"label,pixel0\n"}),
        "zip bomb": zip_of({f"7/{index}.bmp": b"\0" * 2**23 for index in range(8)}),
        "zip of links": _zip_of_links(),
        "zip without folders": zip_of({"a.png": encoded(images[0])}),
        "zip of blank images": zip_of({"7/a.png": blank}),
        "zip with paths out of it": zip_of({"../../etc/passwd": b"root", "/7/../../a.txt": b"a"}),
        "zip with many members": zip_of({f"{n:x}": b"" for n in range(200_001)}, 0),
        "overlapping members": _overlapping_members(),
        "npz of objects": npz_of(images=images, labels=np.array([{}] * 10, dtype=object)),
        "npz of object images": npz_of(images=np.array([{}], dtype=object), labels=[1]),
        "npz of floats": npz_of(images=images / 255, labels=np.array(labels)),
        "npz of Keras": npz_of(x_train=images, y_train=[1] * 10),
        "npz with too few labels": npz_of(images=images, labels=[1]),
        "npz of a terabyte": zip_of(
            {"images.npy": huge_npy_header("(2**40, 28, 28)"), "labels.npy": b""}
        ),
        "npz of many images": zip_of(
            {
                "images.npy": huge_npy_header("(1099511627776, 28, 28)"),
                "labels.npy": huge_npy_header("(1099511627776,)", "<i8"),
            }
        ),
        "npz with missing pixels": zip_of(
            {
                "images.npy": huge_npy_header("(3, 28, 28)"),
                "labels.npy": npz_member(np.arange(3)),
            }
        ),
        "truncated npz": good_npz[: len(good_npz) // 2],
        "million columns": b"label," + b",".join(b"%d" % n for n in range(10**6)) + b"\n",
        "million columns without header": b"7" + b",0" * 10**6 + b"\n",
        "long line": b"label,image\n7," + b"A" * 2**25,
        "binary": bytes(range(256)) * 100,
        "text": b"Dear Sir or Madam,\nplease find enclosed the digits.\n",
        "UTF-16": "label,image\n".encode("utf-16"),
        "PNG": encoded(images[0]),
        "unlabeled csv": pixel_csv(images, ["0"] * 10),
        "csv of labels only": b"label\n7\n",
        "unterminated quote": b'label,image\n7,"' + b"A\n" * 10**6,
        "truncated parquet": good_parquet[:-30],
        "parquet magic only": b"PAR1",
        "parquet without labels": _table_bytes({"image": [blank]}),
        "parquet of many columns": _table_bytes({f"c{n}": [1] for n in range(1500)}),
        # A dictionary of one value: 200 kB that unpack to 20 GB.
        "parquet dictionary bomb": _dictionary_bomb(long_value, 20_000),
    }


def npz_member(array: NDArray[Any]) -> bytes:
    """Return an array file of NumPy."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _table_bytes(columns: Mapping[str, Sequence[Any]]) -> bytes:
    file = io.BytesIO()
    parquet.write_table(pa.table(dict(columns)), file)
    return file.getvalue()


def _dictionary_bomb(value: bytes, rows: int) -> bytes:
    array = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(rows, np.int32)), pa.array([value], pa.binary())
    )
    file = io.BytesIO()
    parquet.write_table(pa.table({"image": array, "label": ["7"] * rows}), file)
    return file.getvalue()


def _zip_of_links() -> bytes:
    link = zipfile.ZipInfo("7/link.png")
    link.external_attr = 0o120777 << 16
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    return file.getvalue()


def _overlapping_members() -> bytes:
    """Return a zip file whose list of members names the same data again and again."""
    content = zip_of({"7/a.png": encoded(digits()[0][0])}, 0)
    end = content.rfind(b"PK\x05\x06")
    start = content.find(b"PK\x01\x02")
    directory = content[start:end] * 500
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 500, 500, len(directory), start, 0)
    return content[:start] + directory + tail
