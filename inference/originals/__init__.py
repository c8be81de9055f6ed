"""Uploaded images as they were sent: object store, archiving, retention."""
