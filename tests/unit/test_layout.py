"""Layout of the repository: folders and modules stay small, and modules have tests of their own."""

from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PACKAGES = (
    "bench",
    "client",
    "data_export",
    "db",
    "delivery",
    "evaluation",
    "inference",
    "local",
    "monitoring",
    "observability",
    "run_import",
    "servicekit",
    "supply_chain",
    "tracking",
    "training",
    "web",
)
MAX_MODULES, MAX_LINES = 16, 300
UNTESTED = {"inference/app.py"}  # the composition root: integration tests start it


MODULES = [
    path.relative_to(ROOT)
    for package in (*PACKAGES, "tests")
    for path in (ROOT / package).rglob("*.py")
    if path.name not in ("__init__.py", "__main__.py")
]
CODE = [path for path in MODULES if path.parts[0] != "tests"]


def test_folder_has_at_most_16_modules() -> None:
    counts = Counter(path.parent.as_posix() for path in CODE)
    assert {folder: count for folder, count in counts.items() if count > MAX_MODULES} == {}


def test_module_has_at_most_300_lines() -> None:
    lines = {path.as_posix(): len((ROOT / path).read_text().splitlines()) for path in CODE}
    assert {path: count for path, count in lines.items() if count > MAX_LINES} == {}


def test_module_has_a_unit_test() -> None:
    expected = {
        path: Path("tests/unit", path.parent, f"test_{path.name}")
        for path in CODE
        if path.parts[0] == "inference" or path.parts[:2] == ("monitoring", "detector")
    }
    missing = {path.as_posix() for path, test in expected.items() if test not in MODULES}
    assert missing == UNTESTED
