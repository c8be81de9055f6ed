"""Sentences, tables and the report of the Monitor page. Pure."""
