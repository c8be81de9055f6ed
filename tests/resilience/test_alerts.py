"""Alerts: faults of a real service reach a webhook through Prometheus, and every panel has data."""

import contextlib
import json
import math
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest
import requests

from local import ports
from observability.dashboards.__main__ import DIRECTORY
from tests.conftest import digit_png
from tests.integration.prediction_log.test_prediction_log import noise
from tests.resilience.stack import MODELS, FaultyStack, print_figure
from tests.support.alerting import Alerting, wait_until
from tests.support.monitor_metrics import MonitorMetrics
from tests.support.prometheus import PROMTOOL, find

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
SMALL = MODELS[0]
SCRAPES = 20
PANELS_SECONDS = 20
STATES = re.compile(r"^mlops_models{.*|^mlops_model_info{.*", re.MULTILINE)
ROWS = f"""
INSERT INTO pipeline_runs (task, experiment_name) VALUES ('mnist', '{SMALL}')
ON CONFLICT DO NOTHING;
INSERT INTO drift_monitors (task, model_version_id, path, family, threshold, evidence)
SELECT 'mnist', id, 'as_sent', 'inputs', 1e7, 2.5 FROM model_versions LIMIT 1
ON CONFLICT DO NOTHING;
INSERT INTO alerts (task, model_version_id, kind, family, families, path, severity, image_number,
                    evidence)
SELECT 'mnist', id, 'drift', 'inputs', '{{inputs}}', 'as_sent', 'warning', 200, 7.5
FROM model_versions LIMIT 1
ON CONFLICT DO NOTHING
"""


@pytest.fixture
def monitor() -> MonitorMetrics:
    return MonitorMetrics("mnist", SMALL)


@pytest.fixture
def alerting(stack: FaultyStack, monitor: MonitorMetrics, tmp_path: Path) -> Iterator[Alerting]:
    """Prometheus and Alertmanager on the stack, and on metrics of the monitor that a test sets."""
    port = ports.find_free()
    alerting = Alerting(tmp_path, stack.port, port)
    with monitor.serve(port), alerting.run():
        yield alerting


def models_dir(stack: FaultyStack) -> Path:
    return Path(stack.environment["MODELS_DIR"])


def scrape(stack: FaultyStack) -> str:
    """Return the metrics, over a new connection: of either worker."""
    response = requests.get(stack.url("metrics"), timeout=10)
    assert response.status_code == 200
    return response.text


def scrape_monitor(stack: FaultyStack) -> str:
    """Return the metrics of the monitor that the service runs, once it answers."""
    url = f"http://127.0.0.1:{stack.environment['MONITOR_METRICS_PORT']}/metrics"
    texts: list[str] = []

    def answers() -> bool:
        with contextlib.suppress(requests.ConnectionError):
            texts.append(requests.get(url, timeout=10).text)
        return bool(texts)

    wait_until(answers, "the monitor does not answer")
    return texts[0]


def names(text: str) -> set[str]:
    """Return the names of the metrics in a text."""
    return set(re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE))


@contextlib.contextmanager
def frozen_database(stack: FaultyStack) -> Iterator[None]:
    """Freeze Postgres until the end of the block."""
    assert stack.postgres.pid is not None
    server = psutil.Process(stack.postgres.pid)
    family = [server, *server.children(recursive=True)]
    for process in family:
        process.suspend()
    try:
        yield
    finally:
        for process in family:
            process.resume()


def test_broken_model_is_told_and_resolved_by_both_workers(
    stack: FaultyStack, alerting: Alerting
) -> None:
    broken = models_dir(stack) / "broken.keras"
    broken.write_bytes(b"PK\x03\x04 this is no archive")
    try:
        started = time.monotonic()
        fired = alerting.webhook.wait_for("ModelFailed", "firing")
        print_figure("broken model, told after", f"{time.monotonic() - started:.1f} s")
        assert fired["labels"]["severity"] == "warning"
        assert fired["annotations"]["summary"] == "Model versions that cannot serve: 1."
        answers = {tuple(STATES.findall(scrape(stack))) for _ in range(SCRAPES)}
        assert len(answers) == 1
        assert 'mlops_models{state="FAILED"} 1.0' in next(iter(answers))
    finally:
        broken.unlink()
    alerting.webhook.wait_for("ModelFailed", "resolved")


def test_frozen_postgres_is_told_and_resolved(stack: FaultyStack, alerting: Alerting) -> None:
    with frozen_database(stack):
        started = time.monotonic()
        assert stack.infer(noise(1)).status_code == 200
        fired = alerting.webhook.wait_for("LogWaits", "firing")
        print_figure("frozen Postgres, told after", f"{time.monotonic() - started:.1f} s")
        assert "behind" in fired["annotations"]["summary"]
        assert stack.infer(noise(2)).status_code == 200
        scrape(stack)
    alerting.webhook.wait_for("LogWaits", "resolved")
    lost = [name for name, _ in alerting.query("mlops_journal_dropped_total > 0")]
    assert lost == []


def test_drift_is_told_with_the_severity_of_the_monitor(
    alerting: Alerting, monitor: MonitorMetrics
) -> None:
    monitor.set_open("inputs", "warning", 1)
    fired = alerting.webhook.wait_for("Drift", "firing")
    assert (fired["labels"]["severity"], fired["labels"]["family"]) == ("warning", "inputs")
    monitor.set_open("inputs", "warning", 0)
    alerting.webhook.wait_for("Drift", "resolved")


