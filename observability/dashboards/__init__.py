"""Grafana dashboards as code: `make dashboards` writes observability/grafana/dashboards/*.json."""
