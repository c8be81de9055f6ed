"""`make monitoring`: Prometheus and Alertmanager beside a running `make up`, until Ctrl-C.

Runs the installed programs with the configuration of the compose profile. Only addresses differ.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from local import ports
from local.console import print_line
from local.process import Program
from local.settings import HOST, MonitoringPorts, Settings, inherited_environment

CONFIGURATION = Path("observability")
# Names of the programs: that of their makers, then that of Debian.
PROMETHEUS, ALERTMANAGER = ("prometheus",), ("alertmanager", "prometheus-alertmanager")
# Debian's Alertmanager reads it at this place, and ends without it.
DEBIAN_TEMPLATE = Path("/usr/share/prometheus/alertmanager/default.tmpl")
INSTALL = (
    "Install both. On Debian and Ubuntu: sudo apt-get install prometheus prometheus-alertmanager\n"
    "  Then turn off the services that Debian starts, which use port 9090:\n"
    "  sudo systemctl disable --now prometheus prometheus-alertmanager prometheus-node-exporter\n"
    "  Elsewhere: https://prometheus.io/download. With Docker, none of it is needed:\n"
    "  docker compose --profile monitoring up -d"
)
RETENTION = "30d"
START_SECONDS, STOP_SECONDS, POLL_SECONDS = 30.0, 5.0, 0.1
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # without a proxy


class MonitoringError(Exception):
    """Monitoring cannot start or has ended. The message says why."""


class _InterruptedError(Exception):
    """Ctrl-C, SIGTERM or a closed terminal."""


@dataclass(frozen=True)
class Programs:
    """Paths of the installed programs."""

    prometheus: str
    alertmanager: str


def run(settings: Settings, monitoring: MonitoringPorts) -> int:
    """Run both programs until a signal, and return the exit status."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        programs = find_programs()
        _check_ports(monitoring)
        _serve(programs_of(settings, monitoring, programs), settings, monitoring)
    except _InterruptedError:
        print_line("\nStopped")
        return 0
    except MonitoringError as error:
        print_line(str(error))
    return 1


def find_programs(path: str | None = None) -> Programs:
    """Return the programs on the PATH, or on `path`. Raises MonitoringError if one is missing."""
    found = {
        names[0]: next(filter(None, (shutil.which(name, path=path) for name in names)), None)
        for names in (PROMETHEUS, ALERTMANAGER)
    }
    missing = [name for name, program in found.items() if program is None]
    if missing:
        raise MonitoringError(f"Not installed: {' and '.join(missing)}. {INSTALL}")
    prometheus, alertmanager = (str(program) for program in found.values())
    if alertmanager.endswith(ALERTMANAGER[1]) and not DEBIAN_TEMPLATE.exists():
        raise MonitoringError(
            f"Debian's Alertmanager cannot start: {DEBIAN_TEMPLATE} is missing.\n"
            "  Install its package again: sudo apt-get install --reinstall prometheus-alertmanager"
        )
    return Programs(prometheus, alertmanager)


def write_configuration(source: Path, directory: Path, addresses: Mapping[str, str]) -> None:
    """Copy Prometheus's configuration and rules, with other addresses.

    Raises MonitoringError if the configuration lacks an address that is to be replaced.
    """
    text = (source / "prometheus.yml").read_text()
    for address, replacement in addresses.items():
        if text.count(address) != 1:
            raise MonitoringError(f"prometheus.yml must name {address} once.")
        text = text.replace(address, replacement)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "prometheus.yml").write_text(text)
    shutil.copyfile(source / "rules.yml", directory / "rules.yml")


