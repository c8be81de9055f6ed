"""Uploaded model files: their kinds, the bounds of zip files, and cards."""

import io
import json
import zipfile
from pathlib import Path

import pytest

from inference.compiler.process import Compiler
from inference.model_format.card import CARD_FILE, KERAS_FILE, LITERT_FILE
from pipeline.models import uploaded_file
from pipeline.models.uploaded_file import UnusableFileError, merge, prepare
from tests.corpus import keras_models
from tests.corpus.uploads import zip_of

GOOD = keras_models.GOOD.read_bytes()
CARD = {"task": "mnist", "input": {"scale": 1.0, "invert": True}}


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_keras_file_is_kept_with_the_stated_card(tmp_path: Path) -> None:
    prepare(GOOD, {"task": "parity"}, tmp_path)
    assert files(tmp_path) == {KERAS_FILE: GOOD, CARD_FILE: b'{"task": "parity"}'}


@pytest.mark.parametrize("folder", ["", "mine/", "mine\\"])
def test_zip_of_a_directory_gives_its_files(tmp_path: Path, folder: str) -> None:
    members: dict[str, bytes] = {
        KERAS_FILE: GOOD,
        LITERT_FILE: b"l",
        CARD_FILE: json.dumps(CARD).encode(),
    }
    junk: dict[str, bytes] = {
        "__MACOSX/._x": b"",
        f"{folder}notes.txt": b"",
        f"{folder}.DS_Store": b"",
    }
    content = zip_of({folder + name: data for name, data in members.items()} | junk)
    prepare(content, {"input": {"invert": False}, "metrics": {"test_accuracy": 1}}, tmp_path)
    found = files(tmp_path)
    assert (found[KERAS_FILE], found[LITERT_FILE]) == (GOOD, b"l")
    assert json.loads(found[CARD_FILE]) == {
        "task": "mnist",
        "input": {"scale": 1.0, "invert": False},
        "metrics": {"test_accuracy": 1},
    }
    assert len(found) == 3


def test_anything_else_is_left_to_the_compiler(tmp_path: Path) -> None:
    prepare(b"\x80\x04N.", {}, tmp_path)  # a pickle
    assert files(tmp_path) == {KERAS_FILE: b"\x80\x04N."}


def test_h5_file_is_converted_by_the_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Compiler, "convert", lambda _self, source: source.read_bytes()[:4])
    prepare(uploaded_file.HDF5_SIGNATURE + b"more", {}, tmp_path)
    assert files(tmp_path) == {KERAS_FILE: b"\x89HDF"}


def test_saved_model_is_compiled_with_the_stated_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[object] = []

    def compile_saved_model(_self: Compiler, source: Path, folder: Path, card: object) -> None:
        compiled.append((sorted(files(source)), card))
        (folder / LITERT_FILE).write_bytes(b"l")

    monkeypatch.setattr(Compiler, "compile_saved_model", compile_saved_model)
    members = {"saved_model.pb": b"p", "variables/variables.index": b"i", "assets/a": b""}
    prepare(zip_of(members), {"task": "parity"}, tmp_path)
    assert compiled == [(["saved_model.pb", "variables/variables.index"], {"task": "parity"})]
    assert set(files(tmp_path)) == {CARD_FILE, LITERT_FILE}


def linked() -> bytes:
    member = zipfile.ZipInfo(KERAS_FILE)
    member.external_attr = 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(member, "/etc/passwd")
    return buffer.getvalue()


def doubled() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"a/{KERAS_FILE}", b"1")
        archive.writestr(f"a\\{KERAS_FILE}", b"2")
    return buffer.getvalue()


HOSTILE = {
    "no model": (zip_of({"a.txt": b"a"}), "no model.keras"),
    "card only": (zip_of({CARD_FILE: b"{}"}), "no model.keras"),
    "above": (zip_of({f"../{KERAS_FILE}": b"a"}), "outside of its own directory"),
    "above in the middle": (zip_of({f"a/../../{KERAS_FILE}": b"a"}), "outside of its own"),
    "absolute": (zip_of({f"/a/{KERAS_FILE}": b"a"}), "outside of its own directory"),
    "link": (linked(), "link to another file"),
    "twice": (doubled(), "two files model.keras"),
    "two folders": (zip_of({f"a/{KERAS_FILE}": b"a", "b/x": b""}), "no model.keras"),
    "bomb": (zip_of({KERAS_FILE: bytes(2**26)}), "more than 100 times"),
    "many members": (zip_of({f"{n}": b"" for n in range(1_001)}), "more than 1,000 files"),
    "large card": (
        zip_of({KERAS_FILE: b"a", CARD_FILE: b"a" * (2**20 + 1)}, zipfile.ZIP_STORED),
        "card.json is larger than 1 MB",
    ),
    "cut off": (zip_of({KERAS_FILE: b"a" * 99})[:-30], "damaged"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_zip_is_refused_and_writes_nothing_outside(tmp_path: Path, name: str) -> None:
    content, reason = HOSTILE[name]
    folder = tmp_path / "inner" / "folder"
    folder.mkdir(parents=True)
    with pytest.raises(UnusableFileError, match=reason) as raised:
        prepare(content, {}, folder)
    assert "image" not in str(raised.value)
    assert all(folder in path.parents for path in tmp_path.rglob("*") if path.is_file())


def test_changed_content_of_a_member_is_refused(tmp_path: Path) -> None:
    content = bytearray(zip_of({KERAS_FILE: b"a" * 99}, zipfile.ZIP_STORED))
    content[content.index(b"aaa")] = 0
    with pytest.raises(UnusableFileError, match="damaged"):
        prepare(bytes(content), {}, tmp_path)


def test_stated_fields_of_a_card_win() -> None:
    own = {"task": "a", "input": {"scale": 1}, "classes": ["0"]}
    assert merge(own, {"task": "b", "input": {"invert": True}, "classes": ["1"]}) == {
        "task": "b",
        "input": {"scale": 1, "invert": True},
        "classes": ["1"],
    }
