"""An export of a real Postgres: whole files by UTC day, of one snapshot, in bounded memory."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_export import __main__ as command
from data_export.__main__ import main
from data_export.manifest import ExportedFile
from data_export.relations import Relation
from data_export.snapshot import open_snapshot
from tests.support.exported import Rows, digest, files, manifest_of, read

ROOT = Path(__file__).parents[3]
FIRST, SECOND = "day=2026-11-01", "day=2026-11-02"
LOCKS = """
SELECT l.relation::regclass::text FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE a.application_name = 'mlops export' AND l.relation IS NOT NULL
"""
# Ends the process after the first row group of the file that the path contains.
KILLED = """
import os, sys
from data_export import parquet
from data_export.__main__ import main
write_group = parquet._write_group
def die(writer, pending, schema):
    write_group(writer, pending, schema)
    if schema.metadata[b"mlops.relation"] == b"events":
        os._exit(9)
parquet._write_group = die
sys.exit(main(sys.argv[1:]))
"""
# Peak of Arrow's memory, and of the process, in bytes.
MEASURED = """
import re, sys
from pathlib import Path
import pyarrow as pa
from data_export import parquet
from data_export.relations import Relation
from data_export.snapshot import open_snapshot
relation = Relation("rows", f'''SELECT md5(g::text) AS a, md5((-g)::text) AS b,
    ARRAY[g, g]::real[] AS c FROM (SELECT generate_series(1, {sys.argv[2]}) AS g) AS s''')
with open_snapshot() as snapshot, snapshot.read(relation) as batches:
    rows = parquet.write(Path(sys.argv[1]), batches, {})
