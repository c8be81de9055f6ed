"""Serving protocols: their cost against the native API, and against other servers."""
