"""SQL of the leaderboard, its groups, chart axes and changes."""
