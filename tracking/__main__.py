"""Process of tracking, `python -m tracking`."""
