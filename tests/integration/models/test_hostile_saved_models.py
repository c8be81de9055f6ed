"""Hostile SavedModels: the whole corpus through the compiler.

Each is rejected, and none may write, read or connect.
"""

import re
import shutil
from pathlib import Path

import pytest

from inference.compiler import sandbox
from inference.compiler.child_errors import CompilationError
from inference.compiler.process import Compiler
from tests.corpus.saved_models import Hostile, corpus, saved

PATIENCE_SECONDS = 600
# The same child without the operator check: the sandbox alone must confine the programs.
UNCHECKED = """
from pathlib import Path
from inference.compiler import sandbox
sandbox.enter(Path.cwd())
from inference.compiler import worker
from inference.compiler import saved_model
saved_model.reduce_program = lambda program: program
worker.main()
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(PATIENCE_SECONDS),
    pytest.mark.skipif(
        bool(sandbox.missing_features()), reason="SavedModels are read only in a complete sandbox"
    ),
]


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A directory with a secret."""
    (tmp_path / "shelf").mkdir()
    (tmp_path / "shelf" / "secret").write_text("secret of the shelf")
    return tmp_path / "shelf"


def rejection(compiler: Compiler, case: Hostile, folder: Path) -> str | None:
    """Return the reason of a rejection, or None."""
    case.make(folder / "in")
    shutil.rmtree(folder / "out", ignore_errors=True)
    try:
        compiler.compile_saved_model(folder / "in", folder / "out", case.declared)
    except CompilationError as error:
        assert not (folder / "out").exists()
        return str(error)
    finally:
        shutil.rmtree(folder / "in")
    return None


def test_compile_hostile_saved_models_fails_with_their_reasons(tmp_path: Path, shelf: Path) -> None:
    wrong = {}
    cases = corpus(shelf)
    with Compiler() as compiler:
        assert rejection(compiler, Hostile("good", saved, ""), tmp_path) is None, (
            "otherwise all are rejected for a common reason"
        )
        for case in cases:
            reason = rejection(compiler, case, tmp_path)
            if (
                reason is None
                or not re.search(case.reason, reason)
                or not reason.endswith(".")
                or len(reason) > 500
            ):
                wrong[case.name] = reason
            assert not (shelf / "canary").exists(), case.name
            assert str(tmp_path) not in str(reason), case.name
            assert "secret of" not in str(reason), case.name
    assert wrong == {}
    assert len(cases) >= 35


def test_sandbox_confines_programs_without_the_operator_check(
    tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.compiler.process.CHILD", ["-c", UNCHECKED])
    reasons = {}
    with Compiler() as compiler:
        for case in corpus(shelf):
            if case.is_code:
                reasons[case.name] = rejection(compiler, case, tmp_path)
                assert not (shelf / "canary").exists(), case.name
    assert not any("secret of" in str(reason) for reason in reasons.values())
    assert "Permission" in str(reasons["program: writes a file when it is loaded"]), (
        "otherwise it did not run"
    )
