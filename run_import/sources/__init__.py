"""Sources of past runs: one module per tool or file format."""
