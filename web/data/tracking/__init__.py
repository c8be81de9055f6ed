"""Tracking data: runs that training code logs, their notes, tags and artifacts."""
