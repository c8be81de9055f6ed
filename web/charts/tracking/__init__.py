"""Charts of tracking: the metrics of one run."""