# The peak in getrusage includes that of the parent.
[peak] = re.findall(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
print(rows, pa.default_memory_pool().max_memory(), int(peak) * 1024)
"""


@pytest.fixture
def rows(service_database: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Rows]:
    """Rows of two days and their boundary. The environment is that of mlops_read."""
    monkeypatch.setenv("PGUSER", "mlops_read")
    rows = Rows(service_database)
    rows.experiment("lenet")
    rows.predict("late", "2026-11-01 23:59:59.999999+00")
    rows.predict("early", "2026-11-02 01:00:00+01")  # midnight in UTC
    rows.repeat("late", "2026-11-02 12:00:00+00")
    rows.label("late", "0")
    yield rows
    rows.close()


def images_of(folder: Path, name: str) -> list[str]:
    return [row["image_id"].replace("-", "") for row in read(folder, name)]


@pytest.mark.usefixtures("rows")
def test_export_days_begin_at_midnight_utc(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 0
    late, early = digest("late")[:32], digest("early")[:32]
    for name, second in (
        ("predictions", [early]),
        ("events", [early, late]),
    ):
        assert images_of(tmp_path, f"{name}/{FIRST}/part.parquet") == [late]
        assert images_of(tmp_path, f"{name}/{SECOND}/part.parquet") == second
    assert read(tmp_path, f"images/{SECOND}/part.parquet")[0]["digest"] == digest("early")


@pytest.mark.usefixtures("rows")
def test_export_keeps_types_and_values(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 0
    [prediction] = read(tmp_path, f"predictions/{FIRST}/part.parquet")
    assert prediction["created_at"] == datetime(2026, 11, 1, 23, 59, 59, 999999, UTC)
    assert prediction["probabilities"] == [0.25, 0.75]
    assert prediction["label"] == '1,"x'
    assert (prediction["experiment_name"], prediction["version"]) == ("lenet", 3)
    assert (prediction["true_label"], prediction["events"], prediction["warnings"]) == ("0", 2, [])
    [image] = read(tmp_path, f"images/{SECOND}/part.parquet")
    assert image["warnings"] == ["several digits (2)"]
    [version] = read(tmp_path, "model_versions.parquet")
    assert (version["classes"], version["input"]) == (["0", '1,"x'], '{"scale": 1}')
    [curve] = read(tmp_path, "curves.parquet")
    assert (curve["steps"], curve["metric_values"][1] != curve["metric_values"][1]) == (
        [1, 2, 3],
        True,
    )
    [label] = read(tmp_path, "labels.parquet")
    assert (label["image_digest"], label["label"]) == (digest("late"), "0")
    schema = pq.read_schema(tmp_path / f"predictions/{FIRST}/part.parquet")
    assert schema.field("created_at").type == pa.timestamp("us", "UTC")
    assert schema.field("probabilities").type.value_type == pa.float32()
    assert schema.metadata[b"mlops.day"] == b"2026-11-01"
    assert b"mlops.snapshot_at" in schema.metadata


def test_export_again_replaces_days_and_keeps_others(rows: Rows, tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 0
    before = manifest_of(tmp_path)
    rows.predict("new", "2026-11-02 13:00:00+00")
    rows.execute("DELETE FROM prediction_events WHERE at < '2026-11-02'")  # as the retention does
    assert main([str(tmp_path), "--since", "2026-11-01", "--until", "2026-11-02"]) == 0
    after = manifest_of(tmp_path)
    events = f"events/{FIRST}/part.parquet"
    assert (before[events], len(read(tmp_path, events))) == (after[events], 1)
    assert after[f"events/{SECOND}/part.parquet"]["rows"] == 3
    assert len(read(tmp_path, f"events/{SECOND}/part.parquet")) == 3
    assert set(after) == files(tmp_path)
    for path, entry in after.items():
        assert (tmp_path / path).stat().st_size == entry["bytes"]


@pytest.mark.usefixtures("rows")
def test_export_since_leaves_out_earlier_days(tmp_path: Path) -> None:
    assert main([str(tmp_path), "--since", "2026-11-02"]) == 0
    assert not any(FIRST in path for path in files(tmp_path))
    assert f"events/{SECOND}/part.parquet" in files(tmp_path)
    assert "labels.parquet" in files(tmp_path)


def test_export_of_today_says_that_it_is_not_over(
    rows: Rows, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = datetime.now(UTC)
    rows.predict("now", now.isoformat())
    assert main([str(tmp_path), "--since", str(now.date() - timedelta(days=1))]) == 0
    entry = manifest_of(tmp_path)[f"events/day={now.date()}/part.parquet"]
    if now.date() == datetime.now(UTC).date():  # else midnight passed during the test
        assert entry["day_is_over"] is False
        assert "(the day is not over)" in capsys.readouterr().out


def test_export_reads_one_snapshot_and_holds_no_lock(
    rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks = []

    def add_rows(file: ExportedFile) -> None:
        locks.extend(rows.execute(LOCKS))
        if file.relation == "predictions":
            rows.experiment(f"added {file.day}")
            rows.repeat("late", "2026-11-02 14:00:00+00")

    monkeypatch.setattr(command, "_print", add_rows)
    assert main([str(tmp_path)]) == 0
    assert [row["experiment_name"] for row in read(tmp_path, "experiments.parquet")] == ["lenet"]
    assert len(read(tmp_path, f"events/{SECOND}/part.parquet")) == 2
    assert locks == []


@pytest.mark.usefixtures("rows")
def test_export_killed_in_a_file_leaves_whole_files(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, check=False)
    assert done.returncode == 9
    visible = {path for path in files(tmp_path) if not path.startswith(".")}
    assert visible == {f"predictions/{day}/part.parquet" for day in (FIRST, SECOND)}
    assert all(len(read(tmp_path, path)) == 1 for path in visible)
    assert files(tmp_path) != visible  # the half file has a hidden name
    assert not (tmp_path / "manifest.json").exists()
    assert main([str(tmp_path)]) == 0
    assert files(tmp_path) == set(manifest_of(tmp_path))


def test_export_without_postgres_keeps_the_manifest(
    rows: Rows,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([str(tmp_path)]) == 0
    before = manifest_of(tmp_path)

    def end_sessions(_: ExportedFile) -> None:
        rows.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'mlops export'"
        )

    monkeypatch.setattr(command, "_print", end_sessions)
    assert main([str(tmp_path)]) == 1
    assert "Postgres ended the export" in capsys.readouterr().err
    assert manifest_of(tmp_path) == before


@pytest.mark.usefixtures("rows")
def test_export_without_privileges_explains_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PGUSER", "mlops_app")
    assert main([str(tmp_path)]) == 1
    message = capsys.readouterr().err
    assert message.startswith("Postgres ended the export: permission denied for table")
    assert files(tmp_path) == set()


@pytest.mark.usefixtures("rows")
def test_export_beside_another_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    results = []
    monkeypatch.setattr(command, "_print", lambda _: results.append(main([str(tmp_path)])))
    assert main([str(tmp_path)]) == 0
    assert set(results) == {1}
    assert "Another export writes to" in capsys.readouterr().err


def test_export_with_pixels_adds_those_of_the_newest_images(rows: Rows, tmp_path: Path) -> None:
    rows.execute(
        "INSERT INTO image_pixels (image_id, pixels) SELECT id, %s FROM images WHERE digest = %s",
        [bytes(784), digest("late")],
    )
    assert main([str(tmp_path), "--pixels"]) == 0
    [pixels] = read(tmp_path, "pixels.parquet")
    assert (pixels["image_digest"], pixels["pixels"]) == (digest("late"), bytes(784))


def test_snapshot_divides_a_large_day_at_equal_times(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every row is in one part, also those of one time that a cut falls on."""
    monkeypatch.setattr("data_export.snapshot.MAX_PART_ROWS", 3)
    for second in range(5):
        for _ in range(second):
            rows.repeat("late", f"2026-11-02 15:00:0{second}+00")
    relation = Relation(
        "events",
        "SELECT e.id::text AS id, at FROM prediction_events e"
        " WHERE at >= '{begin}' AND at < '{end}'",
        "prediction_events",
        "at",
    )
    with open_snapshot() as snapshot, snapshot.read(relation, date(2026, 11, 2)) as batches:
        parts = [batch.column(0).to_pylist() for batch in batches]
    found = [identifier for part in parts for identifier in part]
    assert (len(found), len(set(found))) == (12, 12)
    assert len([part for part in parts if part]) > 1


@pytest.mark.usefixtures("rows")
def test_snapshot_has_no_statement_timeout() -> None:
    """mlops_read has 10 s, after which a large day would be cancelled."""
    relation = Relation(
        "settings",
        "SELECT current_setting('statement_timeout') AS a,"
        " current_setting('idle_in_transaction_session_timeout') AS b,"
        " current_setting('transaction_read_only') AS c, current_user::text AS d",
    )
    with open_snapshot() as snapshot, snapshot.read(relation) as batches:
        found = [row for batch in batches for row in batch.to_pylist()]
    assert found == [{"a": "0", "b": "0", "c": "on", "d": "mlops_read"}]


@pytest.mark.usefixtures("rows")
def test_export_memory_is_independent_of_the_rows(tmp_path: Path) -> None:
    measured = []
    for count in (200_000, 1_200_000):
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, str(tmp_path / "rows.parquet"), str(count)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        written, arrow, process = map(int, done.stdout.split())
        assert written == count
        measured.append((arrow, process))
    (small, _), (large, process) = measured
    assert large < 1.2 * small + 2**20
    assert process < 400 * 2**20
