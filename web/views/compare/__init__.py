"""Compare page: curves, results and parameters of some experiments."""
