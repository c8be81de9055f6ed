"""Zip reader, also for malicious zip files."""

import io
import zipfile

import pytest

from web.evaluations import zip_reader
from web.evaluations.labeled_set import InvalidSetError
from web.evaluations.zip_reader import read_zip


def zipped(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def test_folder_name_is_the_label() -> None:
    found = read_zip(
        "my.zip",
        zipped({"digits/4/a.png": b"a", "digits/9/b.PNG": b"b", "__MACOSX/4/._a.png": b"junk"}),
    )
    assert (found.labels, found.images, found.skipped) == (("4", "9"), (b"a", b"b"), ())


def test_labels_file_has_paths_relative_to_itself() -> None:
    files = {
        "set/labels.csv": b"\xef\xbb\xbffile,label\na.png,4\nlost.png,1\n",
        "set/a.png": b"a",
        "set/b.png": b"b",
    }
    found = read_zip("my.zip", zipped(files))
    assert (found.labels, [skipped.file for skipped in found.skipped]) == (
        ("4",),
        ["set/b.png", "set/lost.png"],
    )


def test_skipped_file_has_its_reason() -> None:
    found = read_zip(
        "my.zip",
        zipped({"4/a.png": b"a", "4/notes.txt": b"x", "top.png": b"x", "x" * 65 + "/a.png": b"x"}),
    )
    assert [skipped.reason.split(" (")[0].split(" must")[0] for skipped in found.skipped] == [
        "Not an image file",
        "Not in a folder named by its label.",
        "The label",
    ]


def test_zip_bomb_is_stopped_while_unpacking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_reader, "MAX_TOTAL_BYTES", 5 * 2**20)
    bomb = zipped({f"4/{number}.png": bytes(2**20) for number in range(6)})
    assert len(bomb) < 20_000
    with pytest.raises(InvalidSetError, match="64 MB in total"):
        read_zip("bomb.zip", bomb)


def test_large_file_is_skipped() -> None:
    found = read_zip("my.zip", zipped({"4/large.png": bytes(3 * 2**20), "4/a.png": b"a"}))
    assert (found.images, found.skipped[0].reason) == ((b"a",), "The file is larger than 2 MB.")


def test_too_many_files_are_rejected() -> None:
    with pytest.raises(InvalidSetError, match="at most 2,000"):
        read_zip("many.zip", zipped({f"4/{number}.png": b"" for number in range(2002)}))


def test_damaged_file_is_skipped() -> None:
    data = bytearray(zipped({"4/a.png": b"aaaaaaaaaa", "4/b.png": b"b"}, zipfile.ZIP_STORED))
    data[data.index(b"aaaaaaaaaa")] = 0
    found = read_zip("my.zip", bytes(data))
    assert (found.images, "cannot be unpacked" in found.skipped[0].reason) == ((b"b",), True)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"text", "not a readable zip file"),
        (zipped({}), "no labeled image"),
        (zipped({"a.png": b"x"}), "no labeled image"),
        (zipped({"labels.csv": b"a,b\n1,2\n", "a.png": b"x"}), "columns file and label"),
        (zipped({"labels.csv": b"\xff\xfe", "a.png": b"x"}), "Cannot read"),
        (zipped({"labels.csv": b"file,label\n", "b/labels.csv": b""}), "several"),
    ],
)
def test_unusable_zip_is_rejected_with_the_reason(data: bytes, message: str) -> None:
    with pytest.raises(InvalidSetError, match=message):
        read_zip("my.zip", data)
