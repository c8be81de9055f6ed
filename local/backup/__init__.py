"""Backup and restore: `make backup` and `make restore` for `make up` and for compose.

A backup is one tar file: a dump of the database, the journal, the originals and a manifest. Only
the standard library is used for compose, so that it needs no virtual environment.
"""
