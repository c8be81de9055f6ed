"""Rules of Prometheus: valid, explained, tested, and about metrics that exist."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tests.support.prometheus import PROMTOOL, find

FOLDER = Path(__file__).parents[3] / "observability" / "prometheus"
RULES = [
    rule
    for group in yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"]
    for rule in group["rules"]
]
ALERTS: list[dict[str, Any]] = [rule for rule in RULES if "alert" in rule]


def promtool(*arguments: str | Path) -> str:
    """Run promtool successfully and return its output."""
    command = [find(PROMTOOL), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_alert_says_what_happened_and_what_to_do(rule: dict[str, Any]) -> None:
    annotations = rule["annotations"]
    assert set(annotations) == {"summary", "description", "action"}
    assert rule.get("labels", {}).get("severity") in {"warning", "critical"} or (
        "severity=" in rule["expr"]
    )
    assert len(annotations["summary"]) < 120


def test_every_alert_has_a_test_in_which_it_fires_and_one_in_which_not() -> None:
    document = yaml.safe_load((FOLDER / "rules_test.yml").read_text())
    checks = [check for test in document["tests"] for check in test["alert_rule_test"]]
    names = {rule["alert"] for rule in ALERTS}
    assert {check["alertname"] for check in checks if check["exp_alerts"]} == names
    assert {check["alertname"] for check in checks if not check["exp_alerts"]} == names


def test_rules_pass_their_tests() -> None:
    assert "SUCCESS" in promtool("test", "rules", FOLDER / "rules_test.yml")


def test_first_errors_are_invisible_without_a_series_at_zero(tmp_path: Path) -> None:
    """This is why the service creates its series at the start."""
    (tmp_path / "rules.yml").write_text((FOLDER / "rules.yml").read_text())
    tests = (FOLDER / "rules_test.yml").read_text()
    assert tests.count("'0x10 40x30'") == 1
    path = tmp_path / "rules_test.yml"
    path.write_text(tests.replace("'0x10 40x30'", "'_x10 40x30'"))
    command = [find(PROMTOOL), "test", "rules", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.findall(r"alertname: (\w+)", done.stdout + done.stderr) == ["RequestsFail"]


def test_configuration_is_valid() -> None:
    assert "is valid" in promtool("check", "config", FOLDER / "prometheus.yml")