def programs_of(
    settings: Settings, monitoring: MonitoringPorts, programs: Programs
) -> tuple[Program, Program]:
    """Return Alertmanager and Prometheus, not started, with their state in LOCAL_DIR."""
    directory = settings.directory / "monitoring"
    configuration = settings.root / CONFIGURATION
    prometheus, alertmanager = directory / "prometheus", directory / "alertmanager"
    alertmanager.mkdir(parents=True, exist_ok=True)
    write_configuration(
        configuration / "prometheus",
        prometheus,
        {
            "inference:9090": f"{settings.host}:{settings.api_port}",
            "inference:9464": f"{HOST}:{monitoring.monitor}",
            "alertmanager:9093": f"{HOST}:{monitoring.alertmanager}",
            "localhost:9090": f"{HOST}:{monitoring.prometheus}",
        },
    )
    environment = inherited_environment()
    slack = environment.get("SLACK_WEBHOOK_FILE")
    if slack:
        environment["SLACK_WEBHOOK_FILE"] = str(Path(slack).resolve())

    def program(name: str, *command: str | Path) -> Program:
        return Program(name, [*map(str, command)], environment, settings.directory, settings.root)

    return (
        program(
            "alertmanager",
            "/bin/sh",
            configuration / "alertmanager" / "start.sh",
            programs.alertmanager,
            alertmanager,
            f"--web.listen-address={HOST}:{monitoring.alertmanager}",
            "--cluster.listen-address=",
        ),
        program(
            "prometheus",
            programs.prometheus,
            f"--config.file={prometheus / 'prometheus.yml'}",
            f"--storage.tsdb.path={prometheus / 'data'}",
            f"--storage.tsdb.retention.time={RETENTION}",
            f"--web.listen-address={HOST}:{monitoring.prometheus}",
        ),
    )


def _serve(programs: Sequence[Program], settings: Settings, monitoring: MonitoringPorts) -> None:
    """Start the programs and watch them. Raises MonitoringError and _InterruptedError."""
    alertmanager, prometheus = programs
    try:
        for program, port in (
            (alertmanager, monitoring.alertmanager),
            (prometheus, monitoring.prometheus),
        ):
            program.rotate_log()
            program.start()
            _wait_until_ready(program, f"http://{HOST}:{port}/-/ready")
        print_line(_describe(settings, monitoring))
        while True:
            time.sleep(POLL_SECONDS)
            for program in programs:
                _check_running(program)
                program.limit_log_size()
    finally:
        for program in reversed(programs):
            program.stop(STOP_SECONDS)


def _describe(settings: Settings, monitoring: MonitoringPorts) -> str:
    api = f"http://{settings.host}:{settings.api_port}/api/v1.0/metrics"
    state = "" if _answers(api) else f"\n  {api} does not answer. Start the stack with `make up`.\n"
    receivers = [
        name for name in ("SLACK_WEBHOOK_FILE", "ALERT_WEBHOOK_URL") if os.environ.get(name)
    ]
    sent = " and ".join(receivers) or "no one: set SLACK_WEBHOOK_FILE or ALERT_WEBHOOK_URL"
    return (
        "Ready. Ctrl-C stops both.\n\n"
        f"  Prometheus    http://localhost:{monitoring.prometheus}\n"
        f"  Alertmanager  http://localhost:{monitoring.alertmanager}\n"
        f"  Alerts go to  {sent}\n"
        f"  State         {settings.directory / 'monitoring'}\n{state}"
    )


def _check_ports(monitoring: MonitoringPorts) -> None:
    conflicts = [
        f"Port {port} {reason}.\n"
        f"  Stop it, or use another port: {name}={ports.find_free()} make monitoring"
        for name, port in (
            ("PROMETHEUS_PORT", monitoring.prometheus),
            ("ALERTMANAGER_PORT", monitoring.alertmanager),
        )
        if (reason := ports.find_conflict(port)) is not None
    ]
    if conflicts:
        raise MonitoringError("\n".join(conflicts))


def _wait_until_ready(program: Program, url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(url):
        _check_running(program)
        if time.monotonic() > deadline:
            raise MonitoringError(
                f"{program.name} is not ready. From {program.log}:\n{program.tail()}"
            )
        time.sleep(POLL_SECONDS)


def _check_running(program: Program) -> None:
    status = program.exit_status()
    if status is not None:
        raise MonitoringError(
            f"{program.name} ended with status {status}. From {program.log}:\n{program.tail()}"
        )


def _answers(url: str) -> bool:
    try:
        with _opener.open(url, timeout=1):
            return True
    except OSError:
        return False


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise _InterruptedError
