"""Configuration of Prometheus, Alertmanager and Grafana. The dashboards are built from code."""
