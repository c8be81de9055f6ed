"""`make monitoring`: programs that are missing, and the configuration for this machine."""

from pathlib import Path

import pytest

from local import monitoring, settings
from local.monitoring import MonitoringError, Programs, find_programs, write_configuration
from local.settings import InvalidSettingError, read_monitoring_ports

SOURCE = Path(__file__).parents[3] / "observability" / "prometheus"


def make_programs(folder: Path, *names: str) -> str:
    for name in names:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    return str(folder)


def test_missing_programs_are_named_with_their_installation(tmp_path: Path) -> None:
    with pytest.raises(MonitoringError) as error:
        find_programs(str(tmp_path))
    assert str(error.value).startswith("Not installed: prometheus and alertmanager. Install both.")
    assert "apt-get install prometheus prometheus-alertmanager" in str(error.value)
    with pytest.raises(MonitoringError, match="Not installed: alertmanager"):
        find_programs(make_programs(tmp_path, "prometheus"))


def test_alertmanager_is_found_under_both_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitoring, "DEBIAN_TEMPLATE", tmp_path)
    path = make_programs(tmp_path, "prometheus", "prometheus-alertmanager")
    debian = str(tmp_path / "prometheus-alertmanager")
    assert find_programs(path) == Programs(str(tmp_path / "prometheus"), debian)
    make_programs(tmp_path, "alertmanager")
    assert find_programs(path).alertmanager == str(tmp_path / "alertmanager")


def test_debians_alertmanager_without_its_template_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitoring, "DEBIAN_TEMPLATE", tmp_path / "default.tmpl")
    with pytest.raises(MonitoringError, match="--reinstall prometheus-alertmanager"):
        find_programs(make_programs(tmp_path, "prometheus", "prometheus-alertmanager"))


def test_configuration_names_the_addresses_of_this_stack(tmp_path: Path) -> None:
    ports = read_monitoring_ports({"PROMETHEUS_PORT": "1", "MONITOR_METRICS_PORT": "2"})
    own = settings.read({"LOCAL_DIR": str(tmp_path), "API_PORT": "3"})
    alertmanager, prometheus = monitoring.programs_of(own, ports, Programs("p", "a"))
    directory = tmp_path / "monitoring" / "prometheus"
    text = (directory / "prometheus.yml").read_text()
    for address in ("127.0.0.1:3", "127.0.0.1:2", "127.0.0.1:9093", "127.0.0.1:1"):
        assert f'"{address}"' in text
    assert "inference:" not in text
    assert (directory / "rules.yml").read_text() == (SOURCE / "rules.yml").read_text()
    assert "--web.listen-address=127.0.0.1:1" in prometheus.command
    assert "--web.listen-address=127.0.0.1:9093" in alertmanager.command


def test_configuration_without_a_known_address_raises(tmp_path: Path) -> None:
    with pytest.raises(MonitoringError, match="must name elsewhere:1 once"):
        write_configuration(SOURCE, tmp_path, {"elsewhere:1": "127.0.0.1:1"})


def test_programs_get_no_password_and_the_whole_path_of_the_slack_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTGRES_PASSWORD", "secret")
    monkeypatch.setenv("SLACK_WEBHOOK_FILE", "secrets/slack")
    own = settings.read({"LOCAL_DIR": str(tmp_path)})
    for program in monitoring.programs_of(own, read_monitoring_ports({}), Programs("p", "a")):
        assert "secret" not in program.environment.values()
        assert program.environment["SLACK_WEBHOOK_FILE"] == str(Path("secrets/slack").resolve())


def test_equal_or_invalid_ports_raise() -> None:
    with pytest.raises(InvalidSettingError, match="PROMETHEUS_PORT='x'"):
        read_monitoring_ports({"PROMETHEUS_PORT": "x"})
    with pytest.raises(InvalidSettingError, match="must differ"):
        read_monitoring_ports({"PROMETHEUS_PORT": "9093"})
