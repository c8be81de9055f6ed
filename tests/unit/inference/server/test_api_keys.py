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
    text = f"# ours\n\n{DIGEST} notebook of Ada\n  {OTHER_DIGEST}  \n"
    assert parse_keys(text) == (bytes.fromhex(DIGEST), bytes.fromhex(OTHER_DIGEST))
    assert parse_keys("") == ()


@pytest.mark.parametrize("line", [DIGEST[:-1], DIGEST.upper(), f"{DIGEST}x", "key", f"a {DIGEST}"])
def test_parse_keys_with_invalid_line_names_its_number(line: str) -> None:
    with pytest.raises(ValueError, match=r"^line 2 is not a SHA-256"):
        parse_keys(f"{DIGEST}\n{line}\n")


def test_accepts_only_keys_of_the_file(file: Path) -> None:
    file.write_text(f"{OTHER_DIGEST} Bob\n{DIGEST} Ada\n")
    keys = ApiKeys(file)
    assert keys.accepts(KEY)
    assert keys.accepts(b"other")
    assert not any(map(keys.accepts, [b"", b"wrong", DIGEST.encode()]))


def test_accepts_nothing_without_a_readable_file(file: Path) -> None:
    keys = ApiKeys(file)
    assert not keys.accepts(KEY)
    file.write_text(f"{DIGEST} Ada\n")
    assert keys.accepts(KEY)
    file.write_bytes(b"\xff\xfe")
    assert not keys.accepts(KEY)
    file.write_text(f"{DIGEST} Ada\nno digest\n")
    assert not keys.accepts(KEY)
    file.write_text(f"{DIGEST} Ada\n")
    assert keys.accepts(KEY)
    file.unlink()
    assert not keys.accepts(KEY)


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
    monkeypatch.setattr(api_keys, "parse_keys", lambda _text: ())
    assert keys.accepts(KEY)
    os.utime(file, ns=(1, 1))
    assert not keys.accepts(KEY)


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
