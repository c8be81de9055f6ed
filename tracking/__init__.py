"""Tracking: runs that training code logs while it trains, written to Postgres."""
