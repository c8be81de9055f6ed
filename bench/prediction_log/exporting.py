"""Export: CPU time and memory of `data_export`, and the size of what it writes."""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from bench.fixtures import bulk_data
from bench.fixtures.bulk_data import Size
from bench.fixtures.models import ROOT
from bench.harness import database
from bench.reporting.sampling import print_progress
from data_export.manifest import NAME
from db.initialize import set_up
from db.settings import from_environment

SIZE = Size(versions=20, images=25_000, events=1_000_000, labels=5_000, days=4)
RELATIONS = ("events", "predictions", "images")


@dataclass(frozen=True)
class Exported:
    """Cost of an export: CPU seconds in all, the highest memory, and bytes a row by relation."""

    rows: int
    export_seconds: float
    postgres_seconds: float
    memory_bytes: int
    row_bytes: dict[str, float]


def measure() -> Exported:
    """Export a database of SIZE. Raises CalledProcessError."""
    with database.start_empty() as server, tempfile.TemporaryDirectory() as folder:
        os.environ["DATA_CSV"] = str(ROOT / "data.csv")
        set_up(from_environment(os.environ))
        bulk_data.fill(SIZE)
        reader = server.settings.libpq_variables("mlops_read", server.settings.read_password)
        print_progress("Exporting")
        postgres = database.cpu_seconds()
        process = subprocess.Popen(
            [sys.executable, "-m", "data_export", folder],
            cwd=ROOT,
            env={**os.environ, **reader},
            stdout=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, process.args)
        postgres = database.cpu_seconds() - postgres
        files = json.loads((Path(folder) / NAME).read_text())["files"]
    rows, sizes = Counter[str](), Counter[str]()
    for file in files:
        rows[file["relation"]] += file["rows"]
        sizes[file["relation"]] += file["bytes"]
    row_bytes = {relation: sizes[relation] / rows[relation] for relation in RELATIONS}
    return Exported(
        rows.total(),
        usage.ru_utime + usage.ru_stime,
        postgres,
        usage.ru_maxrss * 1024,
        row_bytes,
    )
