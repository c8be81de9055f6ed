"""The dashboard: the Leaderboard and Predict pages over SQL (read only) and the inference API."""
