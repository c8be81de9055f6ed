"""Metrics, JSON logs and the request context."""
