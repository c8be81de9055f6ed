"""The HTTP edge: connections, limits, access checks and problem responses. Knows no model."""
