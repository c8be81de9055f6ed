"""Command of a benchmark: measures, prints the report and writes it into a document.

The document is doc/performance.md by default.
"""

from collections.abc import Callable
from pathlib import Path

from bench.fixtures.models import ROOT
from bench.reporting import report
from bench.reporting.sampling import print_progress

DOCUMENT = ROOT / "doc" / "performance.md"
INTERRUPTED_STATUS = 130  # 128 + SIGINT, as shells report it


def run(
    measure: Callable[[], str],
    expected_errors: tuple[type[Exception], ...],
    markers: tuple[str, str] = (report.BEGIN, report.END),
    document: Path = DOCUMENT,
) -> int:
    """Run a benchmark and return the exit code. `expected_errors` are printed without traceback."""
    errors: tuple[type[Exception], ...] = (report.MissingSectionError, *expected_errors)
    try:
        text = measure()
        print(text)
        report.replace_section(document, text, markers)
    except errors as error:
        print_progress(f"bench: {error}")
        return 1
    except KeyboardInterrupt:
        print_progress("\nInterrupted. Nothing was written.")
        return INTERRUPTED_STATUS
    return 0
