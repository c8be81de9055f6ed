"""Zip reader, also for malicious zip files."""

import io
import struct
import tracemalloc
import zipfile

import pytest

from tests.support.photos import noisy_photo
from web.evaluations import zip_reader
from web.evaluations.labeled_set import InvalidSetError
from web.evaluations.zip_reader import read_zip


def zipped(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def merged(data: bytes, name: str, content: bytes) -> bytes:
    """Return a zip with one more file."""
    out = io.BytesIO(data)
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr(name, content)
    return out.getvalue()


def with_directory_field(data: bytes, layout: str, offset: int, value: int) -> bytes:
    """Return a zip with another value in the directory entry of its first file."""
    changed = bytearray(data)
    struct.pack_into(layout, changed, data.index(b"PK\1\2") + offset, value)
    return bytes(changed)


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


def test_zip_bomb_is_stopped_before_unpacking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_reader, "MAX_TOTAL_BYTES", 5 * 2**20)
    bomb = zipped({f"4/{number}.png": bytes(2**20) for number in range(6)})
    assert len(bomb) < 20_000
    with pytest.raises(InvalidSetError, match="64 MB in total"):
        read_zip("bomb.zip", bomb)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_compression_is_not_unpacked(method: int) -> None:
    files = {"7/bomb.png": bytes(64 * 2**20)}
    data = merged(zipped(files, method), "7/a.png", b"a")
    assert len(data) < 20_000
    tracemalloc.start()
    found = read_zip("bomb.zip", data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (found.images, found.skipped[0].file) == ((b"a",), "7/bomb.png")
    assert found.skipped[0].reason.startswith("Unsupported compression.")
    assert peak < 2 * 2**20


@pytest.mark.parametrize("method", [9, 93, 99])
def test_other_compression_is_skipped(method: int) -> None:
    """Deflate64, Zstandard and AES: Python may learn to read them."""
    data = zipped({"7/a.png": b"aaa", "4/b.png": b"b"}, zipfile.ZIP_STORED)
    found = read_zip("my.zip", with_directory_field(data, "<H", 10, method))
    assert (found.images, found.skipped[0].reason[:11]) == ((b"b",), "Unsupported")


def test_encrypted_file_is_skipped() -> None:
    data = zipped({"7/a.png": b"aaa", "4/b.png": b"b"}, zipfile.ZIP_STORED)
    found = read_zip("my.zip", with_directory_field(data, "<H", 8, 1))
    assert (found.images, "encrypted" in found.skipped[0].reason) == ((b"b",), True)


@pytest.mark.parametrize("size", [10, 2**21, 2**32 - 2])
def test_wrong_size_in_the_directory_is_harmless(size: int) -> None:
    data = zipped({"7/a.png": bytes(100 * 2**20), "4/b.png": b"b"})
    tracemalloc.start()
    found = read_zip("my.zip", with_directory_field(data, "<I", 24, size))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (found.images, len(found.skipped)) == ((b"b",), 1)
    assert peak < 12 * 2**20


def test_overlapping_files_are_rejected() -> None:
    data = zipped({"7/a.png": bytes(1000), "4/b.png": b"b"}, zipfile.ZIP_STORED)
    data = with_directory_field(data, "<I", 20, len(data))
    with pytest.raises(InvalidSetError, match="take more space than it has"):
        read_zip("my.zip", data)


def test_directory_of_many_files_is_not_read() -> None:
    data = zipped({"7/a.png": b"a"})
    start = data.index(b"PK\1\2")
    end = data.index(b"PK\5\6")
    directory = data[start:end] * 200_000
    size = struct.pack("<I", len(directory))
    tracemalloc.start()
    bomb = data[:start] + directory + data[end : end + 12] + size + data[end + 16 :]
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    with pytest.raises(InvalidSetError, match="too many files"):
        read_zip("many.zip", bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak - before < 16 * 2**20


def test_long_file_names_are_within_the_limits() -> None:
    """2,000 names as long as file systems allow, each with the file that macOS adds."""
    names = [f"{number:04}{'x' * 240}.png" for number in range(2000)]
    files = {f"7/{name}": b"a" for name in names} | {f"__MACOSX/7/._{name}": b"" for name in names}
    assert len(read_zip("my.zip", zipped(files)).images) == 2000


def test_link_is_skipped() -> None:
    link = zipfile.ZipInfo("7/link.png")
    link.external_attr = 0o120777 << 16
    out = io.BytesIO(zipped({"7/a.png": b"a"}))
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    found = read_zip("my.zip", out.getvalue())
    assert (found.images, found.skipped[0].reason[:6]) == ((b"a",), "A link")


def test_repeated_name_is_skipped() -> None:
    found = read_zip("my.zip", merged(zipped({"7/a.png": b"a"}), "7/./a.png", b"other"))
    assert (found.images, "another file of this name" in found.skipped[0].reason) == ((b"a",), True)


@pytest.mark.parametrize("name", ["/a.png", "../a.png", "7/../a.png"])
def test_path_without_a_folder_has_no_label(name: str) -> None:
    found = read_zip("my.zip", zipped({name: b"x", "7/a.png": b"a"}))
    assert (found.images, found.skipped[0].file) == ((b"a",), name)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("7\\a.png", "7"),
        ("/home/me/7/a.png", "7"),
        ("../../7/a.png", "7"),
        ("x/" * 500 + "7/A.PNG", "7"),
        ("7 /a.png", "7"),
        ("07/a.png", "07"),
        ("gro\u0308\u00dfe/a.png", "gr\u00f6\u00dfe"),
    ],
    ids=["windows", "absolute", "parent", "deep", "space", "zero", "macos"],
)
def test_label_is_the_innermost_folder(name: str, label: str) -> None:
    assert read_zip("my.zip", zipped({name: b"a"})).labels == (label,)


