"""The native REST API of openapi.yaml: handlers, validation, JSON encoding, and its fast path."""
