"""A backup restores into an empty stack with equal sums, or changes nothing."""

from __future__ import annotations

import io
import json
import math
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from db.initialize import set_up
from db.settings import from_environment
from inference.originals.local_store import LocalStore
from inference.originals.open_store import open_store
from inference.prediction_log.segments import list_segments
from local import ports
from local.backup.__main__ import main
from local.backup.deployment import LocalDeployment
from pipeline.steps import plan
from tests.support.prediction_log import LogHarness, make_image
from tests.support.workers import Workers
from tracking.runs import Entries, NewRun, Point, RunChange
from tracking.storage import histories
from tracking.storage.logged_models import LoggedModels
from tracking.storage.stores import open_stores

LIBPQ = ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE")
PNG = b"\x89PNG\r\n\x1a\n"
TABLES = ("experiments", "metric_curves", "images", "predictions", "prediction_events", "labels")
LOOP_TABLES = (
    *("datasets", "uploads", "pipeline_runs", "pipeline_triggers", "pipeline_steps"),
    *("procrastinate.procrastinate_jobs", "procrastinate.procrastinate_events"),
)
RUN_TABLES = (
    *("projects", "previous_names", "run_params", "run_points", "run_histories"),
    *("run_artifacts", "logged_models"),
)
SUMS = " UNION ALL ".join(
    f"SELECT '{table}', count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {table} t"
    for table in (
        *TABLES, "traffic", "model_versions", "migration_fingerprints", *LOOP_TABLES, *RUN_TABLES
    )
)  # fmt: skip
OBJECTS = """
SELECT 'grants', count(*)::text, md5(string_agg(g::text, ',' ORDER BY g::text))
FROM information_schema.role_table_grants g WHERE grantee LIKE 'mlops%'
UNION ALL SELECT 'functions', count(*)::text, '' FROM pg_proc
WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT 'triggers', count(*)::text, '' FROM pg_trigger
UNION ALL SELECT 'indexes', count(*)::text, '' FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'statistics', count(*)::text, '' FROM pg_statistic_ext
"""


# A dataset, a queued run, and one whose worker was lost.
FILL_LOOP = """
INSERT INTO datasets (task, digest, url, bytes, images, train, validation, test, classes, sources,
    created_by)
VALUES ('mnist', 'ab12', '{url}', 9, 3, 1, 1, 1, '[]', '{{}}', 'ann');
INSERT INTO uploads (task, digest, url, bytes, media_type, name, uploaded_by)
VALUES ('mnist', 'cd', '{url}', 9, 'text/csv', 'a.csv', 'ann');
SELECT request_run('mnist', 'a', '{{}}', 'manual', 'ann', 'test');
SELECT request_run('parity', 'a', '{{}}', 'manual', 'ann', 'test');
UPDATE pipeline_runs SET state = 'RUNNING', started_at = now(), worker = 'lost',
    lease_token = gen_random_uuid(), heartbeat_at = now() WHERE task = 'parity';
INSERT INTO pipeline_steps (run_id, name, ordinal, attempt, state, finished_at, worker, outputs)
SELECT id, 'ingest', 1, 1, 'SUCCEEDED', now(), 'lost', jsonb_build_object('url', '{url}')
FROM pipeline_runs WHERE task = 'parity';
SET LOCAL search_path = procrastinate, public;
UPDATE procrastinate_jobs SET status = 'doing'
WHERE (args->>'run_id')::int = (SELECT id FROM pipeline_runs WHERE task = 'parity');
"""
STORED_URLS = """
SELECT url FROM datasets UNION ALL SELECT url FROM uploads
UNION ALL SELECT outputs->>'url' FROM pipeline_steps WHERE name = 'ingest' AND worker = 'lost'
UNION ALL SELECT original_url FROM images WHERE original_url IS NOT NULL
"""

MOVE_BACK = (
    "UPDATE images SET original_url = replace(original_url, '{new}', '{old}')",
    "UPDATE datasets SET url = replace(url, '{new}', '{old}')",
    "UPDATE uploads SET url = replace(url, '{new}', '{old}')",
    "UPDATE pipeline_steps SET outputs = replace(outputs::text, '{new}', '{old}')::jsonb",
)


