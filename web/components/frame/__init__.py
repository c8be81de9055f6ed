"""Frame of every page: its outline, and reads that start with it."""
