"""Fingerprints of migrations."""

from pathlib import Path

from db.schema.fingerprints import read_fingerprints


def test_fingerprint_depends_on_text_and_not_on_line_ends(tmp_path: Path) -> None:
    file = tmp_path / "0001_a.sql"
    file.write_bytes(b"SELECT 1;\nSELECT 2;\n")
    before = read_fingerprints(tmp_path)
    assert list(before) == ["0001_a"]
    file.write_bytes(b"SELECT 1;\r\nSELECT 2;\r\n")
    assert read_fingerprints(tmp_path) == before
    file.write_bytes(b"SELECT 1;\nSELECT 3;\n")
    assert read_fingerprints(tmp_path) != before
