"""The learning loop in the REST API: one module per resource, and the layer of streams."""
