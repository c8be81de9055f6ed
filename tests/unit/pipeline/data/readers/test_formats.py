"""Uploads of every format, read by the worker's function in this process."""

import io
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from PIL import Image

from inference.preprocessing.digits import read_digit
from pipeline.data.readers.limits import RejectedUploadError
from pipeline.data.readers.worker import read
from tests.corpus import uploads
from tests.corpus.uploads import CLASSES

IMAGES, LABELS = uploads.digits(12)
PIXELS = [f"pixel{index}" for index in range(784)]
KAGGLE = "label," + ",".join(PIXELS)
MNIST_IN_CSV = "label," + ",".join(f"{row}x{column}" for row in range(28) for column in range(28))
OPENML = ",".join(f"pixel{index}" for index in range(1, 785)) + ",class"


@dataclass(frozen=True)
class Upload:
    images: NDArray[np.uint8]
    labels: list[str]
    groups: list[str | None]
    places: list[str]
    rejects: list[tuple[str, str]]
    kind: str


def read_bytes(data: bytes, classes: Sequence[str] = CLASSES) -> Upload:
    images = io.BytesIO()
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        result: dict[str, Any] = json.loads(json.dumps(read(file, images, list(classes))))
    return Upload(
        np.frombuffer(images.getvalue(), np.uint8).reshape(-1, 28, 28),
        [classes[number] for number in result["labels"]],
        result["groups"],
        result["places"],
        [tuple(reject) for reject in result["rejects"]],
        result["format"],
    )


def assert_all(upload: Upload, kind: str) -> None:
    np.testing.assert_array_equal(upload.images, IMAGES)
    assert (upload.labels, upload.rejects, upload.kind) == (LABELS, [], kind)


@pytest.mark.parametrize(
    ("path", "groups"),
    [
        ("{label}/{index}.png", {None}),
        ("digits/{label}/{index}.png", {None}),
        ("digits/train/{label}/{index}.PNG", {None}),
        ("anna/{label}/{index}.png", {None}),  # the only folder: it may have any name
        ("digits/anna/{label}/{index}.png", {"anna"}),
        ("{label}/anna/{index}.png", {"anna"}),
        ("{label}\\{index}.png", {None}),
    ],
)
def test_zip_of_folders_has_labels_and_groups(path: str, groups: set[str | None]) -> None:
    data = uploads.zip_of_digits(IMAGES, LABELS, path)
    if "digits/anna" in path:  # a second writer, so that the folder of all is `digits`
        data = uploads.zip_of(
            {
                path.format(label=label, index=index): uploads.encoded(image)
                for index, (image, label) in enumerate(zip(IMAGES, LABELS, strict=True))
            }
            | {"digits/ben/3/x.png": uploads.encoded(IMAGES[3])}
        )
        upload = read_bytes(data)
        assert (upload.groups[-1], upload.labels[-1]) == ("ben", "3")
        assert set(upload.groups[:-1]) == groups
        return
    upload = read_bytes(data)
    assert_all(upload, "zip")
    assert set(upload.groups) == groups


def test_zip_reads_all_image_formats_like_the_service() -> None:
    files = {kind: uploads.encoded(IMAGES[4], kind) for kind in ("PNG", "JPEG", "BMP", "GIF")}
    files["WEBP"] = uploads.encoded(IMAGES[4], "WEBP")
    photo = np.asarray(Image.fromarray(255 - IMAGES[4]).resize((300, 300)))
    files["PNG "] = uploads.encoded(photo)
    upload = read_bytes(
        uploads.zip_of(
            {f"4/{n}.{kind.strip().lower()}": data for n, (kind, data) in enumerate(files.items())}
        )
    )
    assert upload.rejects == []
    for image, data in zip(upload.images, files.values(), strict=True):
        np.testing.assert_array_equal(image, read_digit(data))


def test_zip_rejects_rows_with_their_place() -> None:
    good = uploads.encoded(IMAGES[0])
    upload = read_bytes(
        uploads.zip_of(
            {
                "7/good.png": good,
                "x/label.png": good,
                "7/broken.png": good[:40],
                "7/text.png": b"hello",
                "7/readme.txt": b"hello",
                "7/3/two.png": good,
                "a/7/b/deep.png": good,
                "__MACOSX/7/._good.png": b"",
                "7/.DS_Store": b"",
            }
        )
    )
    assert upload.places == ["7/good.png"]
    assert [path for path, _ in upload.rejects] == [
        "x/label.png",
        "7/broken.png",
        "7/text.png",
        "7/readme.txt",
        "7/3/two.png",
        "a/7/b/deep.png",
    ]
    assert upload.rejects[0][1].startswith("The label 'x' is not a class of the task")


def test_place_with_control_characters_is_printable() -> None:
    upload = read_bytes(uploads.zip_of({"7/a\n\x1b[31m.png": uploads.encoded(IMAGES[0])}))
    assert upload.places == ["7/a??[31m.png"]


