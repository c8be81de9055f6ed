"""Evaluate page: labeled sets, background runs, metrics and images."""
