"""Pipelines page: runs, data, labeling and schedules of the learning loop."""
