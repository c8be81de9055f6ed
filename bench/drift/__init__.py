"""Drift benchmark: delays and false alarms of the monitor's detector on MNIST's test digits."""
