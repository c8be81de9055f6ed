"""Checks: the logic of the monitor, without a database.

- `thinning` bounds the images that are examined.
- `track` examines the next images of one family, `history` sums them up for drift_checks.
- `alert_book` turns what the detectors found into alerts.
- `accuracy` examines labels that were asked for at random.
"""
