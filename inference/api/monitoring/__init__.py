"""Monitoring in the REST API: one module per resource."""
