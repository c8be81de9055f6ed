"""The model repository: versions, artifacts, aliases, hot reload, residency, promotion."""
