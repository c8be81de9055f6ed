"""Settings: every environment variable is documented."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGES = " ".join(page.read_text() for page in (ROOT / "doc").glob("*.md"))


def variables(module: Path) -> set[str]:
    """Return the string constants of a settings module that look like variable names."""
    texts = {
        node.value
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return {
        text
        for text in texts
        if text.isupper() and text.replace("_", "").isalnum() and len(text) > 2
    }


@pytest.mark.parametrize(
    "package",
    ["client/ml_ops_starter_client", "db", "inference", "local", "monitoring", "tracking", "web"],
)
def test_every_variable_is_documented(package: str) -> None:
    names = variables(ROOT / package / "settings.py")
    assert names
    assert [name for name in sorted(names) if f"`{name}`" not in PAGES] == []
