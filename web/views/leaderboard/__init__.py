"""Leaderboard page: filter bar, experiment table, hyperparameter charts and loss curves."""