def test_killed_worker_counts_on_under_its_number(stack: FaultyStack) -> None:
    """A dead worker leaves no state, and its successor takes its number."""
    pattern = re.compile(r'^process_start_time_seconds{worker="(\d+)"} (.*)$', re.MULTILINE)
    before = dict(pattern.findall(scrape(stack)))
    assert sorted(before) == ["1", "2"]
    victim = stack.listeners()[0]
    victim.kill()
    victim.wait()
    wait_until(lambda: len(stack.listeners()) == 2, "no new worker")
    wait_until(
        lambda: len(set(pattern.findall(scrape(stack))) - set(before.items())) == 1,
        "no new start time",
    )
    after = dict(pattern.findall(scrape(stack)))
    assert sorted(after) == ["1", "2"]
    assert sum(after[worker] == before[worker] for worker in after) == 1


def test_promtool_has_no_complaint_about_the_metrics(stack: FaultyStack) -> None:
    stack.infer(noise(3))
    for text in (scrape(stack), scrape_monitor(stack)):
        done = subprocess.run(
            [find(PROMTOOL), "check", "metrics"],
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_metrics_are_those_that_are_documented(stack: FaultyStack) -> None:
    """doc/metrics.md has a section for the service, and one for the monitor."""
    page = (ROOT / "doc" / "metrics.md").read_text()
    service, monitor = (
        set(re.findall(r"`((?:mlops|process)_\w+)`", page.split(title)[1].split("\n## ")[0]))
        for title in ("## Metrics of the service", "## Metrics of the monitor")
    )
    registry = {name for name in service if name.startswith("mlops_registry_")}
    optional = registry | {"mlops_pipeline_last_success_timestamp_seconds"}
    wait_until(lambda: "mlops_pipeline_runs" in scrape(stack), "no state of the pipeline")
    assert service - optional == names(scrape(stack)) - optional
    assert monitor == {name for name in names(scrape_monitor(stack)) if name.startswith("mlops")}


def test_monitor_of_the_service_reports_its_checks(stack: FaultyStack) -> None:
    name = "mlops_monitor_last_check_timestamp_seconds"

    def age_seconds() -> float:
        found = re.findall(rf"^{name} (.*)$", scrape_monitor(stack), re.MULTILINE)
        return time.time() - float(found[0]) if found else math.inf

    wait_until(lambda: age_seconds() < 10, "no recent check")


@pytest.fixture
def traffic(stack: FaultyStack) -> None:
    """Predictions, a label, a blank image, a promotion, errors, a run and rows of the monitor."""
    for number in range(40):
        stack.infer(noise(number % 30), MODELS[number % 2]).raise_for_status()
    blank = stack.infer(digit_png(" ")).json()
    assert blank["warnings"]
    prediction = stack.infer(noise(50)).json()["prediction_id"]
    stack.until_shipped()
    url = stack.url(f"predictions/{prediction}/label")
    requests.put(url, json={"label": "3", "labelled_by": "ann"}, timeout=10).raise_for_status()
    move = {"experiment_name": SMALL, "version": 1, "moved_by": "ann", "reason": "a test"}
    url = stack.url("aliases/mnist/champion")
    requests.put(url, json=move, timeout=10).raise_for_status()
    assert requests.get(stack.url("nowhere"), timeout=10).status_code == 404
    stack.execute(ROWS)


def targets(kind: str) -> list[tuple[str, str]]:
    """Return the title and the query of every target of a kind in the dashboards."""
    return [
        (f"{path.stem}: {panel['title']}", target[kind])
        for path in sorted(DIRECTORY.glob("*.json"))
        for panel in json.loads(path.read_text())["panels"]
        for target in panel.get("targets", [])
        if kind in target
    ]


@pytest.mark.usefixtures("traffic")
def test_every_panel_has_data(stack: FaultyStack, alerting: Alerting) -> None:
    def generate() -> None:
        while not stopping.wait(0.05):
            stack.infer(noise(60), SMALL)

    stopping = threading.Event()
    traffic = threading.Thread(target=generate)
    traffic.start()
    empty: list[str] = []

    def have_data() -> bool:
        """Return whether every panel has a series with a number. A rate needs two looks."""
        empty[:] = [
            title
            for title, expression in targets("expr")
            if all(
                math.isnan(value)
                for _, value in alerting.query(expression.replace("$__rate_interval", "10s"))
            )
        ]
        return not empty

    try:
        with contextlib.suppress(AssertionError):
            wait_until(have_data, "", PANELS_SECONDS)
        assert empty == []
    finally:
        stopping.set()
        traffic.join()


@pytest.mark.usefixtures("traffic")
def test_every_sql_panel_has_rows_for_the_read_role(stack: FaultyStack) -> None:
    settings = stack.postgres.settings
    variables: dict[str, Any] = {
        "host": settings.host,
        "port": settings.db_port,
        "dbname": "mlopsdb",
        "user": "mlops_read",
        "password": settings.read_password,
    }
    empty = []
    with contextlib.closing(psycopg2.connect(**variables)) as connection:
        for title, query in targets("rawSql"):
            sql = re.sub(r"\$__timeFilter\((\w+)\)", r"\1 > now() - interval '1 hour'", query)
            with connection, connection.cursor() as cursor:
                cursor.execute(sql)
                if not cursor.fetchall():
                    empty.append(title)
    assert empty == []
