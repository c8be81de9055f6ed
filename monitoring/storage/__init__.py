"""Storage: the SQL of the monitor. Every transaction holds the lease."""
