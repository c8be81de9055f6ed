"""Repository paths and anchors in README.md and doc/*.md exist."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "doc").glob("*.md"))]
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"")
CODE = re.compile(r"`([^`\n]+)`")
TEST_PATH = re.compile(r"\btests/[\w./-]+")
PATH = re.compile(r"\.?[\w-][\w.-]*(?:/[\w.-]+)*/?")
FILE_IN_FOLDER = re.compile(r".+/.+\.(?:css|js|md|py|sql|toml|txt|yaml|yml)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
# Files of users and of running stacks, which a clone does not have.
UNTRACKED = re.compile(r"(?:\.local|\.venv|secrets)/.*|.*\bNAME\b.*")


def paths_in_code(text: str) -> Iterator[str]:
    """Yield the repository paths in backticks, also those of commands: `pytest tests/unit`."""
    tracked = {path.name for path in ROOT.iterdir()}
    for code in CODE.findall(FENCED.sub("", text)):
        if code.startswith("pytest "):
            yield from TEST_PATH.findall(code)
        elif PATH.fullmatch(code) and not UNTRACKED.fullmatch(code):
            first, slash, _ = code.partition("/")
            if (slash and first in tracked) or FILE_IN_FOLDER.fullmatch(code):
                yield code


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings as GitHub makes them."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in HEADING.findall(FENCED.sub("", text))
    }


def missing(page: Path, text: str) -> list[str]:
    """Return the paths and links of a page that lead nowhere."""
    found = [path for path in paths_in_code(text) if not (ROOT / path).exists()]
    for match in LINK.finditer(text):
        target = match[1] or match[2]
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        linked = page.parent / name if name else page
        is_valid = linked.exists() and (
            not anchor or anchor in anchors(linked.read_text() if name else text)
        )
        if not is_valid:
            found.append(target)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_paths_and_links_exist(page: Path) -> None:
    assert missing(page, page.read_text()) == []


@pytest.mark.parametrize(
    "wrong",
    [
        "`web/no_such_module.py`",
        "`no_such_package/module.py`",
        "`tests/no_such_folder/`",
        "`web/no_such_package`",
        "`pytest -s tests/unit/test_no_such.py`",
        "[a page](no_such_page.md)",
        "[a section](running.md#no-such-section)",
    ],
)
def test_missing_with_wrong_path_reports_it(wrong: str) -> None:
    assert missing(ROOT / "doc" / "api.md", f"# Page\n\n{wrong}\n") != []
