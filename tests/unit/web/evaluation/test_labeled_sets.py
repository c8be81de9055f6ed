"""Sets of labelled images, and zips that mean harm."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.digits import seven_png
from web.evaluation import labeled_sets
from web.evaluation.labeled_sets import (
    InvalidSetError,
    fit,
    make_set,
    mnist_test_set,
    read_zip,
    rendered_digits,
)


def zipped(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def test_the_rendered_digits_are_always_the_same_and_as_many_of_each() -> None:
    one, other = rendered_digits(2), rendered_digits(2)
    assert (one.digest, one.counts) == (other.digest, {str(digit): 2 for digit in range(10)})
    with Image.open(io.BytesIO(one.images[0])) as image:
        assert (image.mode, image.size) == ("L", (64, 64))


def test_a_digest_tells_other_labels_and_other_images_apart() -> None:
    digests = {
        make_set("s", *content).digest
        for content in (([b"x"], ["1"]), ([b"x"], ["2"]), ([b"y"], ["1"]), ([], []))
    }
    assert len(digests) == 4


def test_a_folder_is_its_images_label() -> None:
    found = read_zip(
        "my.zip",
        zipped({"digits/4/a.png": b"a", "digits/9/b.PNG": b"b", "__MACOSX/4/._a.png": b"junk"}),
    )
    assert (found.labels, found.images, found.skipped) == (("4", "9"), (b"a", b"b"), ())


def test_a_table_gives_the_labels_of_the_files_beside_it() -> None:
    files = {
        "set/labels.csv": b"\xef\xbb\xbffile,label\na.png,4\nlost.png,1\n",
        "set/a.png": b"a",
        "set/b.png": b"b",
    }
    found = read_zip("my.zip", zipped(files))
    assert (found.labels, [each.file for each in found.skipped]) == (
        ("4",),
        ["set/b.png", "set/lost.png"],
    )


def test_what_is_left_out_is_named_with_its_reason() -> None:
    found = read_zip(
        "my.zip",
        zipped({"4/a.png": b"a", "4/notes.txt": b"x", "top.png": b"x", "x" * 65 + "/a.png": b"x"}),
    )
    assert [each.reason.split(":")[0].split(" must")[0] for each in found.skipped] == [
        "It is no image",
        "It is in no folder that would be its label.",
        "Its label",
    ]


def test_a_bomb_is_stopped_while_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labeled_sets, "MAX_TOTAL_BYTES", 5 * 2**20)
    bomb = zipped({f"4/{number}.png": bytes(2**20) for number in range(6)})
    assert len(bomb) < 20_000
    with pytest.raises(InvalidSetError, match="64 MB together"):
        read_zip("bomb.zip", bomb)


def test_a_file_that_is_too_large_is_left_out_and_the_others_stay() -> None:
    found = read_zip("my.zip", zipped({"4/large.png": bytes(3 * 2**20), "4/a.png": b"a"}))
    assert (found.images, found.skipped[0].reason) == ((b"a",), "It is larger than 2 MB.")


def test_too_many_files_are_refused() -> None:
    with pytest.raises(InvalidSetError, match="at most 2,000"):
        read_zip("many.zip", zipped({f"4/{number}.png": b"" for number in range(2002)}))


def test_a_damaged_file_is_left_out() -> None:
    data = bytearray(zipped({"4/a.png": b"aaaaaaaaaa", "4/b.png": b"b"}, zipfile.ZIP_STORED))
    data[data.index(b"aaaaaaaaaa")] = 0
    found = read_zip("my.zip", bytes(data))
    assert (found.images, "cannot be unpacked" in found.skipped[0].reason) == ((b"b",), True)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"no zip", "no zip file"),
        (zipped({}), "no labelled image"),
        (zipped({"a.png": b"x"}), "no labelled image"),
        (zipped({"labels.csv": b"a,b\n1,2\n", "a.png": b"x"}), "columns file and label"),
        (zipped({"labels.csv": b"\xff\xfe", "a.png": b"x"}), "cannot be read"),
        (zipped({"labels.csv": b"file,label\n", "b/labels.csv": b""}), "several"),
    ],
)
def test_what_is_no_set_is_refused_with_the_reason(data: bytes, said: str) -> None:
    with pytest.raises(InvalidSetError, match=said):
        read_zip("my.zip", data)


def test_digits_fit_a_model_of_parity_by_their_parity() -> None:
    digits = make_set("d", [b"a", b"b"], ["4", "7"])
    by_parity = fit(digits, ("even", "odd"))
    assert by_parity is not None
    assert (by_parity.labels, fit(digits, "0123456789"), fit(digits, ("cat", "dog"))) == (
        ("even", "odd"),
        digits,
        None,
    )


def test_mnist_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "mnist.npz"
    np.savez(path, x_test=np.zeros((3, 28, 28), np.uint8), y_test=np.array([7, 2, 1], np.uint8))
    assert mnist_test_set(path, 2).labels == ("7", "2")


def test_a_file_that_is_not_mnist_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mnist.npz"
    path.write_bytes(seven_png())
    for unusable in (path, tmp_path / "none.npz"):
        with pytest.raises(InvalidSetError, match="MNIST_PATH"):
            mnist_test_set(unusable, 2)
