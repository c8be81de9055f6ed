"""API keys: parsing of the file, reloading, and the command that makes a key."""

import hashlib
import os
from pathlib import Path

import pytest

from inference.server import api_keys
from inference.server.api_keys import ApiKeys, main, parse_keys

KEY = b"correct horse battery staple"
DIGEST = hashlib.sha256(KEY).hexdigest()
OTHER_DIGEST = hashlib.sha256(b"other").hexdigest()


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A keys file that is read again at every look."""
    monkeypatch.setattr(api_keys, "RELOAD_SECONDS", 0.0)
    return tmp_path / "keys"


def test_parse_keys_ignores_comments_blank_lines_and_names() -> None:
    text = f"# ours\r\n\n{DIGEST} notebook of Ada\n  {OTHER_DIGEST.upper()}  \n  # theirs"
    assert parse_keys(text.encode()) == ((bytes.fromhex(DIGEST), bytes.fromhex(OTHER_DIGEST)), [])
    assert parse_keys(b"") == ((), [])


@pytest.mark.parametrize(
    "line",
    [
        *[line.encode() for line in (DIGEST[:-1], f"{DIGEST}x", "key", f"a {DIGEST}")],
        DIGEST[:-2].encode() + "\N{ARABIC-INDIC DIGIT ONE}".encode(),
        b"\xff\xfe",
        b"\x00",
    ],
)
def test_parse_keys_skips_an_invalid_line(line: bytes) -> None:
    data = b"%b\n%b\n%b Ada\n" % (DIGEST.encode(), line, OTHER_DIGEST.encode())
    assert parse_keys(data) == ((bytes.fromhex(DIGEST), bytes.fromhex(OTHER_DIGEST)), [2])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_parse_keys_takes_names_in_any_encoding(encoding: str) -> None:
    data = f"{DIGEST} J\N{LATIN SMALL LETTER U WITH DIAERESIS}rgen\x85\x0b\n".encode(encoding)
    assert parse_keys(data) == ((bytes.fromhex(DIGEST),), [])


def test_accepts_only_keys_of_the_file(file: Path) -> None:
    file.write_text(f"{OTHER_DIGEST} Bob\n{DIGEST} Ada\n")
    keys = ApiKeys(file)
    assert keys.accepts(KEY)
    assert keys.accepts(b"other")
    assert not any(map(keys.accepts, [b"", b"wrong", DIGEST.encode()]))


@pytest.mark.parametrize("kept", [4, 8, 62])
def test_accepts_no_key_whose_digest_begins_alike(file: Path, kept: int) -> None:
    """Whatever the number and order of the keys."""
    alike = DIGEST[:kept] + "".join("0" if digit != "0" else "1" for digit in DIGEST[kept:])
    for lines in ([alike], [alike, OTHER_DIGEST], [OTHER_DIGEST, alike]):
        file.write_text("\n".join(lines))
        assert not ApiKeys(file).accepts(KEY)


def test_accepts_nothing_without_a_readable_file(file: Path) -> None:
    keys = ApiKeys(file)
    assert not keys.accepts(KEY)
    file.write_text(f"{DIGEST} Ada\n")
    assert keys.accepts(KEY)
    file.write_bytes(b"\xff\xfe")
    assert not keys.accepts(KEY)
    file.unlink()
    assert not keys.accepts(KEY)


def test_invalid_lines_are_reported_without_their_text(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = ApiKeys(file)
    file.write_text(f"{DIGEST} Ada\n")
    assert keys.fault() is None
    file.write_text(f"secret\n{DIGEST} Ada\n" + "secret\n" * 6)
    assert keys.accepts(KEY)
    assert str(keys.fault()).startswith(
        "The API keys file has invalid lines, which are ignored: 1, 3, 4, 5, 6, .... A line must"
    )
    assert str(keys.fault()) in caplog.text
    file.unlink()
    assert str(keys.fault()).startswith("The API keys file cannot be read: No such file")
    assert "secret" not in caplog.text
    assert str(file) not in caplog.text
    file.write_text(f"{DIGEST} Ada\n")
    assert keys.fault() is None


def test_changed_file_is_read_only_after_the_reload_time(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_keys, "RELOAD_SECONDS", 3600.0)
    file.write_text(f"{DIGEST} Ada\n")
    keys = ApiKeys(file)
    assert keys.accepts(KEY)
    file.write_text("")
    assert keys.accepts(KEY)


def test_unchanged_file_is_not_parsed_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(f"{DIGEST} Ada\n")
    keys = ApiKeys(file)
    assert keys.accepts(KEY)
    monkeypatch.setattr(api_keys, "parse_keys", lambda _data: ((), []))
    assert keys.accepts(KEY)
    os.utime(file, ns=(1, 1))
    assert not keys.accepts(KEY)


def test_changed_file_of_the_same_time_is_read_again(file: Path) -> None:
    """An editor or a copy may keep the time."""
    keys = ApiKeys(file)
    for text, is_accepted in ((DIGEST, True), (f"# {DIGEST}", False), (f"{DIGEST} Ada!", True)):
        file.write_text(text)
        os.utime(file, ns=(1, 1))
        assert keys.accepts(KEY) is is_accepted


def test_main_prints_a_key_and_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["notebook of Ada"]) == 0
    printed = capsys.readouterr()
    key = printed.err.split()[-1]
    assert printed.out == f"{hashlib.sha256(key.encode()).hexdigest()} notebook of Ada\n"
    assert len(key) >= 43


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["a\nb"]])
def test_main_with_bad_arguments_prints_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err[:6]) == ("", "Usage:")