def test_zip64_prefix_and_comment_are_accepted() -> None:
    out = io.BytesIO(b"#!/bin/sh of a self-extracting file\n")
    out.seek(0, io.SEEK_END)
    with zipfile.ZipFile(out, "a") as archive:
        with archive.open("7/a.png", "w", force_zip64=True) as file:
            file.write(b"a")
        archive.comment = b"comment" * 1000
    assert read_zip("my.zip", out.getvalue()).images == (b"a",)


def test_files_of_archivers_are_ignored_in_any_case() -> None:
    junk = ("__MACOSX/7/a.png", "7/THUMBS.DB", "Desktop.ini", "7/._a.png", "7/.ds_store", "7\\")
    found = read_zip("my.zip", zipped(dict.fromkeys(junk, b"junk") | {"7/a.png": b"a"}))
    assert (found.images, found.skipped) == ((b"a",), ())


@pytest.mark.parametrize(
    "table",
    [
        b"file,label\na.png,4\n",
        b"File;Label\na.png;4\n",
        b"sep=;\r\nfile;label\r\n.\\a.png;4\r\n",
        b"label\tfile\tnote\n 4 \ta.png\n4\t./a.png\tagain\n\n",
    ],
)
def test_labels_file_in_other_notations_is_read(table: bytes) -> None:
    found = read_zip("my.zip", zipped({"set/Labels.csv": table, "set/a.png": b"a"}))
    assert (found.labels, found.skipped) == (("4",), ())


def test_wide_labels_file_needs_little_memory() -> None:
    table = "file,label," + ",".join(map(str, range(150_000))) + "\n" + "a.png,4\n" * 500
    data = zipped({"labels.csv": table.encode(), "a.png": b"a"})
    tracemalloc.start()
    assert read_zip("my.zip", data).labels == ("4",)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 * 2**20


def test_large_file_is_skipped() -> None:
    found = read_zip("my.zip", zipped({"4/large.png": bytes(17 * 2**20), "4/a.png": b"a"}))
    assert (found.images, found.skipped[0].reason) == ((b"a",), "The file is larger than 16 MB.")


def test_large_photo_is_reduced_and_a_large_broken_file_skipped() -> None:
    photo = noisy_photo()
    assert 2**21 < len(photo) < 2**23
    found = read_zip(
        "my.zip", zipped({"4/a.jpg": photo, "4/b.jpg": b"\xff\xd8\xff" + bytes(3 * 2**20)})
    )
    [image] = found.images
    assert len(image) < 2**21
    assert "broken" in found.skipped[0].reason


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
        (zipped({"labels.csv": b"\xff\xfe", "a.png": b"x"}), "Save it as UTF-8"),
        (zipped({"labels.csv": b"file,label\na,1\na,2\n", "a.png": b"x"}), "two labels for a"),
        (zipped({"labels.csv": b"file,label\n" + b"a,1\n" * 20_001}), "more than 20,000 rows"),
        (zipped({"LABELS.csv": b"", "a.png": b"x"}), "columns file and label"),
        (zipped({"labels.csv": b"file,label\n", "b/labels.csv": b""}), "several"),
    ],
)
def test_unusable_zip_is_rejected_with_the_reason(data: bytes, message: str) -> None:
    with pytest.raises(InvalidSetError, match=message):
        read_zip("my.zip", data)
