"""Console output."""

from __future__ import annotations

import sys
from unittest.mock import Mock

import pytest

from local.console import print_line


def test_print_line_ignores_a_closed_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    stdout = Mock(write=Mock(side_effect=BrokenPipeError))
    monkeypatch.setattr(sys, "stdout", stdout)
    print_line("progress")
    assert stdout.write.called
