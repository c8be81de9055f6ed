"""Measurements to tables, plots and verdicts."""
