"""The native REST API of openapi.yaml: one module per resource, JSON encoding, and the fast path.

Handlers take arguments and return data; this package is the only one that makes their JSON.
"""