class Machine:
    """A LOCAL_DIR with its own ports, in the environment while it is `here`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.backed_up: dict[str, bytes] = {}  # the files of its backup
        self.variables = {
            "LOCAL_DIR": str(folder),
            **{name: str(ports.find_free()) for name in ("DB_PORT", "API_PORT", "WEB_PORT")},
            "DATA_CSV": "data.csv",
            "DATA_DIR": str(folder / "none"),
        }

    @contextmanager
    def here(self) -> Iterator[LocalDeployment]:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.variables.items():
                patch.setenv(name, value)
            yield LocalDeployment()

    def run(self, *arguments: str) -> int:
        with self.here():
            return main(list(arguments))

    def sums(self) -> tuple[str, str]:
        with self.here() as deployment, deployment.running_database(exclusively=True):
            return deployment.sql("mlopsdb", SUMS), deployment.sql("mlopsdb", OBJECTS)

    def databases(self) -> str:
        with self.here() as deployment, deployment.running_database(exclusively=True):
            return deployment.sql("postgres", "SELECT datname FROM pg_database ORDER BY 1")

    def files(self) -> dict[str, bytes]:
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for name in ("journal", "images")
            for path in (self.folder / name).rglob("*")
            if path.is_file()
        }

    def fill(self) -> None:
        """Set up the database, with predictions in it and others only in the journal."""
        with self.service() as harness:
            harness.predict_images([make_image(seed, PNG + bytes([seed])) for seed in (1, 2)])
            harness.ship_and_archive()
            harness.query(
                "INSERT INTO labels (image_id, task, label, labelled_by)"
                " SELECT image_id, task, label, 'ann' FROM predictions LIMIT 1"
            )
            harness.predict_images([make_image(3, PNG)])
            url = open_store(str(self.folder / "images")).put("ab/ab12.npz", b"a dataset")
            harness.query(FILL_LOOP.format(url=url))
            log_runs(self.folder / "images")

    @contextmanager
    def service(self) -> Iterator[LogHarness]:
        """Set up the database, and run the parts of the service that write."""
        with (
            self.here() as deployment,
            deployment.running_database(exclusively=True),
            pytest.MonkeyPatch.context() as patch,
        ):
            owner = {name: deployment.environment[name] for name in LIBPQ}
            for name, value in owner.items():
                patch.setenv(name, value)
            set_up(from_environment(os.environ))
            patch.setenv("PGUSER", "mlops_app")
            harness = LogHarness(self.folder, owner)
            yield harness
            harness.disconnect()


def log_runs(images: Path) -> None:
    """Log a run that has ended and a running one, with everything that a run may have."""
    stores = open_stores(LocalStore(images), "mnist", 1_000)
    try:
        project = stores.projects.create("parity", {"team": "a"})
        for name in ("ended", "running"):
            new = NewRun(
                name,
                "api",
                project_id=project.id,
                owner="ann",
                note="A **note**.",
                params={"lr": "0.1"},
                tags={"dataset": "mnist"},
            )
            run_id = stores.runs.create(new).run.run_id
            values = [1.0, math.nan, 0.1]
            points = [Point("val_loss", step, step, value) for step, value in enumerate(values)]
            stores.runs.log(run_id, Entries(points))
            stores.artifacts.put(run_id, "notes.txt", name.encode())
            stores.artifacts.put(run_id, "model.txt", b"\x80\x04")
            LoggedModels(stores.database).create(f"m-{name}", run_id, "model", "READY", {}, {})
        stores.runs.update(stores.runs.find("ended"), RunChange(state="finished", name="renamed"))
        stores.folding.fold_all()
        with stores.database.transaction() as cursor:
            for number in histories.ended_runs(cursor, 0, 10):
                histories.move(cursor, number)
    finally:
        stores.close()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    machine = Machine(tmp_path_factory.mktemp("source"))
    machine.fill()
    return machine


@pytest.fixture(scope="module")
def backup(source: Machine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("backup") / "mlops.tar"
    source.backed_up = {n: data for n, data in source.files().items() if is_backed_up(n)}
    assert source.run("create", str(path)) == 0
    return path


def test_backup_restores_into_an_empty_stack(source: Machine, backup: Path, tmp_path: Path) -> None:
    target = Machine(tmp_path / "target")
    assert target.run("restore", str(backup)) == 0
    rows, objects = source.sums()
    restored_rows, restored_objects = target.sums()
    assert restored_objects == objects
    old, new = source.folder.as_uri(), target.folder.as_uri()
    with target.here() as deployment, deployment.running_database(exclusively=True):
        urls = deployment.sql("mlopsdb", STORED_URLS).split()
        assert [url.startswith(f"{new}/images/") for url in urls] == [True] * 5
        deployment.sql("mlopsdb", *(statement.format(old=old, new=new) for statement in MOVE_BACK))
        assert deployment.sql("mlopsdb", SUMS) == rows != restored_rows
    kept = source.backed_up
    assert target.files() == kept
    assert len([name for name in kept if name.endswith(".png")]) == 2
    assert len([name for name in kept if name.endswith(".bin")]) == 2
    assert all(f"{table}|0|" not in rows for table in RUN_TABLES), "a table without rows"
    assert read_runs(target) == read_runs(source) == [b"ended", b"running"]
    assert target.databases().split() == ["mlopsdb", "postgres", "template0", "template1"]
    ship(target)
    continue_runs(target, tmp_path)


def is_backed_up(name: str) -> bool:
    return name.endswith((".png", ".npz", ".bin", ".jsonl"))


def read_runs(machine: Machine) -> list[bytes]:
    """Return a file of each run as the tracking process reads it."""
    with machine.service():
        stores = open_stores(LocalStore(machine.folder / "images"), "mnist", 1_000)
        try:
            found = [stores.runs.find(name) for name in ("ended", "running")]
            return [stores.artifacts.read(run_id, "notes.txt").content for run_id in found]
        finally:
            stores.close()


def continue_runs(target: Machine, folder: Path) -> None:
    """Let a worker finish the runs that were open, after those steps that had succeeded."""
    with target.here() as deployment, deployment.running_database(exclusively=True):
        workers = Workers({name: deployment.environment[name] for name in LIBPQ}, folder)
        try:
            workers.start()
            for task, steps in (("mnist", plan.RETRAIN), ("parity", plan.RETRAIN[1:])):
                [(run_id,)] = workers.rows("SELECT id FROM pipeline_runs WHERE task = %s", task)
                assert workers.wait_until_over(run_id) == ("SUCCEEDED", None)
                assert workers.trace(run_id) == list(steps)
        finally:
            workers.stop()


def ship(target: Machine) -> None:
    """Ship the restored journal. It adds the prediction that was only there, and no other."""
    with target.service() as harness:
        harness.ship_and_archive()
        assert harness.count_events() == 6
        assert harness.query("SELECT count(original_url)::int FROM images") == [(3,)]


def test_backup_is_readable_by_its_owner_only(source: Machine, backup: Path) -> None:
    assert backup.stat().st_mode & 0o777 == 0o600
    assert source.run("create", str(backup)) == 1  # an existing file is kept
    with tarfile.open(backup) as archive:
        manifest = json.loads((archive.extractfile("manifest.json") or io.BytesIO()).read())
        assert manifest["members"].keys() == set(archive.getnames()) - {"manifest.json"}
    assert manifest["models"]


@pytest.mark.slow
def test_restore_replaces_only_when_told(
    source: Machine, backup: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = Machine(tmp_path / "target")
    target.fill()
    sums, files = target.sums(), target.files()
    assert target.run("restore", str(backup)) == 1
    assert "not empty" in capsys.readouterr().out
    assert (target.sums(), target.files()) == (sums, files)
    assert target.run("restore", str(backup), "--replace") == 0
    assert target.files() == source.backed_up
    assert target.sums() != sums


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)


def add_member(name: str) -> Callable[[Path], None]:
    def add(path: Path) -> None:
        with tarfile.open(path, "a") as archive:
            entry = tarfile.TarInfo(name)
            entry.size = 4
            archive.addfile(entry, io.BytesIO(b"evil"))

    return add


def add_link(path: Path) -> None:
    with tarfile.open(path, "a") as archive:
        entry = tarfile.TarInfo("journal/a.jsonl")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(entry)


@pytest.mark.parametrize(
    "change",
    [
        cut,
        flip_a_byte,
        add_member("../evil"),
        add_member("/tmp/evil"),  # noqa: S108
        add_member("journal/../../evil.jsonl"),
        add_member("journal/more.jsonl"),
        add_link,
    ],
)
def test_changed_backup_is_rejected_before_anything(
    backup: Path,
    tmp_path: Path,
    change: Callable[[Path], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    changed = tmp_path / "changed.tar"
    shutil.copy(backup, changed)
    change(changed)
    target = Machine(tmp_path / "target")
    assert target.run("restore", str(changed)) == 1
    assert "Nothing was changed" in capsys.readouterr().out
    assert not target.folder.exists()
    assert not (tmp_path / "evil").exists()


@pytest.mark.slow
def test_failed_restore_leaves_the_stack_as_it_was(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Machine(tmp_path / "target")
    target.fill()
    sums, files = target.sums(), target.files()
    sql = LocalDeployment.sql
    for statement in ("ANALYZE", "RENAME TO mlopsdb_replaced"):

        def fail(
            deployment: LocalDeployment, database: str, *texts: str, failing: str = statement
        ) -> str:
            return sql(deployment, database, *[text.replace(failing, "x") for text in texts])

        with monkeypatch.context() as patch:
            patch.setattr(LocalDeployment, "sql", fail)
            assert target.run("restore", str(backup), "--replace") == 1
        assert (target.sums(), target.files()) == (sums, files)
        assert target.databases().split() == ["mlopsdb", "postgres", "template0", "template1"]


def test_backup_of_a_newer_version_is_rejected(
    source: Machine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "newer.tar.gz"
    with source.here() as deployment, deployment.running_database(exclusively=True):
        deployment.sql(
            "mlopsdb",
            "INSERT INTO _yoyo_migration (migration_hash, migration_id, applied_at_utc)"
            " VALUES ('x', '9999_future', now())",
        )
    assert source.run("create", str(path)) == 0
    with source.here() as deployment, deployment.running_database(exclusively=True):
        deployment.sql("mlopsdb", "DELETE FROM _yoyo_migration WHERE migration_hash = 'x'")
    assert Machine(tmp_path / "target").run("restore", str(path)) == 1
    assert "9999_future" in capsys.readouterr().out


def test_running_stack_is_not_restored(
    backup: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = Machine(tmp_path / "target")
    with target.here() as deployment, deployment.running_database(exclusively=True):
        assert main(["restore", str(backup)]) == 1
    assert "already running" in capsys.readouterr().out
    assert list_segments(target.folder / "journal") == []
