"""Promotion gate: decides from paired comparisons whether a candidate replaces the champion.

`decide` is pure. Its evidence is stored, so `python -m pipeline.gate RUN` computes a verdict again.
"""
