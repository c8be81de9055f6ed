"""Reporting: turns measurements into tables, plots and goal checks."""
