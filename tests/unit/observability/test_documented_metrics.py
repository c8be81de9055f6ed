"""Metrics in rules and dashboards are documented, and so are the alerts."""

import re
from pathlib import Path

import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "doc" / "metrics.md").read_text()
RULES = ROOT / "observability" / "prometheus" / "rules.yml"
DASHBOARDS = ROOT / "observability" / "grafana" / "dashboards"
RECORDED = re.compile(r"\boperation:\w+:\w+")
METRIC = re.compile(r"\b(?:mlops|process)_\w+")


def test_rules_and_dashboards_use_documented_metrics() -> None:
    documented = set(re.findall(r"`((?:mlops|process)_\w+)`", PAGE))
    rules = yaml.safe_load(RULES.read_text())["groups"]
    texts = [RECORDED.sub("", rule["expr"]) for group in rules for rule in group["rules"]]
    texts += re.findall(r'"expr": "(.*)"', "".join(map(Path.read_text, DASHBOARDS.glob("*.json"))))
    used = {name.removesuffix("_bucket") for text in texts for name in METRIC.findall(text)}
    assert len(used) > 30
    assert used - documented == set()


def test_every_alert_is_documented() -> None:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    alerts = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
    table = PAGE[PAGE.index("## Alerts") : PAGE.index("### Slack")]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == alerts
