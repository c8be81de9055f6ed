"""Evaluation in the dashboard: labeled sets, background runs and their tables."""
