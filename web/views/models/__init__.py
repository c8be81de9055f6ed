"""Models page: versions, details, aliases and promotion."""