@pytest.mark.parametrize(
    ("header", "label_first"),
    [
        (KAGGLE, True),
        (KAGGLE.upper(), True),
        (MNIST_IN_CSV, True),
        (OPENML, False),
        (None, True),
        (None, False),
    ],
)
def test_csv_of_pixels_finds_its_columns(header: str | None, *, label_first: bool) -> None:
    data = uploads.pixel_csv(IMAGES, LABELS, header, label_first=label_first)
    assert_all(read_bytes(data), "csv")
    assert_all(read_bytes(b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n")), "csv")
    assert_all(read_bytes(data.replace(b",", b";")), "csv")


def test_csv_of_pandas_has_index_and_fractions() -> None:
    lines = uploads.pixel_csv(IMAGES, LABELS, KAGGLE).decode().splitlines()
    data = [
        f",{lines[0]}",
        *(f"{n},{line.replace(',0,', ',0.0,')}" for n, line in enumerate(lines[1:])),
    ]
    data[1:] = [
        f"{line.split(',', 2)[0]},{line.split(',', 2)[1]}.0,{line.split(',', 2)[2]}"
        for line in data[1:]
    ]
    assert_all(read_bytes("\n".join(data).encode()), "csv")


def test_csv_with_shuffled_header_orders_its_pixels() -> None:
    order = np.random.default_rng(0).permutation(784)
    header = "label," + ",".join(PIXELS[index] for index in order)
    shuffled = IMAGES.reshape(len(IMAGES), -1)[:, order].reshape(IMAGES.shape)
    assert_all(read_bytes(uploads.pixel_csv(shuffled, LABELS, header)), "csv")


def test_csv_of_base64_reads_files() -> None:
    data = uploads.base64_csv(IMAGES, LABELS)
    assert_all(read_bytes(data), "csv")
    assert_all(read_bytes(data.partition(b"\r\n")[2]), "csv")  # without a header
    quoted = data.replace(b",iVBO", b',"data:image/png;base64,iVBO').replace(b"\r\n", b'"\r\n')
    assert_all(read_bytes(quoted.replace(b'label,image"', b"label,image") + b'"'), "csv")


def test_csv_rejects_rows_with_their_line() -> None:
    lines = uploads.pixel_csv(IMAGES[:6], LABELS[:6], KAGGLE).decode().splitlines()
    lines[2] = lines[2].rsplit(",", 1)[0]
    lines[3] = lines[3].rsplit(",", 1)[0] + ",256"
    lines[4] = lines[4].rsplit(",", 1)[0] + ",0.5"
    lines[5] = "x" + lines[5][1:]
    upload = read_bytes("\n".join(lines).encode())
    assert upload.places == ["line 2", "line 7"]
    assert upload.rejects == [
        ("line 3", "It has 784 columns instead of 785."),
        ("line 4", "Pixels must be integers from 0 to 255."),
        ("line 5", "Pixels must be integers from 0 to 255."),
        ("line 6", f"The label 'x' is not a class of the task ({', '.join(CLASSES)})."),
    ]


def test_csv_on_white_paper_is_inverted() -> None:
    assert_all(read_bytes(uploads.pixel_csv(255 - IMAGES, LABELS, KAGGLE)), "csv")


@pytest.mark.parametrize(
    "labels", [np.array(LABELS), np.array(LABELS, int), np.array(LABELS, "S1")]
)
@pytest.mark.parametrize("shape", [(-1, 28, 28), (-1, 28, 28, 1), (-1, 784)])
def test_npz_has_images_and_labels(labels: NDArray[Any], shape: tuple[int, ...]) -> None:
    assert_all(read_bytes(uploads.npz_of(images=IMAGES.reshape(shape), labels=labels)), "npz")


def test_npz_rejects_rows_with_their_index() -> None:
    labels = ["7", "11", *LABELS[2:]]
    images = IMAGES.copy()
    images[3] = 0
    upload = read_bytes(uploads.npz_of(images=images, labels=labels))
    assert [path for path, _ in upload.rejects] == ["images[1]", "images[3]"]


@pytest.mark.parametrize("compressed", [[uploads.encoded(image) for image in IMAGES]])
def test_parquet_has_bytes_or_structs(compressed: list[bytes]) -> None:
    assert_all(read_bytes(uploads.parquet_of(compressed, LABELS)), "parquet")
    structs = [{"bytes": data, "path": "/etc/passwd"} for data in compressed]
    numbers = [int(label) for label in LABELS]
    assert_all(read_bytes(uploads.parquet_of(structs, numbers, CLASSES)), "parquet")
    assert_all(
        read_bytes(uploads.parquet_of(compressed, LABELS, image_type=pa.large_binary())), "parquet"
    )


def test_parquet_looks_up_class_names() -> None:
    files = [uploads.encoded(image) for image in IMAGES[:3]]
    upload = read_bytes(uploads.parquet_of(files, [0, 1, 2], ["odd", "even"]), ["even", "odd"])
    assert upload.labels == ["odd", "even"]
    assert upload.rejects == [("row 3", "The label 2 is not in the file's list of classes.")]


def test_parquet_rejects_rows_without_bytes() -> None:
    files = [uploads.encoded(IMAGES[0]), None, b"text"]
    upload = read_bytes(uploads.parquet_of(files, ["0", "1", "2"]))
    assert [path for path, _ in upload.rejects] == ["row 2", "row 3"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"label,pixel0\n7,0\n", "names 1 pixels instead of 784"),
        (b"label,label,image\n", "several columns for the label"),
        (b"label,weight\n", "Column 2 of the header is neither"),
        (uploads.pixel_csv(IMAGES, ["0"] * 12), "not clear which column is the label"),
    ],
)
def test_csv_with_unclear_columns_is_rejected(data: bytes, message: str) -> None:
    with pytest.raises(RejectedUploadError, match=message):
        read_bytes(data)
