"""Harness: servers, databases, runtimes and the load generator."""
