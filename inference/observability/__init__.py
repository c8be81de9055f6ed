"""Metrics of the service. Owners of other numbers register collectors of their own."""
