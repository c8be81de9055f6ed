"""Responses with a status of their own, and the address of what a request has created."""

from dataclasses import dataclass

from inference.errors import Document


@dataclass(frozen=True)
class Located:
    """A JSON document with its status; `location` is a path below the base path."""

    document: Document
    status: int
    location: str
