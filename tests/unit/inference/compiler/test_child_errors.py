"""Errors of the compiler's child: its last output."""

import os
from pathlib import Path

import pytest

from inference.compiler.child_errors import last_lines


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("", ""),
        ("I0000 00:00:1795754996.7 1 port.cc:153] oneDNN\n", ""),
        ("one\n\ntwo\nFatal error: aborted.\n", " Its last output: two / Fatal error: aborted."),
        ('File "/home/ann/secret/a.py", line 3\n', ' Its last output: File a.py", line 3.'),
        ("\x1b[31mred\x00\n", " Its last output: [31mred."),
        ("x" * 10_000, f" Its last output: {'x' * 120}."),
    ],
)
def test_last_lines(tmp_path: Path, output: str, expected: str) -> None:
    (tmp_path / "output").write_text(output)
    descriptor = os.open(tmp_path / "output", os.O_RDONLY)
    assert last_lines(descriptor) == expected
    os.close(descriptor)
