"""Servers, databases, runtimes and load generators under measurement."""
