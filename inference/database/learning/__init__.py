"""Queries of the learning loop: uploads, datasets, runs, label requests, schedules, evaluations."""
