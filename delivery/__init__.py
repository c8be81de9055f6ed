"""Delivery: images of the service with models, their smoke test, checks of templates."""
