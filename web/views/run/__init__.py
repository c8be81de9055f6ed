"""Run page: everything about one experiment."""
