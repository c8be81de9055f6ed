"""Earlier migrations: the texts that commits applied before the migrations were edited in place.

`tests/corpus/earlier_migrations` has what differed, because a clone may have no history.
"""

import hashlib
import re
from pathlib import Path

from db.schema.migrate import MIGRATIONS

CORPUS = Path(__file__).parents[1] / "corpus" / "earlier_migrations"
EARLIER = "-"  # marks a number whose earlier text was applied
# Every set of migrations that a commit had: the first such commit, and the numbers.
COMMITS = {
    "4df321a": "1-",
    "f1e1d27": "1",
    "b94ac41": "1 2- 3-",
    "52f84d4": "1 4-",
    "3dfb2bb": "1 4",
    "a431f22": "1 2- 3- 4",
    "10fbd21": "1 2- 3- 6-",
    "e20bd36": "1 2- 3- 4 6-",
    "e38380a": "1 2- 3- 4 5",
    "04e5e35": "1 2- 3- 4 5 6",
    "1e696aa": "1 2 3 4 5 6",
    "18025fe": "1 2 3 4 5 6 7-",
    "9c1098b": "1 2 3 4 5 6 7",
    "4339ef2": "1 2 3 4 5 6 7 8-",
    "8d3adf7": "1 2 3 4 5 6 7 8",
    "299a3ee": "1 2 3 4 5 6 7 8 9",
}


def write_migrations(numbers: str, folder: Path) -> None:
    """Write the migrations of COMMITS to a folder."""
    for number in numbers.split():
        if number == "6-":  # its name changed, and not its text
            text = (MIGRATIONS / "0005_prediction_filters.sql").read_text()
            (folder / "0006_prediction_filters.sql").write_text(text)
        elif number == "8-":
            name = "0008_compiled_versions.sql"
            (folder / name).write_text((CORPUS / name).read_text())
        else:
            [file] = MIGRATIONS.glob(f"{int(number.rstrip(EARLIER)):04}_*.sql")
            text = file.read_text()
            if number.endswith(EARLIER):
                text = _apply_diff(text, (CORPUS / f"{file.stem}.diff").read_text())
            (folder / file.name).write_text(text)


def _apply_diff(text: str, diff: str) -> str:
    """Apply a diff of `git diff --full-index -U0`. Its index line has the ids of both texts."""
    [(before, after)] = re.findall(r"^index (\w{40})\.\.(\w{40})", diff)
    assert _blob_id(text) == before, "a landed migration was edited"
    lines, result, position = text.splitlines(), [], 0
    for line in diff.splitlines()[1:]:
        if hunk := re.match(r"@@ -(\d+)(?:,(\d+))? ", line):
            # The start of a hunk without removed lines is the line before it.
            start = int(hunk[1]) - (hunk[2] != "0")
            result += lines[position:start]
            position = start
        elif line.startswith("-"):
            assert lines[position] == line[1:]
            position += 1
        else:
            result.append(line[1:])
    earlier = "\n".join(result + lines[position:]) + "\n"
    assert _blob_id(earlier) == after
    return earlier


def _blob_id(text: str) -> str:
    content = text.encode()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
