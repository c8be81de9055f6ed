"""Queries of the monitoring: detectors with their checks, alerts, and requests for references."""
