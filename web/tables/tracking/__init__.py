"""Tables and texts of tracking: runs, models, predictions and snippets."""
