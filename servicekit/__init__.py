"""Code that all services share: settings, JSON logs, trusted hosts, COPY encoding.

Standard library only, and no import of another package of this project.
"""
