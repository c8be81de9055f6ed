"""Reference servers. All respond to POST /api/v1.0/inference with the same fields."""
